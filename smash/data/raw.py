"""What the readers share: events as a file has them, and one error for a file that is broken."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.data.clock import Clock
from smash.data.events import EventSequences, Place, build_sequences
from smash.data.names import codes, in_order, is_whole, listed, nearest
from smash.errors import DataError

ALL = "all"
"""What the events of a file are called that does not split them."""
MOST_KINDS = 50
"""Different marks beyond which they look like a number, or like a name for each event."""


@dataclass(frozen=True)
class RawEvents:
    """One split as its file has it, unchecked: E events in M sequences.

    `time` (E,), `location` (E, 2), or (E, 0) without places, `lengths` (M,), `magnitude` (E,) and
    `history` (M,), both None where there are none, are numbers; `mark` (E,) holds numbers, or names
    as text (None where missing), or is None for unmarked data. `window` (M, 2) is None where
    observation starts at 0. `labels` (M,) are the file's own names of its sequences.

    Of tables also: `where` says where a row stands, `clock` what a time is in the user's words,
    `notes` what was done to read them.
    """

    name: str
    time: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[Any] | None
    lengths: NDArray[np.int64]
    window: NDArray[np.float64] | None = None
    magnitude: NDArray[np.float64] | None = None
    history: NDArray[np.int64] | None = None
    labels: Sequence[object] | None = None
    where: Callable[[int], str] | None = None
    clock: Clock | None = None
    notes: tuple[str, ...] = ()

    @property
    def has_text_marks(self) -> bool:
        return self.mark is not None and self.mark.dtype.kind == "O"

    def build(self) -> EventSequences:
        """Returns the events as checked sequences; raises DataError where one is not right."""
        events = build_sequences(
            self.time,
            self.location,
            self.mark,
            self.lengths,
            self.name,
            window=self.window,
            place=self.place,
            magnitude=self.magnitude,
            history=self.history,
        )
        return replace(events, notes=self.notes)

    @property
    def place(self) -> Place:
        """Says where an event is and when, for messages."""
        offsets = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)
        return Place(self.name, offsets, self.labels, self.where, self.clock)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turns whatever a parser raises on a missing or broken file into a DataError naming it."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; check the path") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or "no reason given"
        raise DataError(
            f"{path}: cannot be read as {what} ({type(error).__name__}: {reason}); "
            "the file may be truncated or of another kind"
        ) from error


def observed_window(time: NDArray[np.float64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns (M, 2) first and last event time of each sequence (0, 0 for an empty one)."""
    window = np.zeros((len(lengths), 2))
    ends = np.cumsum(lengths)
    occupied = lengths > 0
    window[occupied, 0] = time[(ends - lengths)[occupied]]
    window[occupied, 1] = time[ends[occupied] - 1]
    return window


def build_splits(
    raw: Mapping[str, RawEvents], given: tuple[str, ...] = ()
) -> tuple[dict[str, EventSequences], tuple[str, ...]]:
    """Returns the checked splits and the names of their marks (empty for numbers without names).

    Marks given as text are numbered by their names, in the order `given` or sorted over all splits,
    so that a name means the same mark in each. Marks of pickles and NPZ files are numbers from 0,
    whose names `given` lists.

    Raises:
        DataError: naming file and row, or sequence and event, as `build_sequences` does.
    """
    texts = [events for events in raw.values() if events.has_text_marks]
    others = [events for events in raw.values() if not events.has_text_marks]
    for events in texts:
        _check_present(events)
    distinct = {name for events in texts for name in _marks(events)}
    as_numbers = all(map(is_whole, distinct)) and bool(others) and others[0].mark is not None
    if texts and others and not as_numbers:
        what = "no marks" if others[0].mark is None else "marks that are numbers from 0"
        raise DataError(
            f"{texts[0].name} has marks that are names and {others[0].name} has {what}; "
            "write them alike in every split"
        )
    if not texts or as_numbers:
        return {split: _spelled(events).build() for split, events in raw.items()}, given
    # Whole numbers stand for names that are none: `given` names marks 0, 1, …
    numbered = given and all(map(is_whole, distinct)) and not any(map(is_whole, given))
    if numbered:
        return {split: _spelled(events).build() for split, events in raw.items()}, given
    names = given or distinct_names(distinct, texts[0].name)
    return {split: _coded(events, names).build() for split, events in raw.items()}, names


def distinct_names(distinct: Iterable[str], name: str) -> tuple[str, ...]:
    """Returns the different names of marks, in order; a DataError where they are too many."""
    names = in_order(distinct)
    if len(names) > MOST_KINDS:
        raise DataError(
            f"{name}: {len(names)} different marks ({listed(names, 3)}); cut a number into few "
            "with --edges (data.mark_edges), name a column of kinds, or name all in data.mark_names"
        )
    return names


def _spelled(events: RawEvents) -> RawEvents:
    """Returns the events with the numbers that their marks spell."""
    return (
        replace(events, mark=_marks(events).astype(np.float64))
        if events.has_text_marks
        else (events)
    )


def _coded(events: RawEvents, names: tuple[str, ...]) -> RawEvents:
    """Returns the events with marks as places in `names`."""
    found = codes(_marks(events), names)
    if (unknown := found < 0).any():
        row = int(np.argmax(unknown))
        raise DataError(unknown_mark(events.place(row), _marks(events)[row], names))
    return replace(events, mark=found)


def unknown_mark(where: str, mark: str, names: Sequence[str]) -> str:
    """Returns the message that a mark is none of the names."""
    return f"{where}: mark {mark!r} is unknown; {nearest(mark, names)}known are {listed(names)}"


def _check_present(events: RawEvents) -> None:
    missing = np.array([name is None for name in _marks(events)], dtype=bool)
    if missing.any():
        raise DataError(f"{events.place(int(np.argmax(missing)))}: the mark is missing")


def _marks(events: RawEvents) -> NDArray[Any]:
    return np.empty(0) if events.mark is None else events.mark
