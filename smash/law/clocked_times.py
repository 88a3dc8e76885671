"""Gaps as a clock records those of a continuous law: short ones as ties."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.data.resolution import GapCells
from smash.law.next_event_law import TimePart

Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Share of a tick by which a gap of whole ticks may be too short."""


def clocked(law: TimePart, cells: GapCells) -> TimePart:
    """Returns the laws of gaps as a clock with `cells` records them; themselves where it has none.

    A continuous law has no probability of a tie. Its density at 0 would stand beside the
    probabilities of laws that know ties, and be the greater the shorter the tick.
    """
    return ClockedTimes(law, cells) if cells.width else law


@dataclass(frozen=True)
class ClockedTimes(TimePart):
    """Gaps as a clock records those of the continuous `law` (see `smash.data.resolution`).

    Those below a tick are recorded as 0, which has their probability; the few that are not count
    as 0 too. On a lattice a gap of n ticks stands for [n, n + 1) ticks, and has their mean density.
    """

    law: TimePart
    cells: GapCells

    def __len__(self) -> int:
        return len(self.law)

    @property
    def cell(self) -> float:  # type: ignore[override]
        return self.cells.width if self.cells.lattice else 0.0

    def log_density(self, gap: Floats) -> Floats:
        width = self.cells.width
        at_once = np.log(np.maximum(self.law.cdf(np.full_like(gap, width)), 1e-300))
        if not self.cells.lattice:
            return np.where(gap < width, at_once, self.law.log_density(gap))
        low = self._ticks(gap) * width
        within = np.exp(self.law.log_survival(low)) - np.exp(self.law.log_survival(low + width))
        return np.where(low == 0, at_once, np.log(np.maximum(within, 1e-300) / width))

    def log_survival(self, gap: Floats) -> Floats:
        width = self.cells.width
        if self.cells.lattice:
            gap = (np.floor(gap / width + ROUNDING) + 1) * width
        return self.law.log_survival(np.maximum(gap, width))

    def log_intensity(self, gap: Floats) -> Floats:
        """Returns (N, Q) the log rate of the continuous law."""
        return self.law.log_intensity(gap)

    def at_log_survival(self, log_survival: Floats) -> Floats:
        gap, width = self.law.at_log_survival(log_survival), self.cells.width
        if not self.cells.lattice:
            return np.where(gap < width, 0.0, gap)
        finite = np.isfinite(gap)
        return np.where(finite, np.floor(np.where(finite, gap, 0.0) / width) * width, np.inf)

    def _ticks(self, gap: Floats) -> Floats:
        return np.round(gap / self.cells.width)
