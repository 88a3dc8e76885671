"""A history as a table turned into one checked sequence, in the model's own units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.events import EventSequences, Place, build_sequences
from smash.data.names import codes, listed, nearest
from smash.data.region import BEYOND, Region
from smash.data.rows import Rows, known_marks, read_rows, read_sequences
from smash.data.tables import Table
from smash.data.times import Times, Where, read_times
from smash.errors import DataError, ForecastError
from smash.model.smash import About
from smash.settings import Columns

Floats = NDArray[np.float64]
Time = float | str | pd.Timestamp
NAME = "history"
COLUMNS = Columns(mark="mark")
MOST_DECIMALS = 6


@dataclass(frozen=True)
class History:
    """What is known when a forecast is made: `events`, one sequence of any length, until `now`.

    No event came between the last one and `now`. Raw units. `notes` say what was done to read it.
    """

    events: EventSequences
    now: float
    notes: tuple[str, ...] = ()

    @property
    def start(self) -> float:
        return float(self.events.window[0, 0])

    @property
    def last(self) -> float:
        """The time of the last event, or the window's start: where the next gap begins."""
        return float(self.events.time[-1]) if len(self) else self.start

    @property
    def elapsed(self) -> float:
        """How long no event has come."""
        return self.now - self.last

    @property
    def decimals(self) -> int:
        """Digits behind the point with which places are said: the history's own, or four in all."""
        location = self.events.location
        largest = float(np.abs(location).max()) if location.size else 0.0
        least = 3 - int(np.floor(np.log10(largest))) if largest > 0 else 3
        own = (d for d in range(MOST_DECIMALS) if (np.round(location, d) == location).all())
        return max(next(own, MOST_DECIMALS), min(least, 2 * MOST_DECIMALS))

    def __len__(self) -> int:
        return self.events.n_events


def read_history(
    table: pd.DataFrame | Table,
    about: About,
    n_marks: int,
    columns: Columns | None = None,
    start: Time | None = None,
    now: Time | None = None,
    horizon: float = 0.0,
    label: object = None,
    sequence: str | None = None,
) -> History:
    """Returns the events of a table, a row an event, sorted by time where they are not.

    Args:
        table: times are numbers or, where the training data's were, timestamps; marks are names
            or, where marks were cut from a number, that number. Places are longitude and latitude
            where the training data's were, projected or not.
        about: the names, units and windows of the training data.
        n_marks: K, 1 for an unmarked forecaster, which looks at no marks.
        columns: the table's columns, by default `usual_columns`; `split` and windows play no part.
        start: where the observed window starts; by default where all training windows do, else
            with the first event, but no longer ago than a training window lasts (with the horizon,
            where half a window is left).
        now: until when no further event came; by default the last event's time.
        horizon: how far will be forecast, in the data's unit of time.
        label: what the sequence is called in error messages.
        sequence: which of the sequences in `columns.sequence`, where there are several.

    Raises:
        DataError: naming the row and what is wrong with it, or the sequences to choose from.
    """
    if not isinstance(table, Table):
        table = Table.of(table, NAME if label is None else f"{NAME}, sequence {label}")
    columns = columns or usual_columns(table, about)
    read = read_rows(_one_sequence(table, columns, sequence), replace(columns, sequence=None))
    rows, left_out = _as_in_training(read, columns, about)
    table = rows.table
    time = about.clock.numbers(rows.times, table.where)
    location = about.geography.read(rows.location, table.where)
    mark = _marks(table, columns, about, n_marks) if n_marks > 1 else None
    end = _moment(now, about, "now") if now is not None else None
    _check_past(time, end, about, table.where)
    begin = _moment(start, about, "start") if start is not None else about.starts_at
    if begin is None:
        begin = float(time[0]) if len(time) else end
    if begin is None:
        raise ForecastError(f"{table.name}: no events; say when the forecast is made (now)")
    if end is None:
        # That none but these came until the last row is known, too.
        every = about.clock.numbers(read.times, read.table.where)
        end = float(every[-1]) if len(every) else begin
    window, offsets = np.array([[begin, end]]), np.array([0, len(time)])
    magnitude = None if columns.magnitude is None else table.numbers(columns.magnitude)
    events = EventSequences(time, location, mark, offsets, window, table.name, magnitude)
    if len(time):
        place = Place(table.name, offsets, None, table.where, about.clock)
        events = build_sequences(
            time,
            location,
            mark,
            [len(time)],
            table.name,
            window,
            fewest=1,
            place=place,
            magnitude=magnitude,
        )
    history = History(events, end, (*rows.notes, *left_out))
    return history if start is not None else _recent(history, about, horizon)


