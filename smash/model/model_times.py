"""The gaps and marks of a likelihood-trained model, in raw units: its time law with its scaling."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.scaling import Scaler
from smash.law.next_event_law import MarkPart, TimePart
from smash.model.time_law import TimeLaw

Floats = NDArray[np.float64]

_LEAST_GAP = 1e-300
"""Least gap that a logarithm is taken of."""


@dataclass(frozen=True)
class ModelTimes(TimePart):
    """Gaps of N events by `law`, which is in float64, on the z scale of `scaler`.

    Where gaps are cells, a gap has the probability of its cell: its density is the mean one there,
    that of a gap of zero the probability itself (see `smash.data.scaling.Scaler`).
    """

    give: Callable[[], TimeLaw]
    """Gives the law, which is asked for when it is first needed."""
    scaler: Scaler
    n_events: int

    def __len__(self) -> int:
        return self.n_events

    @property
    def cell(self) -> float:  # type: ignore[override]
        return self.scaler.gap_cell if self.scaler.gap_lattice else 0.0

    @cached_property
    def law(self) -> TimeLaw:
        return self.give()

    def log_density(self, gap: Floats) -> Floats:
        cell = self.scaler.gap_cell
        finite = np.where(np.isfinite(gap), gap, 0.0)
        if self.scaler.gap_lattice:
            steps = np.round(finite / cell)
            found = self._log_mass(steps * cell, (steps + 1) * cell)
            found = found - np.where(steps > 0, np.log(cell), 0.0)
        elif cell:
            zero = np.zeros((len(self), 1))
            at_zero = self._log_mass(zero, zero + cell)
            found = np.where(finite < cell, at_zero, self._between_cells(finite))
        else:
            found = self._between_cells(finite)
        return np.where(np.isfinite(gap), found, -np.inf)

    def log_survival(self, gap: Floats) -> Floats:
        cell = self.scaler.gap_cell
        if self.scaler.gap_lattice:
            # Scaling there and back rounds.
            gap = (np.floor(gap / cell + 1e-9) + 1) * cell
        return -_numbers(self.law.compensator_at(self._z(np.maximum(gap, cell))))

    def log_intensity(self, gap: Floats) -> Floats:
        """Returns (N, Q) the log rate at gaps (N, Q): in cells of gaps, that of when they came."""
        least = np.maximum(gap, 0.0 if self.scaler.gap_cell else _LEAST_GAP)
        z = self._z(least)
        rate = self.law.log_density(z) + self.law.compensator_at(z)
        return _numbers(rate) + self.scaler.log_gap_slope(least)

    def at_log_survival(self, log_survival: Floats) -> Floats:
        compensator = torch.from_numpy(-np.minimum(log_survival, 0.0)).to(self.law.numbers)
        gap = self.scaler.unscale_gap(_numbers((self.law.invert(compensator) + 1) / 2))
        return np.where(np.isfinite(log_survival), np.maximum(gap, 0.0), np.inf)

    def _between_cells(self, gap: Floats) -> Floats:
        """Returns the log density (N, Q) at gaps (N, Q) that are no cells."""
        least = np.maximum(gap, 0.0 if self.scaler.gap_cell else _LEAST_GAP)
        return _numbers(self.law.log_density(self._z(least))) + self.scaler.log_gap_slope(least)

    def _log_mass(self, low: Floats, high: Floats) -> Floats:
        """Returns log P(low <= gap < high) (N, Q); from 0 on, all that comes before it too."""
        first = self._z(low)
        first = torch.where(torch.from_numpy(low > 0).to(first.device), first, -torch.inf)
        return _numbers(self.law.log_mass(first, self._z(high)))

    def _z(self, gap: Floats) -> Tensor:
        """Returns the z (N, Q) of gaps (N, Q) as they are, wherever in their cells."""
        scaler = self.scaler
        if scaler.log_normalization:
            gap = np.log(np.maximum(gap + scaler.gap_cell, _LEAST_GAP))
        u = (gap - scaler.gap_low) / (scaler.gap_high - scaler.gap_low)
        return torch.from_numpy(2 * u - 1).to(self.law.numbers)


@dataclass(frozen=True)
class ModelMarks(MarkPart):
    """p(k | τ) by the law of time and mark, of a cell of gaps in its middle."""

    times: ModelTimes

    def log_probability(self, gap: Floats) -> Floats:
        law, scaler = self.times.law, self.times.scaler
        z = torch.from_numpy(2 * scaler.scale_gap(gap) - 1).to(law.numbers)
        return _numbers(law.log_mark(z))


def _numbers(value: Tensor) -> Floats:
    found: Floats = value.double().cpu().numpy()
    return found
