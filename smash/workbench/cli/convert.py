"""`smash data convert IN OUT`: own data, or another project's, written as a table or sequences."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="CSV, Parquet, NPZ, JSONL or pickle of events.")
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="What to write: .csv, .parquet, .npz, .jsonl, EasyTPP's .json."
        ),
    ],
    time: Annotated[str, typer.Option(help="Column of times, of a table.")] = "time",
    x: Annotated[str, typer.Option(help="Column of the first coordinate.")] = "x",
    y: Annotated[str, typer.Option(help="Column of the second coordinate.")] = "y",
    places: Annotated[
        bool, typer.Option("--places/--no-places", help="Whether places are read and written.")
    ] = True,
    mark: Annotated[str | None, typer.Option(help="Column of kinds.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Column of sequences.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Column that says train, validation or test.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="train, validation or test alone.")
    ] = None,
) -> None:
    """Write the events of IN as OUT, whose suffix says how; nothing is cut, split or projected.

    IN may be a file of Seahorse or HawkesNest (JSONL), of neural_stpp, AutoSTPP or DeepSTPP (NPZ),
    of DSTPP (pickle), of EasyTPP (JSON, pickle), or own data. Splits within IN stay apart in a
    table; NPZ, JSONL and EasyTPP's JSON hold one.

    Example: smash data convert sthp0.npz sthp0.parquet
    """
    from smash.errors import SmashError, in_a_line
    from smash.settings import Columns

    try:
        columns = Columns(time, x, y, mark, sequence, split)
        columns = columns if places else columns.without_places()
        for note in _converted(source, out, columns, only):
            typer.echo(f"note: {note}")
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)


def _converted(source: Path, out: Path, columns: Any, only: str | None) -> tuple[str, ...]:
    """Writes the events, and returns what is to be said of it."""
    from dataclasses import replace

    from smash.data.readers import own_splits
    from smash.data.sequence_files import ALL, splits_within
    from smash.data.writing import check_suffix, write_events
    from smash.errors import DataError
    from smash.outputs import check_files
    from smash.settings import DataSettings

    check_files({"OUT": out}, [source])
    check_suffix(out)
    held = splits_within(source)
    several = columns.split is not None if held is None else ALL not in held
    own = own_splits(str(source) if several else {ALL: source}, DataSettings(columns=columns))
    if only is not None:
        if only not in own.events:
            raise DataError(
                f"--only {only}: {source} has "
                + (f"{', '.join(own.events)}" if several else "no splits; leave --only out")
            )
        own = replace(own, events={only: own.events[only]})
    counted = (
        f"{split}: {events.n_events} events of {len(events)} sequences"
        + (f"; {events.dropped} of a single event or none left out" if events.dropped else "")
        for split, events in own.events.items()
    )
    read = (note for events in own.events.values() for note in events.notes)
    return (*counted, *read, *write_events(out, own))
