"""Places as people write them, in degrees, and as models see them, on a plane without a seam."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.data.projection import Origin, project, unproject
from smash.errors import DataError

Floats = NDArray[np.float64]

TURN, POLE = 360.0, 90.0
EDGE_POINTS = 50
"""Points along each side of a box whose extent in degrees is asked for."""

SIDE_POINTS = 8
"""Points along each side of a polygon whose sides a projection bends."""


@dataclass(frozen=True)
class Geography:
    """How longitude and latitude become coordinates on the plane of a model.

    With an `origin` (longitude, latitude) they are projected around it, to km. With a `cut` they
    stay degrees, longitudes within [cut, cut + 360). With neither, places are no degrees but
    lengths, and written as they are.
    """

    cut: float | None = None
    origin: Origin | None = None

    @property
    def geographic(self) -> bool:
        """True where places are written as longitude and latitude."""
        return self.cut is not None or self.origin is not None

    def plane(self, location: Floats) -> Floats:
        """Returns places (..., 2) as written on the plane: in km, or in degrees without a seam."""
        if self.origin is not None:
            return project(location, self.origin)
        return location if self.cut is None else unwrapped(location, self.cut)

    def degrees(self, plane: Floats) -> Floats:
        """Returns places (..., 2) of the plane in degrees; neighbours' longitudes never jump."""
        if self.origin is not None:
            return unproject(plane, self.origin)
        if self.cut is None:
            return plane
        return np.stack([plane[..., 0], np.clip(plane[..., 1], -POLE, POLE)], axis=-1)

    def written(self, plane: Floats) -> Floats:
        """Returns places (..., 2) of the plane as people write them, longitudes in [-180, 180]."""
        return wrapped(self.degrees(plane)) if self.geographic else plane

    def box(self, region: Floats) -> Floats:
        """Returns (2, 2) least and greatest coordinates in degrees of a box (2, 2) of the plane."""
        if self.origin is None:
            return self.degrees(region)
        low, high = region
        steps = np.linspace(0, 1, EDGE_POINTS)[:, None]
        corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
        edges = [a + steps * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
        outline = self.degrees(np.concatenate(edges))
        return np.stack([outline.min(axis=0), outline.max(axis=0)])

    def outline(self, corners: Floats) -> Floats:
        """Returns the corners on the plane of a polygon (V, 2) whose sides are straight as written.

        Where places are projected, sides in degrees become curves: each is cut into `SIDE_POINTS`.
        """
        if self.origin is None:
            return self.plane(corners)
        steps = np.arange(SIDE_POINTS)[:, None] / SIDE_POINTS
        sides = zip(corners, np.roll(corners, -1, axis=0), strict=True)
        return self.plane(np.concatenate([a + steps * (b - a) for a, b in sides]))

    def read(self, location: Floats, where: Callable[[int], str]) -> Floats:
        """Returns places (E, 2) as written on the plane, after a check that they are degrees.

        Raises:
            DataError: naming by `where` the row that is beyond what degrees can be.
        """
        if not self.geographic:
            return location
        check_degrees(location, where)
        with np.errstate(invalid="ignore"):  # what is not finite is refused by whoever reads it
            return self.plane(location)


LENGTHS = Geography()
"""Places that are no degrees."""


def unwrapped(location: Floats, cut: float) -> Floats:
    """Returns places (..., 2) in degrees with longitudes in [cut, cut + 360); exact if they are."""
    longitude = location[..., 0]
    turns = np.floor((longitude - cut) / TURN)
    return np.stack([longitude - TURN * turns, location[..., 1]], axis=-1)


def wrapped(location: Floats) -> Floats:
    """Returns places (..., 2) in degrees with longitudes in [-180, 180]; exact if they are."""
    longitude = location[..., 0]
    turns = np.where(np.abs(longitude) > TURN / 2, np.floor(longitude / TURN + 0.5), 0.0)
    return np.stack([longitude - TURN * turns, location[..., 1]], axis=-1)


def widest_cut(longitude: Floats) -> float:
    """Returns the cut in the middle of the largest gap on the circle of longitudes (E,).

    The plane is then as narrow as can be, and most of the longitudes are as they were written.
    """
    around = np.unique(np.mod(longitude, TURN))
    gaps = np.diff(around, append=around[0] + TURN)
    widest = int(np.argmax(gaps))
    cut = float(np.mod(around[widest] + gaps[widest] / 2, TURN) - TURN)
    turns, counts = np.unique(np.floor((longitude - cut) / TURN), return_counts=True)
    return cut + TURN * float(turns[np.argmax(counts)])


def check_degrees(location: Floats, where: Callable[[int], str]) -> None:
    """Checks that finite places (E, 2) can be longitude (-180 to 360) and latitude in degrees.

    Raises:
        DataError: naming by `where` the first row that cannot.
    """
    low, high = (-TURN / 2, -POLE), (TURN, POLE)
    beyond = np.isfinite(location) & ((location < low) | (location > high))
    if beyond.any():
        row, part = np.argwhere(beyond)[0]
        what, limit = (("longitude", "-180 to 180, or 0 to 360"), ("latitude", "90"))[part]
        hint = (
            "are longitude (x) and latitude (y) the right way round?"
            if part
            else "if places are lengths, name their unit, such as km"
        )
        raise DataError(
            f"{where(int(row))}: {what} is {location[row, part]:g}, beyond {limit} degrees; {hint}"
        )
