"""Marks whose law does not depend on the gap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.law.next_event_law import MarkPart

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FixedMarks(MarkPart):
    """p(k) = `probability` (N, K) whatever the gap."""

    probability: Floats

    @classmethod
    def of(cls, shares: Floats | None, n_events: int) -> "FixedMarks | None":
        """Returns the law of `shares` (K,) for each of `n_events` events; None for no shares."""
        return None if shares is None else cls(np.tile(shares, (n_events, 1)))

    def log_probability(self, gap: Floats) -> Floats:
        shape = (*gap.shape, self.probability.shape[1])
        return np.broadcast_to(np.log(self.probability)[:, None], shape)


def frequencies(mark: Integers, n_marks: int, smoothing: float) -> Floats:
    """Returns (K,) shares of the marks, each counted `smoothing` events more than it occurred."""
    counts = np.bincount(mark, minlength=n_marks) + smoothing
    return counts / counts.sum()


def training_shares(train: EventSequences, n_marks: int, smoothing: float = 0.5) -> Floats | None:
    """Returns (K,) the shares of the marks of the targets of `train`; None if unmarked."""
    mark = train.targets().mark
    return None if mark is None else frequencies(mark, n_marks, smoothing)
