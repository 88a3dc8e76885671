"""Places by a Gaussian kernel density, around fixed points or moved with each event."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks
from smash.law.draws import numpy_generator
from smash.law.log_density import log_sum_exp
from smash.law.next_event_law import PlacePart
from smash.law.place_densities import PlaceDensity

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FLATTEST = 1e-3
"""Least spread across a line of points, in spreads along it."""


@dataclass(frozen=True)
class KernelDensity:
    """A Gaussian kernel density on `points` (P, 2), which have the shares `weight` (P,).

    A draw is one of the points plus a step of covariance h² times the points' own, with Scott's
    h = P^(-1/6) (D. W. Scott, Multivariate Density Estimation, 1992), P counting repeated points
    as often as they occur. `step` (2, 2) turns standard normal pairs into such steps.
    """

    points: Floats
    weight: Floats
    step: Floats

    @classmethod
    def of(cls, points: Floats) -> "KernelDensity":
        """Returns the density on `points` (P, 2).

        Where all lie on a line or a point, they are spread across it by a thousandth of the
        longer side (or of 1), so that there is a density.
        """
        covariance = np.cov(points.T, bias=True).reshape(2, 2)
        variance, direction = np.linalg.eigh(covariance)
        least = (FLATTEST * np.sqrt(variance.max())) ** 2 or FLATTEST**2
        root = direction * np.sqrt(np.maximum(variance, least))
        distinct, counts = np.unique(points, axis=0, return_counts=True)
        return cls(distinct, counts / len(points), len(points) ** (-1 / 6) * root)

    def log_density(self, place: Floats) -> Floats:
        """Returns (...) the log densities of places (..., 2)."""
        whiten = np.linalg.inv(self.step).T
        # Squares are multiplied out, which is exact enough about the points' own centre.
        middle = self.weight @ self.points
        centre, flat = (self.points - middle) @ whiten, (place.reshape(-1, 2) - middle) @ whiten
        offset = np.log(self.weight) - 0.5 * (centre**2).sum(axis=1)
        found = np.empty(len(flat))
        for rows in event_blocks(len(flat), len(centre)):
            found[rows] = log_sum_exp(flat[rows] @ centre.T + offset)
        found -= 0.5 * (flat**2).sum(axis=1)
        constant = np.log(2 * np.pi) + np.linalg.slogdet(self.step)[1]
        return (found - constant).reshape(place.shape[:-1])

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns draws (*shape, 2) in the points' unit."""
        chosen = numbers.choice(len(self.points), size=shape, p=self.weight)
        return self.points[chosen] + numbers.standard_normal((*shape, 2)) @ self.step.T


@dataclass(frozen=True)
class KernelPlaces(PlacePart):
    """Places of N events around `origin` (N, 2): a density of offsets from there.

    With `group` (N,) each event has the density of that number among `densities`.
    """

    densities: tuple[PlaceDensity, ...]
    origin: Floats
    group: Integers | None = None
    by_mark = False

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        found = np.empty(place.shape[:2])
        for rows, density in self._groups():
            found[rows] = density.log_density(place[rows] - self.origin[rows, None])
        return found

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        numbers, place = numpy_generator(generator), np.empty((*gap.shape, 2))
        for rows, density in self._groups():
            shape = (int(rows.sum()), gap.shape[1])
            place[rows] = self.origin[rows, None] + density.draw(shape, numbers)
        return place

    def _groups(self) -> list[tuple[NDArray[np.bool_], PlaceDensity]]:
        group = np.zeros(len(self.origin), np.int64) if self.group is None else self.group
        return [(group == i, density) for i, density in enumerate(self.densities)]
