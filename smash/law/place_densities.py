"""Densities of places that do not depend on history: even over a region, kernels of many widths."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.spatial import KDTree

from smash.blocks import event_blocks
from smash.data.region import Region
from smash.data.resolution import least_distance
from smash.law.log_density import log_sum_exp

Floats = NDArray[np.float64]

_LOG_TWO_PI = float(np.log(2 * np.pi))
REACH = 6.0
"""Kernels beyond so many bandwidths count for nothing among points."""
NARROWEST = 1e-3
"""Least bandwidth, in median ones."""


class PlaceDensity(Protocol):
    """A density of places of its own, D = 2 unless it says otherwise."""

    def log_density(self, place: Floats) -> Floats:
        """Returns (...) the log densities of places (..., D)."""

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns (*shape, D) draws."""


@dataclass(frozen=True)
class UniformPlaces:
    """Places spread evenly over a region, and none beyond it."""

    region: Region

    def log_density(self, place: Floats) -> Floats:
        return np.where(self.region.holds(place), -np.log(self.region.area), -np.inf)

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        return self.region.draw(shape, numbers)


@dataclass(frozen=True)
class NormalPlaces:
    """A normal density with the mean and covariance of some places."""

    mean: Floats
    root: Floats

    @classmethod
    def of(cls, places: Floats) -> "NormalPlaces":
        """Returns that of places (P, 2), which do not lie on a line."""
        root = np.linalg.cholesky(np.cov(places.T))
        return cls(places.mean(axis=0), root.astype(np.float64))

    def log_density(self, place: Floats) -> Floats:
        z = (place - self.mean) @ np.linalg.inv(self.root).T
        return -0.5 * (z**2).sum(axis=-1) - _LOG_TWO_PI - np.log(np.diag(self.root)).sum()

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        return self.mean + numbers.standard_normal((*shape, 2)) @ self.root.T


@dataclass(frozen=True)
class AdaptiveKernels:
    """Gaussian kernels around `points` (P, 2), each with its own `bandwidth` (P,), and a wide part.

    b(x) = [(1 − s) Σ_i w_i N(x; x_i, h_i² I) + s wide(x)] / (what of it lies within `region`),
    w_i = `weight` (P,), normalised, s = `wide_share`: far from all points there is a density too.
    """

    points: Floats
    weight: Floats
    bandwidth: Floats
    wide: PlaceDensity
    wide_share: float
    region: Region | None = None

    def log_density(self, place: Floats) -> Floats:
        flat = place.reshape(-1, 2)
        found = np.empty(len(flat))
        with np.errstate(divide="ignore"):
            offset = np.log((1 - self.wide_share) * self.weight)
        offset = offset - 2 * np.log(self.bandwidth) - _LOG_TWO_PI
        half_precision = 0.5 / self.bandwidth**2
        for rows in event_blocks(len(flat), len(self.points)):
            square = _squares(flat[rows], self.points)
            found[rows] = log_sum_exp(offset - square * half_precision)
        wide = np.log(self.wide_share) + self.wide.log_density(flat)
        found = np.logaddexp(found, wide) - np.log(self.mass)
        if self.region is not None:
            found = np.where(self.region.holds(flat), found, -np.inf)
        return found.reshape(place.shape[:-1])

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        place = self._drawn(int(np.prod(shape)), numbers)
        if self.region is not None:
            while (outside := ~self.region.holds(place)).any():
                place[outside] = self._drawn(int(outside.sum()), numbers)
        return place.reshape(*shape, 2)

    @cached_property
    def mass(self) -> float:
        """The share of kernels and wide part that lies within the region; 1 without one."""
        if self.region is None:
            return 1.0
        square, turn = self.region.rays(self.points)
        within = (turn * -np.expm1(-0.5 * square / self.bandwidth[:, None] ** 2)).sum(axis=1)
        return float((1 - self.wide_share) * (self.weight @ within) + self.wide_share)

    def _drawn(self, n: int, numbers: np.random.Generator) -> Floats:
        chosen = numbers.choice(len(self.points), size=n, p=self.weight)
        noise = self.bandwidth[chosen, None] * numbers.standard_normal((n, 2))
        wide = numbers.random(n) < self.wide_share
        return np.where(wide[:, None], self.wide.draw((n,), numbers), self.points[chosen] + noise)


class KernelFit:
    """Adaptive kernels around places (P, 2) with weights that can be changed, quickly.

    A bandwidth is the distance to the `neighbours`-th nearest other place (J. Zhuang, Y. Ogata,
    D. Vere-Jones, Journal of the American Statistical Association 97 (2002) 369-380), and half the
    least distance of two places at least: repeated places have no density of any size. The wide
    part is even over the `region`, or normal without one.
    """

    def __init__(self, places: Floats, neighbours: int, region: Region | None = None) -> None:
        self.places, self.region = places, region
        self.wide = NormalPlaces.of(places) if region is None else UniformPlaces(region)
        self.tree = KDTree(places)
        nearest = min(neighbours, len(places) - 1) + 1
        distance = self.tree.query(places, k=nearest)[0][:, -1]
        least = NARROWEST * (np.median(distance) or float(np.ptp(places, axis=0).max()))
        least = max(least, least_distance(places) / 2)
        self.bandwidth = np.maximum(distance, least)
        self._kernel = self._between()
        self._wide = np.exp(self.wide.log_density(places))

    def others(self, weight: Floats, wide_share: float) -> tuple[Floats, Floats]:
        """Returns (P,) the density at each place of the others' kernels, and (P,) the wide part.

        `weight` (P,) need not be normalised; a place's own kernel says nothing of its density.
        """
        total = weight.sum() - weight
        near = self._kernel @ weight / np.where(total > 0, total, 1.0)
        return (1 - wide_share) * near, wide_share * self._wide

    def density(self, weight: Floats, wide_share: float) -> AdaptiveKernels:
        """Returns the density that places of such weights make."""
        share = weight / weight.sum()
        return AdaptiveKernels(
            self.places, share, self.bandwidth, self.wide, wide_share, self.region
        )

    def _between(self) -> coo_array:
        """Returns (P, P) kernels of the second place at the first, none of a place at itself."""
        rows = self.tree.query_ball_point(self.places, REACH * self.bandwidth)
        of = np.repeat(np.arange(len(self.places)), [len(r) for r in rows])
        at = np.concatenate([np.asarray(r, dtype=np.int64) for r in rows])
        at, of = at[at != of], of[at != of]
        square = ((self.places[at] - self.places[of]) ** 2).sum(axis=1) / self.bandwidth[of] ** 2
        value = np.exp(-0.5 * square - _LOG_TWO_PI) / self.bandwidth[of] ** 2
        return coo_array((value, (at, of)), shape=(len(self.places),) * 2).tocsr()


def _squares(place: Floats, points: Floats) -> Floats:
    """Returns (Q, P) squared distances."""
    return (place[:, None, 0] - points[:, 0]) ** 2 + (place[:, None, 1] - points[:, 1]) ** 2
