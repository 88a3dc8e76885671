"""`smash data check TABLE`: own events checked, cut into windows, with a ready spec."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from smash.workbench.cli.convert import convert
from smash.workbench.cli.estimators import estimators
from smash.workbench.cli.named_data import named_data
from smash.workbench.cli.resplit import resplit

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Own data checked and made ready; what any data hold and where they mislead.",
)
app.command("estimators")(estimators)
app.command("convert")(convert)
app.command("resplit")(resplit)


@app.command("audit")
def audit_command(
    dataset: Annotated[
        str, typer.Argument(help="A spec, or a data set's name: earthquake, crime, football, …")
    ],
) -> None:
    """Say what a data set holds, and how far its splits are apart beside what chance gives.

    Example: smash data audit crime
    """
    from rich.console import Console

    from smash.catalogue import load_dataset
    from smash.data.audit import audit, render
    from smash.errors import SmashError, in_a_line

    try:
        settings, _ = named_data(dataset)
        data = load_dataset(settings)
        console = Console(highlight=False)
        console.print(render(audit(data)))
        for note in data.notices:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)


@app.command()
def check(
    table: Annotated[
        Path,
        typer.Argument(help="CSV or Parquet, a row an event; or sequences: NPZ, JSONL, pickle."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where events and spec are written.")],
    time: Annotated[
        str, typer.Option(help="Column of times: ISO 8601 timestamps, or numbers.")
    ] = "time",
    x: Annotated[str, typer.Option(help="Column of longitudes, or of metres east.")] = "x",
    y: Annotated[str, typer.Option(help="Column of latitudes, or of metres north.")] = "y",
    places: Annotated[
        bool, typer.Option("--places/--no-places", help="Whether events have places.")
    ] = True,
    mark: Annotated[str | None, typer.Option(help="Column of kinds, or a number to cut.")] = None,
    edges: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Where the number, or without --mark the magnitude, is cut into marks.",
        ),
    ] = None,
    magnitude: Annotated[
        str | None, typer.Option(help="Column of magnitudes, a number beside the kind.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Magnitude from which on events are kept.")
    ] = None,
    region: Annotated[
        Path | None, typer.Option(metavar="GEOJSON", help="Polygon that events are kept within.")
    ] = None,
    targets_from: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="One sequence a split, all that came before it being its history; what comes "
            "before DATE is history alone. Needs --split DATES.",
        ),
    ] = None,
    sequence: Annotated[
        str | None, typer.Option(help="Column of sequences; without it, one long catalogue.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Length of windows, such as 2d.")
    ] = None,
    stride: Annotated[
        str | None, typer.Option(metavar="SPAN", help="From one window to the next.")
    ] = None,
    midnight: Annotated[
        bool,
        typer.Option(
            "--midnight",
            help="Windows begin at midnight (UTC), as a catalogue is kept by days; by default the "
            "first begins with the first event.",
        ),
    ] = False,
    time_unit: Annotated[
        str | None, typer.Option(help="Unit of times: seconds, minutes, hours, days, weeks.")
    ] = None,
    location_unit: Annotated[
        str | None, typer.Option(help="Unit of locations, such as km; degrees for lon and lat.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="random|time|DATES", help="How to split; DATES such as 2016-01-01,2017-01-01."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of a random split; 0 by default.")
    ] = None,
    project: Annotated[
        bool | None,
        typer.Option(
            "--project/--degrees",
            help="Longitude and latitude in km, by default where they span more than 3 degrees or "
            "events have magnitudes.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the data; by default FOLDER's.")] = None,
) -> None:
    """Check TABLE, cut it into windows, and write FOLDER/events.parquet and FOLDER/spec.yaml.

    Magnitudes are drawn in FOLDER/magnitudes.png, with b and from where on they look complete.

    The past trains, what comes later validates, the latest tests: no event of training comes after
    the first of validation, and none of validation after the first of the test; sequences that go
    on over such a date are cut there. DATES say where validation and test begin. Sequences with
    clocks of their own, numbers that start near 0 in each, are dealt at random instead. Every row
    is kept or counted with the reason.

    Example: smash data check quakes.csv --x longitude --y latitude --out quakes
    """
    # Imported here so that --help and wrong flags answer at once.
    from rich.console import Console

    from smash.data.audit import audit, render
    from smash.errors import SmashError, in_a_line
    from smash.settings import Columns

    try:
        cut = mark or (magnitude if edges else None)
        columns = Columns(time, x, y, cut, sequence, magnitude=magnitude)
        columns = columns if places else columns.without_places()
        dataset, notes = _prepare(
            table,
            out,
            columns,
            _edges(edges),
            (window, stride, midnight),
            (split, seed, targets_from),
            (threshold, region),
            (time_unit, location_unit, project),
            name,
        )
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    console = Console(highlight=False)
    console.print(render(audit(dataset)))
    for note in (*notes, *dataset.notices):
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if drawn := _drawn(dataset, out / "magnitudes.png"):
        console.print(f"magnitudes are drawn in {drawn}", markup=False, soft_wrap=True)
    console.print(f"next: python run_experiment.py {out / 'spec.yaml'}", markup=False)


def _drawn(dataset: Any, path: Path) -> Path | None:
    """Returns where the targets' magnitudes were drawn; None without any, or without Matplotlib."""
    from importlib.util import find_spec

    import numpy as np

    from smash.files import replacing

    sizes = [part.targets().magnitude for _, part in dataset.splits()]
    if any(size is None for size in sizes) or find_spec("matplotlib") is None:
        return None
    from smash.plots.magnitude_figure import draw_magnitudes

    with replacing(path) as written:
        draw_magnitudes(np.concatenate(sizes)).savefig(written, format="png", dpi=150)
    return path


