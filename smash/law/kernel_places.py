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
    """A Gaussian kernel density on `points` (P, D), which have the shares `weight` (P,).

    A draw is one of the points plus a step of covariance h² times the points' own, with Scott's
    h = P^(-1/(D + 4)) (D. W. Scott, Multivariate Density Estimation, 1992), P counting repeated
    points as often as they occur. `step` (D, D) turns standard normal numbers into such steps.
    Without places, D = 0, all points are one and its density is 1.
    """

    points: Floats
    weight: Floats
    step: Floats

    @property
    def n_axes(self) -> int:
        """D."""
        return self.points.shape[1]

    @classmethod
    def of(cls, points: Floats) -> "KernelDensity":
        """Returns the density on `points` (P, D).

        Where all lie on a line or a point, they are spread across it by a thousandth of the
        longer side (or of 1), so that there is a density.
        """
        n_axes = points.shape[1]
        if not n_axes:
            return cls(points[:1], np.ones(1), np.empty((0, 0)))
        covariance = np.cov(points.T, bias=True).reshape(n_axes, n_axes)
        variance, direction = np.linalg.eigh(covariance)
        least = (FLATTEST * np.sqrt(variance.max())) ** 2 or FLATTEST**2
        root = direction * np.sqrt(np.maximum(variance, least))
        distinct, counts = np.unique(points, axis=0, return_counts=True)
        return cls(distinct, counts / len(points), len(points) ** (-1 / (n_axes + 4)) * root)

    def log_density(self, place: Floats) -> Floats:
        """Returns (...) the log densities of places (..., D)."""
        n_axes = self.n_axes
        whiten = np.linalg.inv(self.step).T
        # Squares are multiplied out, which is exact enough about the points' own centre.
        middle = self.weight @ self.points
        every = place.reshape(int(np.prod(place.shape[:-1])), n_axes)
        centre, flat = (self.points - middle) @ whiten, (every - middle) @ whiten
        offset = np.log(self.weight) - 0.5 * (centre**2).sum(axis=1)
        found = np.empty(len(flat))
        for rows in event_blocks(len(flat), len(centre)):
            found[rows] = log_sum_exp(flat[rows] @ centre.T + offset)
        found -= 0.5 * (flat**2).sum(axis=1)
        constant = n_axes / 2 * np.log(2 * np.pi) + np.linalg.slogdet(self.step)[1]
        return (found - constant).reshape(place.shape[:-1])

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns draws (*shape, D) in the points' unit."""
        chosen = numbers.choice(len(self.points), size=shape, p=self.weight)
        return self.points[chosen] + numbers.standard_normal((*shape, len(self.step))) @ self.step.T


@dataclass(frozen=True)
class KernelPlaces(PlacePart):
    """Places of N events around `origin` (N, D): a density of offsets from there.

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
        numbers, place = numpy_generator(generator), np.empty((*gap.shape, self.origin.shape[1]))
        for rows, density in self._groups():
            shape = (int(rows.sum()), gap.shape[1])
            place[rows] = self.origin[rows, None] + density.draw(shape, numbers)
        return place

    def _groups(self) -> list[tuple[NDArray[np.bool_], PlaceDensity]]:
        group = np.zeros(len(self.origin), np.int64) if self.group is None else self.group
        return [(group == i, density) for i, density in enumerate(self.densities)]
