"""Event sequences in raw units: the container, its targets, and the checks at its door."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smash.errors import DataError
from smash.settings import MOST_MARKS

LARGEST = 1e20
"""Largest time or coordinate: nanoseconds since 1970 have 19 digits."""

if TYPE_CHECKING:
    from smash.data.clock import Clock


@dataclass(frozen=True)
class EventSequences:
    """M sequences of E events in all, ragged, in raw units and float64.

    `time` (E,) never decreases within a sequence; `location` is (E, D), D = 2, or 0 for events
    without places; `mark` (E,) counts from 0 and is None for unmarked data. Sequence i holds the
    rows `offsets[i]:offsets[i + 1]`, observed over `window[i]` = (start, end). `magnitude` (E,) is
    a number that each event carries beside its mark, as an earthquake does; None where events have
    none. The first `history[i]` events of a sequence are history alone and no targets; None: the
    first one. `name` stands in error messages. `dropped` sequences with `dropped_events` in all
    were too short to be kept; `notes` say what was done to read the events.
    """

    time: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None
    offsets: NDArray[np.int64]
    window: NDArray[np.float64]
    name: str = "events"
    magnitude: NDArray[np.float64] | None = None
    history: NDArray[np.int64] | None = None
    dropped: int = field(default=0, compare=False)
    dropped_events: int = field(default=0, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        return len(self.time)

    @property
    def n_axes(self) -> int:
        """D, the coordinates of a place: 2, or 0 for events without places."""
        return self.location.shape[1]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(M,) events a sequence."""
        return np.diff(self.offsets)

    @cached_property
    def sequence(self) -> NDArray[np.int64]:
        """(E,) the sequence each event belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def gap(self) -> NDArray[np.float64]:
        """(E,) time since the previous event; since the window's start for a first event."""
        gap = np.diff(self.time, prepend=0.0)
        first = self._first
        gap[first] = self.time[first] - self.window[self.lengths > 0, 0]
        return gap

    @cached_property
    def relative_time(self) -> NDArray[np.float64]:
        """(E,) time since the start of the event's own window."""
        return self.time - self.window[self.sequence, 0]

    @cached_property
    def is_target(self) -> NDArray[np.bool_]:
        """(E,) True for all events that are not history alone, as the first of a sequence is."""
        return self.event >= self.n_history[self.sequence]

    @property
    def n_history(self) -> NDArray[np.int64]:
        """(M,) the events at the start of each sequence that are no targets, at least one."""
        if self.history is None:
            return np.ones(len(self), dtype=np.int64)
        return np.maximum(self.history, 1)

    @cached_property
    def event(self) -> NDArray[np.int64]:
        """(E,) the place of each event in its sequence, from 0."""
        return np.arange(self.n_events) - self.offsets[self.sequence]

    @property
    def _first(self) -> NDArray[np.int64]:
        """The first events, one a sequence; an empty sequence has none."""
        return self.offsets[:-1][self.lengths > 0]

    def select(self, indices: NDArray[np.integer] | list[int] | range) -> "EventSequences":
        """Returns the sequences `indices`, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        ranges = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices]
        rows = np.concatenate(ranges) if ranges else np.empty(0, dtype=np.int64)
        return replace(
            self.with_rows(rows, self.lengths[indices]),
            history=None if self.history is None else self.history[indices],
            window=self.window[indices],
        )

    def with_rows(
        self, rows: NDArray[np.integer], lengths: NDArray[np.integer]
    ) -> "EventSequences":
        """Returns sequences of `lengths` (M,) with the events `rows`, over the same windows."""
        history = None
        if self.history is not None:
            first = self.sequence[rows[~self.is_target[rows]]]
            history = np.bincount(first, minlength=len(self))
        return replace(
            self,
            time=self.time[rows],
            location=self.location[rows],
            mark=None if self.mark is None else self.mark[rows],
            magnitude=None if self.magnitude is None else self.magnitude[rows],
            history=history,
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        )

    def without_marks(self) -> "EventSequences":
        """Returns the same events with their marks left out."""
        return replace(self, mark=None)

    def without_places(self) -> "EventSequences":
        """Returns the same events with their places left out."""
        return replace(self, location=no_places(self.n_events))

    def targets(self) -> "Targets":
        """Returns what is forecast: every event that is not history alone."""
        rows = np.flatnonzero(self.is_target)
        return Targets(
            sequence=self.sequence[rows],
            event=self.event[rows],
            time=self.time[rows],
            gap=self.gap[rows],
            location=self.location[rows],
            mark=None if self.mark is None else self.mark[rows],
            magnitude=None if self.magnitude is None else self.magnitude[rows],
        )


@dataclass(frozen=True)
class Targets:
    """N events to be forecast, in raw units; `sequence` and `event` (N,) say which they are.

    Their places `location` are (N, D), as in `EventSequences`.
    """

    sequence: NDArray[np.int64]
    event: NDArray[np.int64]
    time: NDArray[np.float64]
    gap: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None
    magnitude: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.gap)

    def __getitem__(self, rows: slice | NDArray) -> "Targets":
        return Targets(
            self.sequence[rows],
            self.event[rows],
            self.time[rows],
            self.gap[rows],
            self.location[rows],
            None if self.mark is None else self.mark[rows],
            None if self.magnitude is None else self.magnitude[rows],
        )


def no_places(n_events: int) -> NDArray[np.float64]:
    """Returns the locations (E, 0) of events without places."""
    return np.empty((n_events, 0))


def build_sequences(
    time: NDArray,
    location: NDArray,
    mark: NDArray | None,
    lengths: NDArray | list[int],
    name: str,
    window: NDArray | None = None,
    labels: Sequence[object] | None = None,
    fewest: int = 2,
    place: "Place | None" = None,
    magnitude: NDArray | None = None,
    history: NDArray | list[int] | None = None,
) -> EventSequences:
    """Returns checked sequences; those with fewer than `fewest` events are dropped and counted.

    Args:
        time: (E,) raw times, sequence after sequence.
        location: (E, 2) raw locations, or (E, 0) of events without places.
        mark: (E,) marks from 0, or None.
        lengths: (M,) events a sequence, summing to E.
        name: file and split, for error messages.
        window: (M, 2) start and end of observation; by default from 0 to the last event.
        labels: (M,) what the file calls its sequences, for error messages; by default 0, 1, …
        fewest: two events make a target; a history to forecast from may have fewer.
        place: says where an event is where `name` and `labels` do not tell enough.
        magnitude: (E,) a number that each event carries, or None.
        history: (M,) events at the start of each sequence that are no targets; by default the
            first.

    Raises:
        DataError: naming file, sequence and event (both from 0), or the row of a table, and what
            is wrong there.
    """
    time = np.asarray(time, dtype=np.float64)
    location = np.asarray(location, dtype=np.float64)
    location = location if location.ndim == 2 else location.reshape(-1, 2)
    lengths = np.asarray(lengths, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if not len(time) == len(location) == offsets[-1]:
        raise DataError(
            f"{name}: {len(time)} times, {len(location)} locations and {offsets[-1]} events in "
            "sequences; these counts must agree"
        )
    place = place or Place(name, offsets, labels)
    _check_finite(time, location, place)
    if mark is not None:
        mark = _checked_marks(np.asarray(mark), place)
    if window is None:
        last = np.where(lengths > 0, time[np.maximum(offsets[1:] - 1, 0)] if len(time) else 0.0, 0)
        window = np.stack([np.zeros(len(lengths)), last], axis=1)
    window = np.asarray(window, dtype=np.float64).reshape(-1, 2)
    if magnitude is not None:
        magnitude = _checked_magnitudes(np.asarray(magnitude, dtype=np.float64), place)
    ahead = None if history is None else np.asarray(history, dtype=np.int64)
    sequences = EventSequences(time, location, mark, offsets, window, name, magnitude, ahead)
    _check_order(sequences, place)
    keep = np.flatnonzero(lengths >= np.maximum(sequences.n_history + fewest - 1, fewest))
    if len(keep) == 0:
        raise DataError(
            f"{name}: no sequence has two events or more, so there is nothing to forecast; "
            "check the split and the sequence column"
        )
    if len(keep) < len(lengths):
        dropped = len(lengths) - len(keep), int(lengths.sum() - lengths[keep].sum())
        sequences = replace(sequences.select(keep), dropped=dropped[0], dropped_events=dropped[1])
    return sequences


def spread_subset(sequences: EventSequences, most: int) -> EventSequences:
    """Returns at most `most` sequences, evenly spread over all; 0 means all."""
    if most == 0 or most >= len(sequences):
        return sequences
    return sequences.select(np.linspace(0, len(sequences) - 1, most).round().astype(np.int64))


def check_variation(sequences: EventSequences, time_unit: str = "time units") -> None:
    """Checks that gaps and both coordinates, if any, vary, as their scaling needs.

    Raises:
        DataError: naming the file, the quantity that never varies, the likely cause and what to do.
    """
    gap = sequences.gap[sequences.is_target]
    if gap.min() == gap.max():
        raise DataError(f"{sequences.name}: {_constant_gap(sequences, float(gap[0]), time_unit)}")
    for what, values in zip(("first", "second"), sequences.location.T, strict=False):
        if values.min() == values.max():
            raise DataError(
                f"{sequences.name}: the {what} coordinate is {values[0]:g} for every event; it "
                "must vary, as it is scaled by its range. Check the columns"
            )


def _constant_gap(sequences: EventSequences, gap: float, unit: str) -> str:
    if gap == 0:
        n_times = len(np.unique(sequences.time))
        return (
            f"the gap between events is 0 for every event: the {sequences.n_events} events of the "
            f"training data have {n_times} different times, one in each sequence or window, as "
            "dates without a time of day have. Give the time of day, or windows that hold several "
            "dates (--window)"
        )
    return (
        f"the gap between events is {gap:.6g} {unit} for every event, as of a clock that ticks: "
        "there is nothing to forecast of when the next one comes. Name the column of when events "
        "happened (--time, columns.time), not that of a regular recording or of a row's number"
    )


@dataclass(frozen=True)
class Place:
    """Says where an event is, for messages: file, sequence (label or number), event from 0.

    A table's rows are what `where` calls them; a `clock` says times in the user's words.
    """

    name: str
    offsets: NDArray[np.int64]
    labels: Sequence[object] | None = None
    where: Callable[[int], str] | None = None
    clock: "Clock | None" = None

    def __call__(self, row: int) -> str:
        if self.where is not None:
            return self.where(row)
        sequence = int(np.searchsorted(self.offsets, row, side="right")) - 1
        label = sequence if self.labels is None else self.labels[sequence]
        return f"{self.name}, sequence {label}, event {row - self.offsets[sequence]}"

    def moment(self, time: float) -> str:
        """Returns a time as the data had it."""
        return str(time) if self.clock is None else self.clock.said(time)


def _check_finite(time: NDArray, location: NDArray, place: Place) -> None:
    values = np.column_stack([time, location])
    bad = ~(np.abs(values) <= LARGEST)
    if not bad.any():
        return
    row, column = np.argwhere(bad)[0]
    what = ("time", "first coordinate", "second coordinate")[column]
    value = values[row, column]
    if not np.isfinite(value):
        raise DataError(f"{place(row)}: {what} is {value}; give a finite number or drop the event")
    raise DataError(
        f"{place(row)}: {what} is {value:g}; no clock or map gives numbers beyond {LARGEST:g}, so "
        "take another unit or drop the event"
    )


def _checked_magnitudes(magnitude: NDArray, place: Place) -> NDArray[np.float64]:
    wrong = ~(np.abs(magnitude) <= LARGEST)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{place(row)}: magnitude is {magnitude[row]}; give a finite number or drop the event"
        )
    return magnitude


def _checked_marks(mark: NDArray, place: Place) -> NDArray[np.int64]:
    wrong = ~(np.isfinite(mark) & (mark >= 0) & (mark == np.floor(mark)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{place(row)}: mark is {mark[row]}; marks are whole numbers from 0")
    beyond = mark >= MOST_MARKS
    if beyond.any():
        row = int(np.argmax(beyond))
        raise DataError(
            f"{place(row)}: mark is {mark[row]:.0f}; marks are kinds of events, numbered from 0 to "
            f"{MOST_MARKS - 1} at most, as each is forecast a probability. Number the kinds one "
            "after another, or cut a number such as a magnitude into a few"
        )
    return mark.astype(np.int64)


def _check_order(sequences: EventSequences, place: Place) -> None:
    decreasing = (sequences.gap < 0) & sequences.is_target
    if decreasing.any():
        row = int(np.argmax(decreasing))
        before, after = sequences.time[row - 1], sequences.time[row]
        raise DataError(
            f"{place(row)}: time {place.moment(after)} comes after {place.moment(before)}; sort "
            "the events of each sequence"
        )
    first = sequences.offsets[:-1][sequences.lengths > 0]
    early = first[sequences.gap[first] < 0]
    if len(early):
        row = int(early[0])
        raise DataError(
            f"{place(row)}: time {place.moment(sequences.time[row])} lies before its window's "
            f"start {place.moment(sequences.window[sequences.sequence[row], 0])}"
        )
    occupied = sequences.lengths > 0
    last = sequences.time[sequences.offsets[1:][occupied] - 1]
    late = np.flatnonzero(last > sequences.window[occupied, 1])
    if len(late):
        row = int(sequences.offsets[1:][occupied][late[0]] - 1)
        raise DataError(
            f"{place(row)}: time {place.moment(sequences.time[row])} lies after its window's end "
            f"{place.moment(sequences.window[occupied][late[0], 1])}"
        )
