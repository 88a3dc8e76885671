"""The rows of a table as events: one reading of times, places, sequences and marks for all.

`smash data check`, specs, forecasts and the served model read their tables here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.events import no_places
from smash.data.names import codes
from smash.data.raw import unknown_mark
from smash.data.tables import Floats, Table, to_numbers
from smash.data.times import Times, read_times
from smash.errors import DataError
from smash.settings import Columns


@dataclass(frozen=True)
class Rows:
    """The events of a table, in order of time within each sequence.

    `table` has the rows in that order. `location` is (E, 2), or (E, 0) without places; `sequence`
    (E,) counts sequences in the order of their first row, whose names are `labels`, None where the
    table is one sequence. `notes` say what was done to read the table.
    """

    table: Table
    times: Times
    location: Floats
    sequence: NDArray[np.int64]
    labels: tuple[str, ...] | None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(M,) events of each sequence."""
        return np.bincount(self.sequence)

    def select(self, kept: NDArray[np.bool_]) -> "Rows":
        """Returns the rows where the mask `kept` (E,) is on; sequences are numbered anew."""
        numbers, sequence = np.unique(self.sequence[kept], return_inverse=True)
        return replace(
            self,
            table=self.table.take(np.flatnonzero(kept)),
            times=self.times.take(kept),
            location=self.location[kept],
            sequence=sequence.astype(np.int64),
            labels=None if self.labels is None else tuple(self.labels[i] for i in numbers),
        )


def read_rows(table: Table, columns: Columns) -> Rows:
    """Returns the events of a table, sorted by time where they are not; equal times stay in order.

    Raises:
        DataError: naming the row, its column and what is wrong there.
    """
    sequence, labels = np.zeros(len(table), dtype=np.int64), None
    if columns.sequence is not None:
        sequence, labels = read_sequences(table, columns.sequence)
    times = read_times(table.column(columns.time), table.where)
    location = read_places(table, columns)
    # Both sorts are stable.
    by_sequence = np.argsort(sequence, kind="stable")
    order = np.lexsort((times.order, sequence))
    same = np.diff(sequence[by_sequence]) == 0
    moved = int((np.diff(times.order[by_sequence])[same] < 0).sum())
    note = f"{moved} rows came before the row above them: sorted by time"
    return Rows(
        table.take(order),
        times.take(order),
        location[order],
        sequence[order],
        labels,
        (*table.notes, *((note,) if moved else ())),
    )


def read_places(table: Table, columns: Columns) -> Floats:
    """Returns (E, 2) the coordinates in a table; (E, 0) where `columns` name none.

    Raises:
        DataError: naming the row that holds no number, or the column that is missing.
    """
    if not columns.axes:
        return no_places(len(table))
    missing = [name for name in columns.axes if name not in table.frame.columns]
    try:
        return np.stack([table.numbers(name) for name in columns.axes], axis=1)
    except DataError as error:
        if len(missing) < len(columns.axes):
            raise
        raise DataError(
            f"{error}. If its events have no places, say so: --no-places (data.places: false)"
        ) from error


def read_sequences(table: Table, column: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Returns (E,) the sequence of each row, counted by first rows, and the sequences' names.

    Raises:
        DataError: naming the first row that names none.
    """
    found, labels = pd.factorize(table.text(column))
    if (missing := found < 0).any():
        row = int(np.argmax(missing))
        more = f" ({missing.sum()} rows are so)" if missing.sum() > 1 else ""
        raise DataError(
            f"{table.where(row)}: column {column!r} is empty{more}; say which sequence the event "
            "belongs to, or drop the row"
        )
    return found.astype(np.int64), tuple(labels)


def read_marks(table: Table, column: str) -> NDArray[np.object_]:
    """Returns (E,) the names in a column of marks.

    Raises:
        DataError: naming the row that has none.
    """
    text = table.text(column)
    missing = np.array([name is None for name in text], dtype=bool)
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{table.where(row)}: the mark (column {column!r}) is missing")
    return text


def known_marks(
    table: Table, column: str, names: Sequence[str], edges: Sequence[float] = ()
) -> NDArray[np.int64]:
    """Returns (E,) the marks of a column that holds `names`, or the number that `edges` cut.

    Raises:
        DataError: naming the row whose mark is missing or none of the names.
    """
    text = read_marks(table, column)
    found = codes(text, names)
    if edges and (found < 0).any():
        values = to_numbers(pd.Series(text))
        if np.isfinite(values).all():
            return cut(values, edges)
    if (unknown := found < 0).any():
        row = int(np.argmax(unknown))
        raise DataError(unknown_mark(table.where(row), text[row], names))
    return found


def read_edges(table: Table, column: str, edges: Sequence[float]) -> NDArray[np.int64]:
    """Returns (E,) marks of a column of numbers, cut at growing edges.

    Raises:
        DataError: naming the row that holds no number, or where edges do not grow.
    """
    if list(edges) != sorted(set(edges)):
        raise DataError(f"edges {', '.join(map(str, edges))}: give growing values")
    return cut(table.numbers(column), edges)


def cut(value: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    """Returns (E,) marks of numbers: k where edge k - 1 <= number < edge k."""
    return np.searchsorted(np.asarray(edges), value, side="right").astype(np.int64)


def edge_names(what: str, edges: Sequence[float]) -> tuple[str, ...]:
    """Returns the names of the marks that edges cut a number into."""
    between = [f"{low:g} <= {what} < {high:g}" for low, high in pairwise(edges)]
    return (f"{what} < {edges[0]:g}", *between, f"{what} >= {edges[-1]:g}")
