"""Scores of gaps by the law's own cumulative distribution, without draws.

For a law of gaps with cumulative distribution F and the gap y that came,

    PIT = F(y-) + U (F(y) - F(y-)),        CRPS = ∫ (F(t) - [t >= y])² dt,

the latter as the integral over all thresholds t of the Brier score of "within t" (T. Gneiting,
R. Ranjan, Journal of Business & Economic Statistics 29 (2011) 411-422, eq. 5).
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from smash.law.next_event_law import TimePart

Floats = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
"""Gauss-Legendre, of the gap's logarithm, below and above the gap that came."""
FARTHER = 8.0 ** np.arange(14)
"""Multiples of a gap among which the integral's end is looked for."""
NEGLIGIBLE = 1e-5
"""Probability of a later event at the integral's end."""
SHORTEST = 1e-8
"""Share of the integral's end below which a law is taken for constant, where the gap is 0."""
EARLIEST = 1e-4
"""The same as a share of the gap that came."""
CELLS = 256
"""Cells that are summed over; beyond these they are narrow."""
JUST_BEFORE = 1 - 1e-7
"""Share of a gap that lies before it, and in the cell before it where gaps are cells."""


def law_pit(time: TimePart, gap: Floats, generator: torch.Generator) -> Floats:
    """Returns (N,) the PIT of gaps (N,), randomised where a gap has a probability of its own."""
    upper = time.cdf(gap[:, None])[:, 0]
    lower = np.where(gap > 0, time.cdf(gap[:, None] * JUST_BEFORE)[:, 0], 0.0)
    uniform = torch.rand(len(gap), generator=generator, dtype=torch.float64).numpy()
    return lower + uniform * np.maximum(upper - lower, 0.0)


def law_crps(time: TimePart, gap: Floats) -> Floats:
    """Returns (N,) the CRPS of gaps (N,) in their unit, by quadrature; lower is better.

    Infinite where the law leaves more than `NEGLIGIBLE` to events that never come. Where gaps are
    cells the first `CELLS` of these are summed over.
    """
    scale = np.where(gap > 0, gap, np.median(gap[gap > 0]) if (gap > 0).any() else 1.0)
    end = _end(time, scale)
    last = np.where(np.isfinite(end), end, scale)
    start, short = EARLIEST * scale, np.where(gap > 0, gap, SHORTEST * last)

    def missed(t: Floats) -> Floats:
        return np.exp(2 * time.log_survival(t))

    def foreseen(t: Floats) -> Floats:
        squared: Floats = time.cdf(t) ** 2
        return squared

    head = CELLS * time.cell
    above = _integral(missed, np.maximum(short, head), np.maximum(last, head))
    below = _integral(foreseen, np.maximum(start, head), np.maximum(scale, head))
    first = _first_cells(time, gap) if head else start * foreseen(start[:, None])[:, 0] * (gap > 0)
    return np.where(np.isfinite(end), first + above + np.where(gap > 0, below, 0.0), np.inf)


def _first_cells(time: TimePart, gap: Floats) -> Floats:
    """Returns (N,) the integrals over the first cells, within which a cdf stays as it is."""
    t = np.broadcast_to(np.arange(CELLS) * time.cell, (len(gap), CELLS))
    came = t >= gap[:, None] - time.cell / 2
    total: Floats = time.cell * ((time.cdf(t) - came) ** 2).sum(axis=1)
    return total


def _integral(integrand: Callable[[Floats], Floats], start: Floats, stop: Floats) -> Floats:
    """Returns (N,) the integrals from `start` to `stop` (N,) of a function of gaps (N, Q)."""
    middle, half = np.log(start * stop) / 2, np.log(stop / start) / 2
    t = np.exp(middle[:, None] + half[:, None] * NODES)
    return half * ((integrand(t) * t) @ WEIGHTS)


def _end(time: TimePart, scale: Floats) -> Floats:
    """Returns (N,) the least of `scale` (N,) times `FARTHER` that almost no gap exceeds."""
    every = scale[:, None] * FARTHER
    survived = np.exp(time.log_survival(every)) > NEGLIGIBLE
    first = survived.argmin(axis=1)
    return np.where(survived.all(axis=1), np.inf, every[np.arange(len(every)), first])
