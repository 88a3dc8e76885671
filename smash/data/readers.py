"""Readers: files of events in, checked sequences out.

What a file may be, by its suffix:

- `.pkl`, `.pickle`: a list of sequences, each a list of events `[time, mark, x, y]`, or
  `[time, x, y]` for unmarked data; lists and NumPy arrays at any level. Observation starts at 0.
- a table with one row an event, whose columns `settings.Columns` names: CSV (also `.tsv`, `.txt`,
  packed as `.csv.gz`, with `;`, tab or `|`; see `smash.data.table_files`) or Parquet. Rows are
  sorted by time within their sequences. Times are timestamps or numbers (`smash.data.times`);
  marks are names, and so are sequences (`smash.data.names`).
- `.npz`: arrays `time` (E,) and, of events with places, `location` (E, 2), sequence after
  sequence; either `lengths` (M,)
  or `offsets` (M + 1,), or neither for one sequence; optionally `mark` (E,), whole numbers from 0
  or text, `window` (M, 2), start and end of observation, `magnitude` (E,), a number of each event,
  and `history` (M,), how many events at the start of a sequence are history alone. Or as
  neural_stpp, AutoSTPP and DeepSTPP keep them (`smash.data.npz_sequences`).
- `.jsonl`, `.ndjson`, `.json`: an object a sequence with `times` and perhaps `locations` and
  `marks`, as Seahorse and HawkesNest keep them (`smash.data.json_sequences`).
- EasyTPP's JSON and pickles (`smash.data.easytpp`), whose events have no places.

Events have no places (`location` (E, 0)) where their file knows none, and where none are asked for.

Where a table, an NPZ file or JSON gives no window, observation starts at a sequence's first event;
where nothing gives its end, it ends with the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from smash.data.clock import Clock
from smash.data.events import EventSequences, no_places
from smash.data.raw import RawEvents, build_splits
from smash.data.rows import Rows, edge_names, read_rows
from smash.data.sequence_files import ALL, events_within, splits_within
from smash.data.table_files import read_table
from smash.data.table_splits import split_rows, splits_of
from smash.data.tables import Table
from smash.errors import DataError
from smash.settings import Columns, DataSettings

_DEFAULT_COLUMNS = Columns()


@dataclass(frozen=True)
class OwnSplits:
    """Train, validation and test of own data: checked events, names of marks, and their clock."""

    events: dict[str, EventSequences]
    mark_names: tuple[str, ...]
    clock: Clock


def read_split(
    path: str | Path, columns: Columns = _DEFAULT_COLUMNS, marked: bool | None = None
) -> EventSequences:
    """Returns the sequences of one file that holds one split.

    Args:
        path: a file of one of the kinds above.
        columns: the columns of a table; `Columns(x=None, y=None)` reads no places.
        marked: True requires marks, False leaves them out, None takes what the file has.

    Raises:
        DataError: naming file, sequence and event and what is wrong there.
    """
    splits, _ = read_splits({"only": path}, columns, marked)
    return splits["only"]


def read_splits(
    paths: Mapping[str, str | Path], columns: Columns = _DEFAULT_COLUMNS, marked: bool | None = None
) -> tuple[dict[str, EventSequences], tuple[str, ...]]:
    """Returns the splits, one file each, and the names of marks that tables or text hold.

    Raises:
        DataError: as `read_split`, and when the splits write their marks or times differently.
    """
    read = own_splits(paths, DataSettings(columns=columns, marked=marked))
    return read.events, read.mark_names


def read_table_splits(
    path: str | Path, columns: Columns, marked: bool | None = None
) -> tuple[dict[str, EventSequences], tuple[str, ...]]:
    """Returns train, validation and test from one table with a split column, and mark names.

    Raises:
        DataError: as `read_split`, and when a split is empty or the split column unknown.
    """
    read = own_splits(path, DataSettings(columns=columns, marked=marked))
    return read.events, read.mark_names


def own_splits(
    source: Table | str | Path | Mapping[str, str | Path], settings: DataSettings
) -> OwnSplits:
    """Returns the splits of own data: those of one table, or a file each.

    Raises:
        DataError: as `read_split`, when a split is empty, or splits are written differently.
    """
    tables: dict[str, Rows] = {}
    others: dict[str, RawEvents] = {}
    settings = with_places_asked(settings)
    if isinstance(source, Mapping):
        for split, path in source.items():
            if (found := events_within(Path(path), split)) is not None:
                others[split] = found
            else:
                tables[split] = read_rows(read_table(Path(path)), settings.columns)
        order = list(source)
    else:
        others = {} if isinstance(source, Table) else _splits_of_file(Path(source))
        if not others:
            table = source if isinstance(source, Table) else read_table(Path(source))
            tables = split_rows(table, settings.columns)
        order = list(others or tables)
    others = {split: _as_asked(found, settings) for split, found in others.items()}
    read, clock = splits_of(tables, settings)
    raw = {split: (read | others)[split] for split in order}
    given = settings.mark_names
    if tables and settings.mark_edges and not given:
        given = edge_names(settings.columns.mark or "mark", settings.mark_edges)
    events, names = build_splits(raw, given)
    return OwnSplits(events, names, clock)


def _splits_of_file(path: Path) -> dict[str, RawEvents]:
    """Returns the splits of one file that is no table; none of a table."""
    found = splits_within(path)
    if found is not None and ALL in found:
        raise DataError(
            f"{path}: one file for all splits is a table (CSV or Parquet), an NPZ file of train, "
            "val and test, or EasyTPP's pickle of these; for other files name one a split: train, "
            "validation and test"
        )
    return found or {}


def with_places_asked(settings: DataSettings) -> DataSettings:
    """Returns settings without columns of places where none are to be read.

    Raises:
        DataError: when places are insisted on and no columns hold them.
    """
    if settings.places is False:
        return replace(settings, columns=settings.columns.without_places())
    if settings.places and not settings.columns.axes:
        raise DataError(
            "data.places is true and data.columns.x or y is null; name the columns of places, or "
            "leave data.places out"
        )
    return settings


def _as_asked(events: RawEvents, settings: DataSettings) -> RawEvents:
    """Returns a file's events without the marks and places that are not asked for.

    Raises:
        DataError: when it has none that are insisted on.
    """
    wanted = {
        "marked": (settings.marked, "marks", events.mark is not None),
        "places": (settings.places, "places", events.location.shape[1] > 0),
    }
    for key, (asked, what, has) in wanted.items():
        if asked and not has:
            raise DataError(f"{events.name}: has no {what}, but they are asked for (data.{key})")
    if settings.marked is False:
        events = replace(events, mark=None)
    if not settings.columns.axes:
        events = replace(events, location=no_places(len(events.time)))
    return events
