"""A history as a table turned into one checked sequence, in the model's own units."""

import difflib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.clock import is_timestamp
from smash.data.events import EventSequences, Place, build_sequences
from smash.data.own import cut
from smash.data.tables import find_column, to_numbers
from smash.errors import DataError, ForecastError
from smash.model import About
from smash.settings import Columns

Floats = NDArray[np.float64]
Time = float | str | pd.Timestamp
NAME = "history"
COLUMNS = Columns(mark="mark")


@dataclass(frozen=True)
class History:
    """What is known when a forecast is made: `events`, one sequence of any length, until `now`.

    No event came between the last one and `now`. Raw units.
    """

    events: EventSequences
    now: float

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

    def __len__(self) -> int:
        return self.events.n_events


def read_history(
    table: pd.DataFrame,
    about: About,
    n_marks: int,
    columns: Columns = COLUMNS,
    start: Time | None = None,
    now: Time | None = None,
    horizon: float = 0.0,
    label: object = 0,
) -> History:
    """Returns the events of a table, a row an event in order of time.

    Args:
        table: times are numbers or, where the training data's were, timestamps; marks are names
            or, where marks were cut from a number, that number, else numbers from 0. Places are
            longitude and latitude where the training data's were, projected or not.
        about: the names, units and windows of the training data.
        n_marks: K, 1 for an unmarked forecaster, which looks at no marks.
        columns: the table's columns; `sequence`, `split` and windows play no part.
        start: where the observed window starts; by default where all training windows do, else
            with the first event, but no longer ago than a training window lasts (with the horizon,
            where half a window is left).
        now: until when no further event came; by default the last event's time.
        horizon: how far will be forecast, in the data's unit of time.
        label: what the sequence is called in error messages.

    Raises:
        DataError: naming the event and what is wrong with it.
    """
    place = Place(NAME, np.array([0, len(table)]), [label])
    time = _times(table, columns, about, place)
    written = np.stack([to_numbers(find_column(table, c, NAME), place) for c in _xy(columns)], 1)
    location = about.geography.read(written, place)
    mark = _marks(table, columns, about, n_marks, place) if n_marks > 1 else None
    end = _moment(now, about, "now") if now is not None else None
    _check_past(time, end, about, place)
    begin = _moment(start, about, "start") if start is not None else about.starts_at
    if begin is None:
        begin = float(time[0]) if len(time) else end
    if begin is None:
        raise ForecastError(f"{NAME}: no events; say when the forecast is made (now)")
    if end is None:
        end = float(time[-1]) if len(time) else begin
    window = np.array([[begin, end]])
    events = EventSequences(time, location, mark, np.array([0, len(time)]), window, NAME)
    if len(time):
        events = build_sequences(
            time, location, mark, [len(time)], NAME, window, labels=[label], fewest=1
        )
    history = History(events, end)
    return history if start is not None else _recent(history, about, horizon)


def _xy(columns: Columns) -> tuple[str, str]:
    return columns.x, columns.y


def _times(table: pd.DataFrame, columns: Columns, about: About, place: Place) -> Floats:
    column = find_column(table, columns.time, NAME)
    return about.clock.numbers(column, place) if is_timestamp(column) else to_numbers(column, place)


def _moment(value: Time, about: About, what: str) -> float:
    """Returns a time given by itself as a number."""
    column = pd.Series([value])
    if is_timestamp(column):
        return float(about.clock.numbers(column, lambda row: what)[0])
    return float(value)


def _check_past(time: Floats, now: float | None, about: About, place: Place) -> None:
    """Checks that no event comes after `now`, or timestamps after the present."""
    limit = now
    if now is None and about.time_origin:
        limit = _moment(pd.Timestamp.now("UTC"), about, "now")
    if limit is None:
        return
    future = time > limit
    if future.any():
        row = int(np.argmax(future))
        when, until = about.clock.times(np.array([time[row], limit]))
        raise DataError(
            f"{place(row)}: time {when} lies after {until}, when the forecast is made; a history "
            "ends by then (set now for another moment)"
        )


def _marks(
    table: pd.DataFrame, columns: Columns, about: About, n_marks: int, place: Place
) -> NDArray[np.int64]:
    if columns.mark is None:
        raise DataError(f"{NAME}: the model knows {n_marks} marks; name the column that holds them")
    column = find_column(table, columns.mark, NAME)
    names = about.mark_names or tuple(str(k) for k in range(n_marks))
    if about.mark_edges and _all_numbers(column):
        value = to_numbers(column, place)
        _check_present(np.isnan(value), place)
        return cut(value, about.mark_edges)
    _check_present(column.isna().to_numpy(), place)
    code = {name: k for k, name in enumerate(names)}
    marks = np.array([_code(value, code, n_marks) for value in column], dtype=np.int64)
    if (unknown := marks < 0).any():
        row = int(np.argmax(unknown))
        value = column.iloc[row]
        nearest = difflib.get_close_matches(str(value), names, n=1)
        hint = f"did you mean {nearest[0]!r}? The" if nearest else "the"
        raise DataError(
            f"{place(row)}: mark {str(value)!r} is unknown; {hint} model knows "
            f"{', '.join(map(repr, names))}"
        )
    return marks


def _code(value: Any, code: dict[str, int], n_marks: int) -> int:
    """Returns the mark of a name or number, -1 where there is none."""
    if (known := code.get(str(value))) is not None:
        return known
    try:
        number = float(value)
    except (TypeError, ValueError):
        return -1
    return int(number) if number.is_integer() and 0 <= number < n_marks else -1


def _all_numbers(column: pd.Series) -> bool:
    return bool(pd.to_numeric(column, errors="coerce").notna().eq(column.notna()).all())


def _check_present(missing: NDArray[np.bool_], place: Place) -> None:
    if missing.any():
        raise DataError(f"{place(int(np.argmax(missing)))}: the mark is missing")


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
    cut_off = replace(
        events,
        time=events.time[kept],
        location=events.location[kept],
        mark=None if events.mark is None else events.mark[kept],
        offsets=np.array([0, len(events.time[kept])]),
        window=np.array([[start, history.now]]),
    )
    return replace(history, events=cut_off) if cut_off.n_events else history
