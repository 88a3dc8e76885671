"""What the readers share: events as a file has them, and one error for a file that is broken."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences, build_sequences
from smash.errors import DataError


@dataclass(frozen=True)
class RawEvents:
    """One split as its file has it, unchecked: E events in M sequences.

    `time` (E,), `location` (E, 2) and `lengths` (M,) are numbers; `mark` (E,) holds numbers, or
    names as text (None where missing), or is None for unmarked data. `window` (M, 2) is None where
    observation starts at 0. `labels` (M,) are the file's own names of its sequences.
    """

    name: str
    time: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[Any] | None
    lengths: NDArray[np.int64]
    window: NDArray[np.float64] | None = None
    labels: Sequence[object] | None = None

    @property
    def has_text_marks(self) -> bool:
        return self.mark is not None and self.mark.dtype.kind == "O"

    def build(self) -> EventSequences:
        """Returns the events as checked sequences; raises DataError where one is not right."""
        return build_sequences(
            self.time,
            self.location,
            self.mark,
            self.lengths,
            self.name,
            window=self.window,
            labels=self.labels,
        )


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
    raw: Mapping[str, RawEvents],
) -> tuple[dict[str, EventSequences], tuple[str, ...]]:
    """Returns the checked splits and the names of their marks (empty for numbers).

    Marks given as text are numbered by their sorted names over all splits, so that a name means
    the same mark in each; where all of the text reads as numbers, these are the marks.

    Raises:
        DataError: naming file, sequence and event, as `build_sequences` does.
    """
    names = _mark_names(list(raw.values()))
    return {split: _number_marks(events, names).build() for split, events in raw.items()}, names


def _mark_names(splits: Sequence[RawEvents]) -> tuple[str, ...]:
    texts = [events for events in splits if events.has_text_marks]
    others = [events for events in splits if not events.has_text_marks]
    if texts and others:
        what = "no marks" if others[0].mark is None else "marks written as numbers"
        raise DataError(
            f"{texts[0].name} has marks written as text and {others[0].name} has {what}; "
            "write them alike in every split"
        )
    for events in texts:
        _check_present(events)
    names = {name for events in texts for name in _marks(events)}
    return () if all(map(_is_number, names)) else tuple(sorted(names))


def _number_marks(events: RawEvents, names: tuple[str, ...]) -> RawEvents:
    """Returns the events with marks as numbers: places in `names`, or the numbers they spell."""
    if not events.has_text_marks:
        return events
    if not names:
        return replace(events, mark=_marks(events).astype(np.float64))
    code = {name: k for k, name in enumerate(names)}
    return replace(events, mark=np.array([code[name] for name in _marks(events)], dtype=np.int64))


def _check_present(events: RawEvents) -> None:
    missing = np.array([name is None for name in _marks(events)], dtype=bool)
    if missing.any():
        # A missing mark is NaN to `build_sequences`, whose message says where it is.
        replace(events, mark=np.where(missing, np.nan, 0.0)).build()


def _marks(events: RawEvents) -> NDArray[Any]:
    return np.empty(0) if events.mark is None else events.mark


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
