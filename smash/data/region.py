"""A region of the plane: a polygon in which events are looked for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from smash.errors import DataError

Floats = NDArray[np.float64]

BEYOND = "events beyond the region"
MOST_NODES, LEAST_NODES = 64, 3
"""Angles at which what lies within a polygon is looked at: about so many in all, of each side."""


@dataclass(frozen=True)
class Region:
    """A simple polygon with `corners` (V, 2) in order, either way round, on the plane of places.

    Raises:
        DataError: when there are fewer than three corners, one is not finite, or it has no area.
    """

    corners: Floats

    def __post_init__(self) -> None:
        if self.corners.ndim != 2 or self.corners.shape[1:] != (2,) or len(self.corners) < 3:
            raise DataError("region: a polygon has three corners or more, each with two numbers")
        if not np.isfinite(self.corners).all():
            raise DataError("region: a corner is no finite number")
        if self.area == 0:
            raise DataError("region: the polygon has no area; give its corners in order")

    @cached_property
    def area(self) -> float:
        """The area in squared units of length."""
        x, y = self.corners.T
        return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)) / 2)

    @cached_property
    def box(self) -> Floats:
        """(2, 2) the least and greatest coordinates."""
        return np.stack([self.corners.min(axis=0), self.corners.max(axis=0)])

    def holds(self, place: Floats) -> NDArray[np.bool_]:
        """Returns (...) whether places (..., 2) lie within, by the parity of crossed sides."""
        x, y = place[..., 0], place[..., 1]
        inside = np.zeros(x.shape, dtype=bool)
        for (ax, ay), (bx, by) in zip(self.corners, np.roll(self.corners, -1, axis=0), strict=True):
            if ay != by:
                crossed = (ay > y) != (by > y)
                inside ^= crossed & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
        return inside

    def draw(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns (*shape, 2) places spread evenly over the polygon, by rejection from its box."""
        low, high = self.box
        place = numbers.uniform(low, high, (*shape, 2))
        while (outside := ~self.holds(place)).any():
            place[outside] = numbers.uniform(low, high, (int(outside.sum()), 2))
        return place

    def rays(self, place: Floats) -> tuple[Floats, Floats]:
        """Returns (E, R) twice, for integrals over the polygon around places (E, 2).

        The first are squared distances r² to the polygon's sides, the second signed shares w of the
        full turn, so that of a density around a place that depends on the distance alone, with the
        distribution F of distances, Σ w F(r) lies within (Gauss and Legendre's rule on each side).
        """
        start = self.corners - place[:, None]
        end = np.roll(start, -1, axis=1)
        side = end - start
        # The foot of the perpendicular on a side, and the angles of its ends seen from there.
        length = np.linalg.norm(side, axis=-1)
        cross = start[..., 0] * end[..., 1] - start[..., 1] * end[..., 0]
        height = cross / np.where(length > 0, length, 1.0)
        along = [
            (point * side).sum(axis=-1) / np.where(length > 0, length, 1.0)
            for point in (start, end)
        ]
        low, high = (np.arctan2(a, np.abs(height)) for a in along)
        node, weight = np.polynomial.legendre.leggauss(
            max(LEAST_NODES, MOST_NODES // len(self.corners))
        )
        half = (high - low) / 2
        angle = low[..., None] + half[..., None] * (1 + node)
        square = (height[..., None] / np.cos(angle)) ** 2
        turn = np.sign(height)[..., None] * half[..., None] * weight / (2 * np.pi)
        if self._clockwise:
            turn = -turn
        n_rays = square[0].size if len(place) else 0
        return square.reshape(len(place), n_rays), turn.reshape(len(place), n_rays)

    @property
    def _clockwise(self) -> bool:
        x, y = self.corners.T
        return bool(np.dot(x, np.roll(y, -1)) < np.dot(np.roll(x, -1), y))
