"""Targets a few sequences at a time, with what stands before each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences, Targets
from smash.errors import DataError

GROUP = 1024
"""About how many targets are forecast at a time: their samples are held in memory together."""


@dataclass(frozen=True)
class Group:
    """N targets of whole sequences; `last` (N,) are the rows of the events before them."""

    targets: Targets
    last: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.last)


def target_groups(sequences: EventSequences, size: int = GROUP) -> Iterator[Group]:
    """Yields all targets in order, whole sequences of about `size` targets together."""
    targets, last = sequences.targets(), rows_before_targets(sequences)
    ends = np.cumsum(np.maximum(sequences.lengths - sequences.n_history, 0))
    # A sequence belongs to the group in whose stretch of `size` targets it ends.
    closing = np.flatnonzero(np.diff((ends - 1) // size, append=-1))
    starts = np.concatenate([[0], ends[closing[:-1]]])
    for start, end in zip(starts, ends[closing], strict=True):
        yield Group(targets[slice(start, end)], last[start:end])


def rows_before_targets(sequences: EventSequences) -> NDArray[np.int64]:
    """Returns (N,) the row of the event before each target."""
    return np.flatnonzero(sequences.is_target) - 1


def last_rows(sequences: EventSequences) -> NDArray[np.int64]:
    """Returns (M,) the row of each sequence's last event, -1 where there is none."""
    return np.where(sequences.lengths > 0, sequences.offsets[1:] - 1, -1)


def known_marks(sequences: EventSequences, n_marks: int) -> NDArray[np.int64]:
    """Returns (E,) the marks of all events.

    Raises:
        DataError: when there are none, or one is not among the `n_marks` that were fitted.
    """
    if sequences.mark is None:
        raise DataError(
            f"{sequences.name}: the forecaster was fitted to {n_marks} marks and these events "
            "have none; load the data with their marks, or fit it without (data.marked=false)"
        )
    if (unknown := sequences.mark >= n_marks).any():
        row = int(np.argmax(unknown))
        raise DataError(
            f"{sequences.name}, event row {row}: mark {sequences.mark[row]}; the forecaster was "
            f"fitted to marks 0 to {n_marks - 1}; fit it to data that have this mark"
        )
    return sequences.mark