def usual_columns(table: Table, about: About) -> Columns:
    """Returns the columns of the training data's own table, where this one has them.

    Else they are called `time`, `x`, `y` and `mark`, and the table is one sequence.
    """
    there, known = set(table.frame.columns), about.columns

    def found(name: str | None, usual: str) -> str:
        return name if name in there and name is not None else usual

    x, y = (found(known.x, "x"), found(known.y, "y")) if known.axes else (None, None)
    return Columns(
        found(known.time, COLUMNS.time),
        x,
        y,
        found(known.mark, "mark"),
        magnitude=known.magnitude if known.magnitude in there else None,
        sequence=known.sequence if known.sequence in there else None,
    )


def _as_in_training(rows: Rows, columns: Columns, about: About) -> tuple[Rows, tuple[str, ...]]:
    """Returns the events that training would have kept, and what to say of the others."""
    notes: list[str] = []
    if about.completeness is not None and columns.magnitude is not None:
        kept = rows.table.numbers(columns.magnitude) >= about.completeness
        what = f"events below magnitude {about.completeness:g}"
        rows = _only(rows, kept, what, notes)
    if about.region:
        plane = about.geography.read(rows.location, rows.table.where)
        rows = _only(rows, Region(np.array(about.region)).holds(plane), BEYOND, notes)
    return rows, tuple(notes)


def _only(rows: Rows, kept: NDArray[np.bool_], what: str, notes: list[str]) -> Rows:
    if kept.all():
        return rows
    notes.append(f"{int((~kept).sum())} {what} left out, as in training")
    return rows.select(kept)


def _one_sequence(table: Table, columns: Columns, wanted: str | None) -> Table:
    """Returns the rows of the sequence to forecast from.

    Raises:
        DataError: when there are several and none is chosen, or the chosen one is not there.
    """
    if columns.sequence is None:
        if wanted is not None:
            raise DataError(
                f"{table.name}: history {wanted!r} is asked for; name the column of sequences, too "
                "(--sequence)"
            )
        return table
    rows = sequence_rows(table, columns.sequence)
    names = list(rows)
    if wanted is None and len(names) <= 1:
        return table
    if wanted is None:
        raise DataError(
            f"{table.name}: column {columns.sequence!r} holds {len(names)} sequences "
            f"({listed(names, 5)}), and a forecast goes on from one; choose it with --history "
            "NAME (sequence= in Python), or take all rows as one with --sequence ''"
        )
    [place] = codes([wanted.strip()], names)
    if place < 0:
        raise DataError(
            f"{table.name}: no sequence {wanted!r} in column {columns.sequence!r}; "
            f"{nearest(wanted, names)}it has {listed(names)}"
        )
    return table.take(rows[names[place]])


def sequence_rows(table: Table, column: str) -> dict[str, NDArray[np.int64]]:
    """Returns the rows of each sequence by its name, in the order of their first rows."""
    sequence, labels = read_sequences(table, column)
    return {label: np.flatnonzero(sequence == i) for i, label in enumerate(labels)}


def read_moments(values: Sequence[Time], about: About, what: str) -> Floats:
    """Returns times (T,) given by themselves as numbers; errors name them by `what`.

    Raises:
        DataError: when one is no time, or they are not of the training data's kind.
    """
    column, compact = pd.Series(list(values), name=what), bool(about.time_origin)
    times = read_times(column, lambda row: what, compact)
    return about.clock.numbers(times, lambda row: what)


def _moment(value: Time, about: About, what: str) -> float:
    return float(read_moments([value], about, what)[0])


def _check_past(time: Floats, now: float | None, about: About, where: Where) -> None:
    """Checks that no event comes after `now`, or timestamps after the present."""
    limit = now
    if now is None and about.time_origin:
        present = Times(pd.DatetimeIndex([pd.Timestamp.now("UTC")]))
        limit = float(about.clock.numbers(present, where)[0])
    if limit is None:
        return
    future = time > limit
    if future.any():
        row = int(np.argmax(future))
        raise DataError(
            f"{where(row)}: time {about.clock.said(time[row])} lies after "
            f"{about.clock.said(limit)}, when the forecast is made; a history ends by then (set "
            "now for another moment)"
        )


def _marks(table: Table, columns: Columns, about: About, n_marks: int) -> NDArray[np.int64]:
    if columns.mark is None:
        raise DataError(
            f"{table.name}: the model knows {n_marks} marks; name the column that holds them"
        )
    names = about.mark_names or tuple(str(k) for k in range(n_marks))
    return known_marks(table, columns.mark, names, about.mark_edges)


def _recent(history: History, about: About, horizon: float) -> History:
    """Returns the history no older than training windows are long, with room for the horizon."""
    if about.window_length is None:
        return history
    room = max(about.window_length - horizon, about.window_length / 2)
    start = history.now - room
    if start <= history.start:
        return history
    events = history.events
    kept = slice(int(np.searchsorted(events.time, start)), None)
    rows = np.arange(events.n_events)[kept]
    window = np.array([[start, history.now]])
    cut_off = replace(events.with_rows(rows, np.array([len(rows)])), window=window)
    return replace(history, events=cut_off) if cut_off.n_events else history
