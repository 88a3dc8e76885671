"""CSV and Parquet tables with one row an event."""

import difflib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.bounds import check_text_table, plain_columns
from smash.data.events import Place
from smash.data.raw import RawEvents, observed_window, reading
from smash.errors import DataError
from smash.settings import Columns

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def read_table(path: Path) -> pd.DataFrame:
    """Returns the rows of a Parquet file, or of a CSV file as text.

    Raises:
        DataError: when the file is missing or cannot be read, naming it.
    """
    if path.suffix.lower() == ".csv":
        check_text_table(path)
        with reading(path, "a CSV table"), warnings.catch_warnings():
            # pandas only warns when rows are longer than the header and cuts them off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # As text: which marks are numbers is for all splits to say, and pandas' own parsing
            # of numbers is not exact in all of its versions.
            return pd.read_csv(path, index_col=False, dtype=str, skipinitialspace=True)
    columns = plain_columns(path)
    with reading(path, "a Parquet table"):
        table = pd.read_parquet(path, columns=columns).reset_index(drop=True)
        return table.rename(columns=str)


def table_splits(path: Path, columns: Columns, marked: bool | None) -> dict[str, RawEvents]:
    """Returns the splits of a table whose `columns.split` says train, validation or test.

    Raises:
        DataError: naming the file and the column, value or split that is missing or unknown.
    """
    if columns.split is None:
        raise DataError(
            f"{path}: one file for all splits needs the name of the column that holds train, "
            "validation or test; set columns.split, or name one file a split"
        )
    table = read_table(path)
    words = find_column(table, columns.split, str(path)).astype(str).str.strip().str.lower()
    splits = words.map(_SPLIT_WORDS)
    if splits.isna().any():
        row = int(np.argmax(splits.isna()))
        raise DataError(
            f"{path}, row {row}: column {columns.split!r} says {words.iloc[row]!r}; "
            "give train, validation (or val) or test"
        )
    return {
        split: table_events(table[splits == split], columns, marked, f"{path} ({split})")
        for split in ("train", "validation", "test")
    }


def table_events(
    table: pd.DataFrame, columns: Columns, marked: bool | None, name: str
) -> RawEvents:
    """Returns the events of one split; without a sequence column its rows are one sequence.

    Sequences come in the order of their first row. A sequence is observed over the window its
    columns name, else from its first to its last event.

    Raises:
        DataError: naming the missing column, or the sequence and event of a cell that is wrong.
    """
    if len(table) == 0:
        raise DataError(f"{name}: no rows; every split needs events")
    codes, labels = _sequence_codes(table, columns, name)
    # Stable: the order of rows within a sequence is the file's, and is checked later.
    table = table.iloc[np.argsort(codes, kind="stable")]
    lengths = np.bincount(codes)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    place = Place(name, offsets, labels)
    time, x, y = (
        to_numbers(find_column(table, column, name), place)
        for column in (columns.time, columns.x, columns.y)
    )
    events = RawEvents(name, time, np.stack([x, y], axis=1), None, lengths, labels=labels)
    window = observed_window(time, lengths)
    for side, column in enumerate((columns.window_start, columns.window_end)):
        if column is not None:
            values = to_numbers(find_column(table, column, name), place)
            window[:, side] = _constant(values, offsets, column, place)
    return replace(events, mark=_table_marks(table, columns, marked, name), window=window)


def _sequence_codes(
    table: pd.DataFrame, columns: Columns, name: str
) -> tuple[NDArray[np.int64], list[object] | None]:
    if columns.sequence is None:
        return np.zeros(len(table), dtype=np.int64), None
    column = find_column(table, columns.sequence, name)
    with reading(Path(name), f"a table (column {columns.sequence!r})"):
        codes, labels = pd.factorize(column)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DataError(
            f"{name}, row {row}: column {columns.sequence!r} is empty; say which sequence the "
            "event belongs to"
        )
    return codes, list(labels)


def _table_marks(
    table: pd.DataFrame, columns: Columns, marked: bool | None, name: str
) -> NDArray | None:
    """Returns marks as numbers, or as an object array of text with None where missing."""
    if marked is False:
        return None
    if columns.mark is None:
        if marked:
            raise DataError(f"{name}: marked data need the name of the mark column: columns.mark")
        return None
    column = find_column(table, columns.mark, name)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    text = column.astype(object).where(column.notna(), None)
    return np.array([None if value is None else str(value) for value in text], dtype=object)


def find_column(table: pd.DataFrame, column: str, name: str) -> pd.Series:
    """Returns a table's one column of that name; a DataError says which there are instead."""
    times = list(table.columns).count(column)
    if times == 1:
        return table[column]
    if times > 1:
        raise DataError(f"{name}: {times} columns are called {column!r}; give each its own name")
    nearest = difflib.get_close_matches(column, table.columns, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise DataError(
        f"{name}: no column {column!r}; {hint}it has {', '.join(map(repr, table.columns[:20]))}. "
        "Name the columns under columns"
    )


def to_numbers(column: pd.Series, place: Place) -> NDArray[np.float64]:
    """Returns (E,) floats, NaN where a cell is empty; text that spells a number is one."""
    cells = column.astype(object).where(column.notna(), np.nan).to_numpy()
    try:
        return cells.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        row = next(row for row, cell in enumerate(cells) if not _is_number(cell))
    raise DataError(
        f"{place(row)}: column {column.name!r} holds {str(cells[row])[:40]!r}, which is not a "
        "number"
    )


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _constant(
    values: NDArray[np.float64], offsets: NDArray[np.int64], column: str, place: Place
) -> NDArray[np.float64]:
    """Returns (M,) the one finite value each sequence has in all of its rows."""
    first = np.repeat(values[offsets[:-1]], np.diff(offsets))
    wrong = (values != first) | ~np.isfinite(values)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{place(row)}: column {column!r} is {values[row]:g} here and {first[row]:g} in the "
            "sequence's first row; a window is one pair of finite numbers for a sequence"
        )
    return values[offsets[:-1]]
