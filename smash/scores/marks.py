"""Scores of mark forecasts, from the mean probabilities (N, K) and the true marks (N,)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CLIP = 1e-12
"""Least probability of the log loss, which is therefore at most 27.6 nats an event."""

BINS = 10


def log_loss(probability: Floats, mark: Integers) -> Floats:
    """Returns (N,) -log p(true mark) in nats, with p at least `CLIP`."""
    true = np.take_along_axis(probability, mark[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(true, CLIP))


def brier_score(probability: Floats, mark: Integers) -> Floats:
    """Returns (N,) the sum over marks of (p(k) - [k is true])^2, between 0 and 2."""
    true = np.take_along_axis(probability, mark[:, None], axis=1)[:, 0]
    return np.square(probability).sum(axis=1) - 2 * true + 1


def most_frequent(mark: Integers, n_marks: int) -> Integers:
    """Returns (N,) the mode of each row of `mark` (N, S); of equals, the least."""
    counts = np.stack([(mark == k).sum(axis=1) for k in range(n_marks)], axis=1)
    return counts.argmax(axis=1)


@dataclass(frozen=True)
class Reliability:
    """Events, correct events and mean confidence in each of the `BINS` bins of confidence."""

    count: Integers
    correct: Integers
    confidence: Floats

    @property
    def expected_calibration_error(self) -> float:
        """ECE: the mean over events of |accuracy - mean confidence| of an event's bin."""
        gaps = np.abs(self.correct - self.count * self.confidence)
        return float(gaps.sum() / self.count.sum())


def confidence_bin(confidence: Floats) -> Integers:
    """Returns (N,) the bin of each confidence, from 0; bins are open left and closed right."""
    edges = np.linspace(0, 1, BINS + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)


def reliability(confidence: Floats, correct: NDArray[np.bool_]) -> Reliability:
    """Returns accuracy by confidence (N,), the maximum of the mean probability, in equal bins."""
    rows = confidence_bin(confidence)
    count = np.bincount(rows, minlength=BINS)
    total = np.bincount(rows, weights=confidence, minlength=BINS)
    hits = np.bincount(rows, weights=correct, minlength=BINS).astype(np.int64)
    return Reliability(count, hits, total / np.maximum(count, 1))
