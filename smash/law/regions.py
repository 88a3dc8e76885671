"""Regions of highest density that hold a share of samples in the plane, as polygons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from contourpy import ContourGenerator, FillType, contour_generator
from numpy.typing import NDArray

from smash.blocks import event_blocks
from smash.data.geography import LENGTHS, TURN, Geography
from smash.law.date_line import on_the_map, signed_area

Floats = NDArray[np.float64]

GRID = 100
"""Points of the density's grid in each direction."""
MARGIN = 4.0
"""How far the grid reaches beyond the samples, in bandwidths."""
RIDGE = 1e-9
"""Share of the mean variance added to each, so that points on a line keep a bandwidth."""


@dataclass(frozen=True)
class Region:
    """Where the location lies with probability `level`, on the plane of `geography`.

    `polygons`: each a tuple of closed rings (V, 2), the outer one, then its holes. There are none
    where all samples are one point.
    """

    level: float
    polygons: tuple[tuple[Floats, ...], ...]
    geography: Geography = LENGTHS

    def geometry(self) -> dict[str, Any]:
        """Returns the region as a GeoJSON geometry (RFC 7946: outer rings anticlockwise).

        Where places are longitude and latitude it is in these, and cut at the date line.
        """
        wound = [[_wound(ring, i == 0) for i, ring in enumerate(p)] for p in self.polygons]
        if self.geography.geographic:
            wound = [
                list(piece)
                for polygon in wound
                for piece in on_the_map([self._degrees(ring) for ring in polygon])
            ]
        rings = [[ring.tolist() for ring in polygon] for polygon in wound]
        return {"type": "MultiPolygon", "coordinates": rings}

    def _degrees(self, ring: Floats) -> Floats:
        """Returns a ring in degrees that goes around the Earth no more than once."""
        degrees, cut = self.geography.degrees(ring), self.geography.cut
        if cut is not None and np.ptp(degrees[:, 0]) > TURN:
            degrees[:, 0] = np.clip(degrees[:, 0], cut, cut + TURN)
        return degrees

    @property
    def area(self) -> float:
        """The region's area, in the square of the plane's unit: km² where it was projected."""
        return sum(
            abs(signed_area(ring)) * (1 if i == 0 else -1)
            for polygon in self.polygons
            for i, ring in enumerate(polygon)
        )


def density_regions(
    location: Floats,
    levels: Sequence[float],
    held: Sequence[float] | None = None,
    geography: Geography = LENGTHS,
) -> list[Region]:
    """Returns the regions of `levels`, each bounded by a contour of the samples' kernel density.

    The kernel is Gaussian with Scott's bandwidth. The contour's height is the quantile of the
    samples' densities, each taken from the others alone: a sample sits on a kernel of its own,
    which would make regions too small (see `smash.scores.calibration.region_level`).

    Args:
        location: (S, 2) samples.
        levels: nominal shares, which the regions carry.
        held: shares of the samples the regions are made to hold, where they differ.
        geography: how people write places of the plane that the samples lie on.
    """
    centre, root = _whitening(location)
    if not root.any():
        return [Region(level, (), geography) for level in levels]
    white = np.linalg.solve(root, (location - centre).T)  # the kernel is exp(-|a - b|²) here
    x, y = (np.linspace(w.min() - MARGIN, w.max() + MARGIN, GRID) for w in white)
    along_x, along_y = (
        np.exp(-((axis[:, None] - w) ** 2)) for axis, w in zip((x, y), white, strict=True)
    )
    own = _density_of_others(white)
    contours = contour_generator(x, y, along_y @ along_x.T, fill_type=FillType.OuterOffset)
    heights = [float(np.quantile(own, 1 - share)) for share in held or levels]
    return [
        Region(level, _filled(contours, height, centre, root), geography)
        for level, height in zip(levels, heights, strict=True)
    ]


def _density_of_others(white: NDArray) -> Floats:
    """Returns (S,) densities at samples (2, S) in the kernel's units, each of the others alone."""
    n_samples = white.shape[1]
    summed = np.empty(n_samples)
    for rows in event_blocks(n_samples, n_samples):
        apart = ((white[:, rows, None] - white[:, None, :]) ** 2).sum(axis=0)
        summed[rows] = np.exp(-apart).sum(axis=1)
    return (summed - 1) * n_samples / (n_samples - 1)


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
    return ring if (signed_area(ring) > 0) == outer else ring[::-1]
