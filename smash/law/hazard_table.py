"""Gaps whose cumulative hazard is known at some of them, straight in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.data.resolution import GapCells
from smash.law.next_event_law import TimePart

Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Share of a tick by which a gap of whole ticks may be too short."""


@dataclass(frozen=True)
class HazardTable(TimePart):
    """Laws of N gaps with log S(τ) = -Λ(τ), Λ being `hazard` (N, G) at the gaps `at` (G,).

    `at` rises from 0. Between two of them, and beyond the last, events come at a steady rate;
    where that is 0 beyond the last, some never come.
    """

    at: Floats
    hazard: Floats

    def __len__(self) -> int:
        return len(self.hazard)

    def log_density(self, gap: Floats) -> Floats:
        place = self._place(gap)
        rate = np.take_along_axis(self._rates(), place, axis=1)
        with np.errstate(divide="ignore"):
            return np.where(gap < 0, -np.inf, np.log(rate)) + self.log_survival(gap)

    def log_survival(self, gap: Floats) -> Floats:
        place = self._place(gap)
        rate = np.take_along_axis(self._rates(), place, axis=1)
        known = np.take_along_axis(self.hazard, place, axis=1)
        with np.errstate(invalid="ignore"):  # 0 times infinity: none comes beyond the last
            beyond = np.where(rate > 0, rate * (gap - self.at[place]), 0.0)
        return -(known + np.maximum(beyond, 0.0))

    def _place(self, gap: Floats) -> NDArray[np.int64]:
        """Returns (N, Q) the last of the table's gaps that is not beyond each gap."""
        place = np.searchsorted(self.at, gap, side="right") - 1
        return np.clip(place, 0, len(self.at) - 1)

    def _rates(self) -> Floats:
        """Returns (N, G) the rate after each of the table's gaps."""
        rates = np.maximum(np.diff(self.hazard, axis=1), 0.0) / np.diff(self.at)
        return np.concatenate([rates, rates[:, -1:]], axis=1)


@dataclass(frozen=True)
class ClockedTimes(TimePart):
    """Gaps as a clock records those of the continuous `law` (see `smash.data.resolution`).

    Those below a tick are recorded as 0, which has their probability. On a lattice a gap of n ticks
    stands for [n, n + 1) ticks, and has their mean density.
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
            later = np.where(gap < width, -np.inf, self.law.log_density(gap))
            return np.where(gap == 0, at_once, later)
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
