"""How the z of gaps and places become time and plane, and what contexts tell of past events."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from smash.data.scaling import Scaler


@dataclass(frozen=True)
class Plane:
    """How the z of gaps and places become time and plane, float32 throughout.

    The plane's units are those of the data; of longitudes and latitudes, degrees of latitude at the
    middle of the box. `unit` (2,): the plane's units in one of z.
    """

    scaler: Scaler
    unit: tuple[float, float]

    @classmethod
    def of(cls, scaler: Scaler, geographic: bool) -> "Plane":
        low, high = np.array(scaler.location_low), np.array(scaler.location_high)
        unit = (high - low) / 2
        if geographic:
            unit[0] *= math.cos(math.radians(float(low[1] + high[1]) / 2))
        return cls(scaler, (float(unit[0]), float(unit[1])))

    @property
    def cell(self) -> tuple[float, float]:
        """The cells of a lattice of places, in the plane's units; 0 for none."""
        low, high = np.array(self.scaler.location_low), np.array(self.scaler.location_high)
        cell = np.array(self.scaler.location_cell) * 2 * np.array(self.unit) / (high - low)
        return float(cell[0]), float(cell[1])

    def places(self, z: Tensor) -> Tensor:
        """Returns places (..., 2) in the plane of z (..., 2)."""
        return z * z.new_tensor(self.unit)

    def z(self, place: Tensor) -> Tensor:
        """Returns z (..., 2) of places (..., 2) in the plane."""
        return place / place.new_tensor(self.unit)

    @property
    def log_slope(self) -> float:
        """What turns the log of a density in the plane into one of z."""
        return math.log(self.unit[0] * self.unit[1])

    def magnitudes(self, told: Tensor) -> Tensor:
        """Returns the scaled magnitudes (...), or zeros, in what is told of events (..., F)."""
        return told[..., 4] if self.scaler.tells_magnitudes else torch.zeros_like(told[..., 0])

    def gaps(self, z: Tensor) -> Tensor:
        """Returns gaps (...) in raw units of z (...), not below 0."""
        scaler = self.scaler
        value = (z + 1) * ((scaler.gap_high - scaler.gap_low) / 2) + scaler.gap_low
        gap = value.exp() - scaler.gap_cell if scaler.log_normalization else value
        return gap.clamp_min(0)

    def recorded(self, gap: Tensor) -> Tensor:
        """Returns gaps (...) as they were recorded, of such as lie in their cells' middles."""
        cell = self.scaler.gap_cell
        if self.scaler.gap_lattice:
            return (gap - cell / 2).clamp_min(0)
        return torch.where(gap < cell, 0.0, gap) if cell else gap

    def pace(self, z: Tensor) -> Tensor:
        """Returns by how much gaps grow with z, at z (...); by nothing before gaps of 0."""
        scaler, half = self.scaler, (self.scaler.gap_high - self.scaler.gap_low) / 2
        value = (z + 1) * half + scaler.gap_low
        if not scaler.log_normalization:
            return torch.where(value >= 0, half, 0.0)
        counted = value.exp()
        return torch.where(counted >= scaler.gap_cell, half * counted, 0.0)


class RecentEvents(NamedTuple):
    """The last R events of N histories, the last one first; what is not `present` has no meaning.

    `gap` (N, R) before each event, `age` (N, R), how long before the last event it was, `place`
    (N, R, 2) in the plane, `mark` (N, R), 0 where events have none, `present` (N, R), `magnitude`
    (N, R), scaled, 0 where none are told.
    """

    gap: Tensor
    age: Tensor
    place: Tensor
    mark: Tensor
    present: Tensor
    magnitude: Tensor


def recent_events(
    events: Tensor, plane: Plane, per_unit: Tensor | float = 1.0, recorded: bool = False
) -> RecentEvents:
    """Returns what contexts (N, F R) tell of the last events, as many as any history has.

    Of each event they hold z (3), the mark, counted from 1, 0 where there is no event, and, where
    it is told, the scaled magnitude. Raw times come multiplied by `per_unit`. Gaps in cells are
    taken as their middles, or as `recorded`.
    """
    told = events.detach().unflatten(-1, (-1, 5 if plane.scaler.tells_magnitudes else 4))
    present = told[..., 3] > 0
    longest = max(1, int(present.sum(-1).max())) if len(told) else 1
    told, present = told[:, :longest], present[:, :longest]
    gap = plane.gaps(told[..., 0])
    gap, place = (plane.recorded(gap) if recorded else gap) * per_unit, plane.places(told[..., 1:3])
    mark = (told[..., 3].long() - 1).clamp_min(0)
    # Event i came the gaps of the events after it before the last one.
    age = F.pad(gap[:, :-1], (1, 0)).cumsum(-1)
    return RecentEvents(gap, age, place, mark, present, plane.magnitudes(told))
