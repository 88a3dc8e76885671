"""`smash data resplit DATASET`: the sequences of a data set dealt anew, with a ready spec."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smash.workbench.cli.named_data import named_data

if TYPE_CHECKING:
    from smash.data.dataset import Dataset
    from smash.settings import Columns, DataSettings


def resplit(
    dataset: Annotated[
        str, typer.Argument(help="A spec, or a data set's name: earthquake, crime, football, …")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where events and spec are written.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Of the order in which sequences are dealt.")
    ] = 0,
) -> None:
    """Deal the sequences of a data set anew, as many to each part, and write events and a spec.

    What holds on one split may be luck, and where splits follow time the test has drifted. The spec
    is the one that `smash data check` suggests for such data. Windows that share events with
    another part are left out, and counted.

    Example: smash data resplit crime --seed 1 --out crime-1
    """
    from rich.console import Console

    from smash.catalogue import load_dataset
    from smash.data.audit import audit, render
    from smash.data.resplitting import resplit as dealt_anew
    from smash.errors import SmashError, in_a_line
    from smash.workbench.cli.spec_folder import SPEC, check_spec_folder

    try:
        settings, spec = named_data(dataset)
        files = (settings.path, settings.train, settings.validation, settings.test)
        check_spec_folder(out, [Path(path) for path in (str(spec), *files) if path])
        found = dealt_anew(load_dataset(settings), seed)
        _write(found, settings, out)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    console = Console(highlight=False)
    console.print(render(audit(found)))
    for note in (*found.rows.notes(), f"split {found.rows.split}", *found.notices):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"next: python run_experiment.py {out / SPEC}", markup=False)


def _write(dataset: "Dataset", settings: "DataSettings", out: Path) -> None:
    """Writes the events as a table of windows, and the spec that suits them."""
    from dataclasses import replace

    from smash.data.clock import Clock
    from smash.data.readers import OwnSplits
    from smash.data.suggestion import spec_text, suggest
    from smash.data.writing import event_table
    from smash.settings import SimulatorSettings
    from smash.workbench.cli.spec_folder import EVENTS, write_spec_folder

    columns, own = _columns(dataset), dataset.columns
    # Places lie on the plane and times are numbers, as `smash data check` writes them.
    about = replace(
        settings,
        name=out.resolve().name,
        path=None,
        train=None,
        validation=None,
        test=None,
        columns=columns,
        marked=None,
        time_unit=dataset.time_unit,
        location_unit=dataset.location_unit or None,
        time_origin=dataset.time_origin or None,
        mark_names=dataset.mark_names,
        projection=dataset.geography.origin,
        longitude_cut=dataset.geography.cut,
        places=None if dataset.n_axes else False,
        simulator=SimulatorSettings(),
        **{
            f"{part}_column": getattr(own, part)
            for part in ("x", "y", "time", "mark", "sequence", "magnitude")
            if getattr(own, part) != getattr(columns, part)
        },
    )
    events = event_table(OwnSplits(dict(dataset.splits()), dataset.mark_names, Clock()))
    text = spec_text(dataset, out / EVENTS, columns, about, suggest(dataset))
    write_spec_folder(out, events, dataset.rows, text)


def _columns(dataset: "Dataset") -> "Columns":
    """Returns the columns of the table of windows that a data set has."""
    from dataclasses import replace

    from smash.data.windows import WINDOW_COLUMNS

    train, columns = dataset.train, WINDOW_COLUMNS
    if not train.n_axes:
        columns = columns.without_places()
    return replace(
        columns,
        mark=None if train.mark is None else columns.mark,
        magnitude=None if train.magnitude is None else columns.magnitude,
        history=None if train.history is None else columns.history,
    )
