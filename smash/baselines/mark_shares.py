"""Shares of marks."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def frequencies(mark: Integers, n_marks: int, smoothing: float) -> Floats:
    """Returns (K,) shares of the marks, each counted `smoothing` events more than it occurred."""
    counts = np.bincount(mark, minlength=n_marks) + smoothing
    return counts / counts.sum()
