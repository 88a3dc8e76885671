"""Gaps whose cumulative hazard is known at some of them, straight in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.law.next_event_law import TimePart

Floats = NDArray[np.float64]


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
