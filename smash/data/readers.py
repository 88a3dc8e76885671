"""Readers: files of events in, checked sequences out.

What a file may be, by its suffix:

- `.pkl`, `.pickle`: a list of sequences, each a list of events `[time, mark, x, y]`, or
  `[time, x, y]` for unmarked data; lists and NumPy arrays at any level. Observation starts at 0.
- `.csv`, `.parquet`: one row an event, in time order within each sequence; `settings.Columns`
  names the columns. Marks are whole numbers from 0, or text.
- `.npz`: arrays `time` (E,) and `location` (E, 2), sequence after sequence; either `lengths` (M,)
  or `offsets` (M + 1,), or neither for one sequence; optionally `mark` (E,), whole numbers from 0
  or text, and `window` (M, 2), start and end of observation.

Where a table or an NPZ file gives no window, observation starts at a sequence's first event; where
nothing gives its end, it ends with the last.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from smash.data.events import EventSequences
from smash.data.npz import npz_events
from smash.data.pickles import pickle_events
from smash.data.raw import RawEvents, build_splits
from smash.data.tables import read_table, table_events, table_splits
from smash.errors import DataError
from smash.settings import Columns

PICKLE_SUFFIXES = (".pkl", ".pickle")
TABLE_SUFFIXES = (".csv", ".parquet", ".pq")
NPZ_SUFFIXES = (".npz",)

_DEFAULT_COLUMNS = Columns()


def read_split(
    path: str | Path, columns: Columns = _DEFAULT_COLUMNS, marked: bool | None = None
) -> EventSequences:
    """Returns the sequences of one file that holds one split.

    Args:
        path: a file of one of the kinds above.
        columns: the columns of a table.
        marked: True requires marks, False leaves them out, None takes what the file has.

    Raises:
        DataError: naming file, sequence and event and what is wrong there.
    """
    splits, _ = read_splits({"only": path}, columns, marked)
    return splits["only"]


def read_splits(
    paths: Mapping[str, str | Path], columns: Columns = _DEFAULT_COLUMNS, marked: bool | None = None
) -> tuple[dict[str, EventSequences], tuple[str, ...]]:
    """Returns the splits, one file each, and the names of marks written as text.

    Raises:
        DataError: as `read_split`, and when the splits write their marks differently.
    """
    raw = {split: _read_raw(Path(path), columns, marked) for split, path in paths.items()}
    return build_splits(raw)


def read_table_splits(
    path: str | Path, columns: Columns, marked: bool | None = None
) -> tuple[dict[str, EventSequences], tuple[str, ...]]:
    """Returns train, validation and test from one table with a split column, and mark names.

    Raises:
        DataError: as `read_split`, and when a split is empty or the split column unknown.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(
            f"{path}: one file for all splits is a table ({', '.join(TABLE_SUFFIXES)}); for other "
            "files name one a split: train, validation and test"
        )
    return build_splits(table_splits(path, columns, marked))


def _read_raw(path: Path, columns: Columns, marked: bool | None) -> RawEvents:
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return table_events(read_table(path), columns, marked, str(path))
    if suffix in PICKLE_SUFFIXES:
        return _with_or_without_marks(pickle_events(path), marked)
    if suffix in NPZ_SUFFIXES:
        return _with_or_without_marks(npz_events(path), marked)
    known = ", ".join(PICKLE_SUFFIXES + TABLE_SUFFIXES + NPZ_SUFFIXES)
    raise DataError(f"{path}: no reader for files named so; events are read from {known}")


def _with_or_without_marks(events: RawEvents, marked: bool | None) -> RawEvents:
    if marked and events.mark is None:
        raise DataError(f"{events.name}: has no marks, but marked data are asked for (data.marked)")
    return replace(events, mark=None) if marked is False else events
