"""Tables that are split already: rows of train, validation and test as raw events."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.clock import Clock
from smash.data.raw import RawEvents, observed_window
from smash.data.rows import Rows, read_edges, read_marks, read_rows
from smash.data.tables import Floats, Table
from smash.data.times import Times, read_times
from smash.errors import DataError
from smash.settings import Columns, DataSettings

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}

_TRUTHS = {"true": 1, "1": 1, "1.0": 1, "yes": 1, "false": 0, "0": 0, "0.0": 0, "no": 0}


def split_rows(table: Table, columns: Columns) -> dict[str, Rows]:
    """Returns the rows of each split of a table whose `columns.split` says which they are in.

    Raises:
        DataError: naming the file and the column, value or split that is missing or unknown.
    """
    if columns.split is None:
        raise DataError(
            f"{table.name}: one file for all splits needs the name of the column that holds train, "
            "validation or test; set columns.split, or name one file a split"
        )
    text = table.text(columns.split)
    splits = np.array([_SPLIT_WORDS.get(str(word).lower(), "") for word in text])
    if (unknown := splits == "").any():
        row = int(np.argmax(unknown))
        raise DataError(
            f"{table.where(row)}: column {columns.split!r} says {str(text[row] or '')!r}; "
            "give train, validation (or val) or test"
        )
    parts = {}
    for split in ("train", "validation", "test"):
        part = table.take(np.flatnonzero(splits == split))
        if len(part) == 0:
            raise DataError(f"{table.name} ({split}): no rows; every split needs events")
        parts[split] = read_rows(part, columns)
    return parts


def common_clock(rows: Iterable[Rows], settings: DataSettings) -> Clock:
    """Returns the clock that all splits of own data are read by.

    Raises:
        DataError: when one has timestamps and another plain numbers, or zones and another none.
    """
    first, *others = rows
    for other in others:
        kinds = [(part.times.stamps is None, part.times.zoned) for part in (first, other)]
        if kinds[0] != kinds[1]:
            words = [_kind(part.times) for part in (first, other)]
            raise DataError(
                f"{first.table.where(0)} has {words[0]} and {other.table.where(0)} {words[1]}; "
                "write them alike in every split"
            )
    if settings.time_origin:
        return Clock(settings.time_unit or "time units", settings.time_origin)
    if first.times.stamps is None:
        return Clock(settings.time_unit or "time units")
    every = [part.times.stamps for part in (first, *others) if part.times.stamps is not None]
    joined = np.concatenate([stamps.to_numpy() for stamps in every])
    return Clock.of(Times(pd.DatetimeIndex(joined, tz="UTC")), settings.time_unit)


def _kind(times: Times) -> str:
    if times.stamps is None:
        return "times that are numbers"
    return "timestamps with a zone" if times.zoned else "timestamps without a zone"


def raw_events(rows: Rows, settings: DataSettings, clock: Clock, name: str) -> RawEvents:
    """Returns the events of one split, with marks as text, or as numbers cut at edges.

    A sequence is observed over the window its columns name, else from its first to its last event.

    Raises:
        DataError: naming the missing column, or the row of a cell that is wrong.
    """
    table, columns, lengths = rows.table, settings.columns, rows.lengths
    time = clock.numbers(rows.times, table.where)
    window = observed_window(time, lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    for side, column in enumerate((columns.window_start, columns.window_end)):
        if column is not None:
            moments = read_times(table.column(column), table.where)
            values = clock.numbers(moments, table.where)
            window[:, side] = _constant(values, offsets, column, table)
    events = RawEvents(
        name,
        time,
        rows.location,
        None,
        lengths,
        window,
        labels=rows.labels,
        where=table.where,
        clock=clock,
        notes=rows.notes,
    )
    size = None if columns.magnitude is None else table.numbers(columns.magnitude)
    before = None if columns.history is None else _history(table, columns.history, offsets)
    return replace(events, mark=_marks(table, settings), magnitude=size, history=before)


def _history(table: Table, column: str, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns (M,) how many events at the start of each sequence are history alone.

    Raises:
        DataError: naming the row that says neither, or that is history after a target.
    """
    text = table.text(column)
    said = np.array([_TRUTHS.get(str(word).strip().lower(), -1) for word in text], dtype=np.int64)
    if (unknown := said < 0).any():
        row = int(np.argmax(unknown))
        raise DataError(
            f"{table.where(row)}: column {column!r} says {str(text[row] or '')!r}; give true for "
            "an event that is history alone, false for one to be forecast"
        )
    late = np.flatnonzero(np.diff(said) > 0) + 1
    late = late[~np.isin(late, offsets)]
    if len(late):
        raise DataError(
            f"{table.where(int(late[0]))}: column {column!r} says true after a false of the same "
            "sequence; what is history alone comes before what is forecast"
        )
    return np.add.reduceat(said, offsets[:-1]) if len(said) else np.zeros(0, dtype=np.int64)


def _marks(table: Table, settings: DataSettings) -> NDArray | None:
    column = settings.columns.mark
    if settings.marked is False:
        return None
    if column is None:
        if settings.marked:
            raise DataError(
                f"{table.name}: marked data need the name of the mark column: columns.mark"
            )
        return None
    if settings.mark_edges and not settings.mark_names:
        return read_edges(table, column, settings.mark_edges)
    return read_marks(table, column)


def _constant(values: Floats, offsets: NDArray[np.int64], column: str, table: Table) -> Floats:
    """Returns (M,) the one value each sequence has in all of its rows."""
    first = np.repeat(values[offsets[:-1]], np.diff(offsets))
    if (wrong := values != first).any():
        row = int(np.argmax(wrong))
        start = int(offsets[np.searchsorted(offsets, row, side="right") - 1])
        cells = table.column(column)
        raise DataError(
            f"{table.where(row)}: column {column!r} is {cells.iloc[row]} here and "
            f"{cells.iloc[start]} in the sequence's {table.noun} {table.rows[start]}; a window is "
            "one pair of times for a sequence"
        )
    return values[offsets[:-1]]


def splits_of(
    tables: Mapping[str, Rows], settings: DataSettings
) -> tuple[dict[str, RawEvents], Clock]:
    """Returns the raw events of each split, named after its table, and the clock they share."""
    if not tables:
        return {}, Clock(settings.time_unit or "time units", settings.time_origin or "")
    clock = common_clock(tables.values(), settings)
    names = [rows.table.name for rows in tables.values()]
    one_file = len(set(names)) < len(names)
    return {
        split: raw_events(
            rows,
            settings,
            clock,
            f"{rows.table.name} ({split})" if one_file else rows.table.name,
        )
        for split, rows in tables.items()
    }, clock