def _prepare(
    table: Path,
    out: Path,
    columns: Any,
    edges: tuple[float, ...],
    spans: tuple[str | None, str | None, bool],
    splitting: tuple[str | None, int | None, str | None],
    limits: tuple[float | None, Path | None],
    units: tuple[str | None, str | None, bool | None],
    name: str | None,
) -> tuple[Any, tuple[str, ...]]:
    """Returns the data set written to `out`, and notes on what was done to the table."""
    from dataclasses import replace

    from smash.catalogue.datasets import table_dataset
    from smash.data.catalogues import read_catalogue, stray_note
    from smash.data.geojson import read_polygon
    from smash.data.places import plane_columns, with_written
    from smash.data.suggestion import spec_text, suggest
    from smash.data.windows import WINDOW_COLUMNS
    from smash.errors import DataError
    from smash.settings import DataSettings
    from smash.workbench.cli.spec_folder import EVENTS, check_spec_folder, write_spec_folder

    path = out / EVENTS
    check_spec_folder(out, [table])
    threshold, polygon = limits
    corners = None if polygon is None else read_polygon(polygon)
    catalogue = read_catalogue(table, columns, edges, *units, threshold, corners)
    length, stride = (
        None if span is None else catalogue.clock.duration(span, what)
        for span, what in zip(spans[:2], ("--window", "--stride"), strict=True)
    )
    stray = stray_note(catalogue)
    try:
        windows = _windows(catalogue, length, stride, spans[2], *splitting)
    except DataError as error:
        raise DataError(f"{stray} ({error})" if stray else f"{table}: {error}") from error
    mark = None if catalogue.mark is None else WINDOW_COLUMNS.mark
    columns = replace(columns, x=catalogue.columns.x, y=catalogue.columns.y)
    x, y = plane_columns(catalogue.geography, columns) or (None, None)
    size = None if catalogue.magnitude is None else WINDOW_COLUMNS.magnitude
    history = None if windows.history is None else WINDOW_COLUMNS.history
    named = replace(WINDOW_COLUMNS, x=x, y=y, mark=mark, magnitude=size, history=history)
    settings = DataSettings(
        name=name or out.resolve().name,
        columns=named,
        time_unit=catalogue.clock.unit,
        location_unit=catalogue.location_unit,
        time_origin=catalogue.clock.origin or None,
        mark_names=catalogue.mark_names,
        mark_edges=catalogue.mark_edges,
        projection=catalogue.geography.origin,
        x_column=columns.x if x != columns.x else None,
        y_column=columns.y if y != columns.y else None,
        longitude_cut=catalogue.geography.cut,
        time_column=columns.time,
        mark_column=catalogue.columns.mark,
        sequence_column=columns.sequence,
        magnitude_column=columns.magnitude,
        completeness=threshold,
        places=None if columns.axes else False,
        region=() if corners is None else tuple((float(a), float(b)) for a, b in corners),
    )
    cut = _window_table(catalogue, windows, named)
    # From memory, with the user's rows, so that messages name these.
    dataset = replace(table_dataset(cut, settings), tally=windows.tally)
    text = spec_text(dataset, path, named, settings, suggest(dataset))
    events = cut.frame
    if columns.axes:
        events = with_written(events, catalogue.geography, named, columns)
    write_spec_folder(out, events, windows.tally, text)
    notes = (
        *catalogue.notes,
        *((stray,) if stray else ()),
        *windows.tally.notes(),
        f"split {windows.tally.split}",
        *(_of_completeness(dataset) if threshold is None else ()),
    )
    return replace(dataset, source=str(path)), notes


def _of_completeness(dataset: Any) -> tuple[str, ...]:
    """Returns at which magnitude to cut a catalogue that nobody has cut, where it is known."""
    from smash.data.completeness import completeness

    magnitude = dataset.train.targets().magnitude
    known = None if magnitude is None else completeness(magnitude)
    if known is None or known.below == 0:
        return ()
    return (
        f"training looks complete from magnitude {known.magnitude:g} on, and {known.below:.0%} of "
        f"it lie below, where what was missed varies with time: --threshold {known.magnitude:g} "
        "leaves these out",
    )


def _windows(
    catalogue: Any,
    length: float | None,
    stride: float | None,
    midnight: bool,
    split: str | None,
    seed: int | None,
    targets_from: str | None,
) -> Any:
    """Returns windows over a catalogue, or its three periods with all that came before."""
    from smash.data.periods import cut_periods
    from smash.data.windows import cut_windows
    from smash.errors import DataError

    if targets_from is None:
        return cut_windows(catalogue, length, stride, split, seed, midnight)
    if length is not None or stride is not None or seed is not None:
        raise DataError(
            "--targets-from makes one sequence a split; leave --window, --stride and --seed out"
        )
    return cut_periods(catalogue, split, targets_from, midnight)


def _window_table(catalogue: Any, windows: Any, columns: Any) -> Any:
    """Returns the table of windows, marks by name, whose rows are called what the user's are."""
    import numpy as np

    from smash.data.tables import Table
    from smash.data.windows import window_table

    frame = window_table(catalogue, windows, columns)
    if columns.mark is not None:
        names = np.array(catalogue.mark_names, dtype=object)
        frame[columns.mark] = names[frame[columns.mark].to_numpy()]
    return Table(frame, catalogue.name, catalogue.row[np.concatenate(windows.rows)])


def _edges(text: str | None) -> tuple[float, ...]:
    from smash.errors import DataError

    if text is None:
        return ()
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise DataError(f"--edges {text}: give numbers with commas, such as 4,5.5") from error
