"""The cells of a map and of magnitude in which CSEP's tests count events."""

from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from smash.data.region import Region
from smash.scores.csep import Binned

Floats = NDArray[np.float64]

WIDTH = 0.1
"""Degrees of a cell, as CSEP has them for California."""
MOST_CELLS = 100
"""Cells along a side, beyond which they are wider unless a width is asked for."""


@dataclass(frozen=True)
class Grid:
    """Cells of `width` degrees between corners `low` and `high` (2,), magnitudes from `least` on.

    Magnitudes have cells of `step`, of which the last of `n_sizes` has no end. Events count within
    the polygon `region`, in degrees, where there is one.
    """

    low: Floats
    high: Floats
    least: float
    width: float = WIDTH
    region: Region | None = None
    step: float = 0.1
    n_sizes: int = 67

    @classmethod
    def over(
        cls,
        box: tuple[Floats, Floats],
        least: float,
        width: float | None = None,
        region: Region | None = None,
    ) -> "Grid":
        """Returns the cells that cover a `box` of least and greatest corners (2,).

        `width`: by default the least of 0.1, 0.2, 0.5, 1, … with 100 cells or fewer along a side.
        """
        low, high = (np.asarray(corner, dtype=np.float64) for corner in box)
        width = width or wide_enough(float((high - low).max()))
        # Corners that are whole cells but for rounding stay.
        first = np.floor(low / width + 1e-9) * width
        last = np.maximum(np.ceil(high / width - 1e-9) * width, first + width)
        return cls(first, last, least, width, region)

    @property
    def shape(self) -> tuple[int, int]:
        """How many cells there are along longitude and latitude."""
        columns, rows = np.round((self.high - self.low) / self.width).astype(int)
        return int(columns), int(rows)

    def holds(self, degrees: Floats) -> NDArray[np.bool_]:
        """Returns (E,) which longitudes and latitudes (E, 2) lie within corners and region."""
        inside = (degrees >= self.low - 1e-9) & (degrees <= self.high + 1e-9)
        within = np.asarray(inside.all(axis=1))
        return within if self.region is None else within & self.region.holds(degrees)

    def binned(self, degrees: Floats, magnitude: Floats) -> Binned:
        """Returns the cells of events at longitudes and latitudes (E, 2); edges count inwards."""
        place = np.floor((degrees - self.low) / self.width + 1e-9).astype(np.int64)
        place = np.clip(place, 0, np.array(self.shape) - 1)
        size = np.floor((magnitude - self.least) / self.step + 1e-9).astype(np.int64)
        return Binned(place @ np.array([self.shape[1], 1]), np.clip(size, 0, self.n_sizes - 1))


def wide_enough(span: float) -> float:
    """Returns the least of 0.1, 0.2, 0.5, 1, … of which `MOST_CELLS` span as much."""
    widths = (step * 10.0**power for power in count(-1) for step in (1, 2, 5))
    return next(width for width in widths if width * MOST_CELLS >= span)
