"""Marks whose law does not depend on the gap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.law.next_event_law import MarkPart

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FixedMarks(MarkPart):
    """p(k) = `probability` (N, K) whatever the gap."""

    probability: Floats

    def log_probability(self, gap: Floats) -> Floats:
        shape = (*gap.shape, self.probability.shape[1])
        return np.broadcast_to(np.log(self.probability)[:, None], shape)


def frequencies(mark: Integers, n_marks: int, smoothing: float) -> Floats:
    """Returns (K,) shares of the marks, each counted `smoothing` events more than it occurred."""
    counts = np.bincount(mark, minlength=n_marks) + smoothing
    return counts / counts.sum()
