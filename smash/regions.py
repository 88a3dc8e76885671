"""Regions of highest density that hold a share of samples in the plane, as polygons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from contourpy import ContourGenerator, FillType, contour_generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID = 100
"""Points of the density's grid in each direction."""
MARGIN = 4.0
"""How far the grid reaches beyond the samples, in bandwidths."""
RIDGE = 1e-9
"""Share of the mean variance added to each, so that points on a line keep a bandwidth."""


@dataclass(frozen=True)
class Region:
    """Where the location lies with probability `level`, in raw units.

    `polygons`: each a tuple of closed rings (V, 2), the outer one, then its holes. There are none
    where all samples are one point.
    """

    level: float
    polygons: tuple[tuple[Floats, ...], ...]

    def geometry(self) -> dict[str, Any]:
        """Returns the region as a GeoJSON geometry (RFC 7946: outer rings anticlockwise)."""
        rings = [[_wound(ring, i == 0).tolist() for i, ring in enumerate(p)] for p in self.polygons]
        return {"type": "MultiPolygon", "coordinates": rings}

    @property
    def area(self) -> float:
        """The region's area, in the square of the unit of length."""
        return sum(
            abs(_signed_area(ring)) * (1 if i == 0 else -1)
            for polygon in self.polygons
            for i, ring in enumerate(polygon)
        )


def density_regions(
    location: Floats, levels: Sequence[float], held: Sequence[float] | None = None
) -> list[Region]:
    """Returns the regions of `levels`, each bounded by a contour of the samples' kernel density.

    The kernel is Gaussian with Scott's bandwidth. The contour's height is the quantile of the
    samples' densities, each taken from the others alone: a sample sits on a kernel of its own,
    which would make regions too small (see `smash.scores.calibration.region_level`).

    Args:
        location: (S, 2) samples.
        levels: nominal shares, which the regions carry.
        held: shares of the samples the regions are made to hold, where they differ.
    """
    centre, root = _whitening(location)
    if not root.any():
        return [Region(level, ()) for level in levels]
    white = np.linalg.solve(root, (location - centre).T)  # the kernel is exp(-|a - b|²) here
    x, y = (np.linspace(w.min() - MARGIN, w.max() + MARGIN, GRID) for w in white)
    along_x, along_y = (
        np.exp(-((axis[:, None] - w) ** 2)) for axis, w in zip((x, y), white, strict=True)
    )
    apart = ((white[:, :, None] - white[:, None, :]) ** 2).sum(axis=0)
    own = (np.exp(-apart).sum(axis=1) - 1) * len(location) / (len(location) - 1)
    contours = contour_generator(x, y, along_y @ along_x.T, fill_type=FillType.OuterOffset)
    return [
        Region(level, _filled(contours, float(np.quantile(own, 1 - share)), centre, root))
        for level, share in zip(levels, held or levels, strict=True)
    ]


def _filled(
    contours: ContourGenerator, threshold: float, centre: Floats, root: Floats
) -> tuple[tuple[Floats, ...], ...]:
    """Returns the polygons where the density is above a threshold, in raw units."""
    # Of OuterOffset: points and offsets of their rings, a pair a polygon.
    filled: Any = contours.filled(max(threshold, 1e-12), np.inf)
    pieces, offsets = filled
    return tuple(
        tuple(centre + ring @ root.T for ring in np.split(points, breaks[1:-1]))
        for points, breaks in zip(pieces, offsets, strict=True)
    )


def _whitening(location: Floats) -> tuple[Floats, Floats]:
    """Returns the centre (2,) and the matrix (2, 2) from the kernel's units to raw ones.

    The matrix is zero where all points are equal.
    """
    centre = location.mean(axis=0)
    covariance = np.cov((location - centre).T)
    variance = np.trace(covariance) / 2
    # Differences of float64 numbers this small are rounding.
    if variance <= (1e-12 * np.abs(location).max()) ** 2:
        return centre, np.zeros((2, 2))
    root = np.linalg.cholesky(covariance + RIDGE * variance * np.eye(2))
    return centre, len(location) ** (-1 / 6) * 2**0.5 * root


def _wound(ring: Floats, outer: bool) -> Floats:
    """Returns a ring anticlockwise if it is an outer one, else clockwise."""
    return ring if (_signed_area(ring) > 0) == outer else ring[::-1]


def _signed_area(ring: Floats) -> float:
    x, y = (ring - ring[0]).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)
