"""From which magnitude on a catalogue is complete, and how magnitudes are distributed above it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH = 0.1
"""Cells in which magnitudes are counted, unless they are rounded more coarsely."""
CORRECTION = 0.2
"""Added to the fullest cell, which lies below completeness (J. Woessner, S. Wiemer 2005)."""
FIT = 0.95
"""Share of the counts that the law of Gutenberg and Richter has to explain."""
FEWEST = 30
"""Magnitudes above a threshold without which nothing is said of their law."""
LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class Completeness:
    """`curvature` and `fit`: the completeness by either way, `fit` None where no threshold does.

    `b` of magnitudes from `magnitude` on, and its standard `error`; `below` is their share below.
    """

    curvature: float
    fit: float | None
    b: float
    error: float
    below: float

    @property
    def magnitude(self) -> float:
        """The greater of both: what is complete by either way."""
        return self.curvature if self.fit is None else max(self.curvature, self.fit)


def b_value(magnitude: Floats, completeness: float, width: float = 0.0) -> tuple[float, float]:
    """Returns b of magnitudes from `completeness` on, in cells of `width`, and its error.

    b = log10 e / (mean − completeness + width / 2) (K. Aki 1965; T. Utsu 1966), with the error of
    Y. Shi, B. A. Bolt (BSSA 72 (1982) 1677-1687). NaN where fewer than two are left or all are one.
    """
    least = completeness - width / 2
    above = magnitude[magnitude >= least - 1e-9]
    if len(above) < 2 or above.mean() <= least:
        return float("nan"), float("nan")
    b = 1 / (LN10 * (above.mean() - least))
    error = LN10 * b**2 * above.std() / np.sqrt(len(above) - 1)
    return float(b), float(error)


def completeness(magnitude: Floats, width: float = WIDTH) -> Completeness | None:
    """Returns from where on magnitudes (E,) look complete; None where there are too few.

    By maximum curvature, the fullest cell + 0.2, and by goodness of fit, the least threshold above
    which cumulative counts differ by 5 % or less from the law of Gutenberg and Richter (S. Wiemer,
    M. Wyss, BSSA 90 (2000) 859-869).
    """
    if len(magnitude) < FEWEST:
        return None
    cell = np.round(magnitude / width).astype(np.int64)
    low = int(cell.min())
    counts = np.bincount(cell - low)
    curvature = (low + int(np.argmax(counts))) * width + CORRECTION
    fit = next(
        (
            (low + i) * width
            for i in range(len(counts))
            if counts[i:].sum() >= FEWEST and _explained(counts[i:], width) >= FIT
        ),
        None,
    )
    found = max(curvature, fit or -np.inf)
    b, error = b_value(magnitude, found, width)
    below = float(np.mean(magnitude < found - width / 2))
    rounded = None if fit is None else round(fit, 6)
    return Completeness(round(curvature, 6), rounded, b, error, below)


def _explained(counts: NDArray[np.int64], width: float) -> float:
    """Returns which share of cumulative counts from the first cell on the law explains."""
    place = np.arange(len(counts))
    mean = (counts * place).sum() / counts.sum() * width
    b = 1 / (LN10 * (mean + width / 2))
    expected = counts.sum() * 10 ** (-b * width * place)
    seen = counts[::-1].cumsum()[::-1]
    return float(1 - np.abs(seen - expected).sum() / seen.sum())
