"""The cells that recorded values stand for: a clock's ticks, a lattice of places, or zeros alone.

A density is unbounded where values repeat exactly, so repeated values are spread over the cell
that was recorded as one number (dequantisation), and forecasts are rounded back.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from smash.settings import Resolution

Floats = NDArray[np.float64]

NEARLY_ALL = 0.99
"""Share of values that must lie on a lattice for it to be one."""
OFF = 1e-3
"""Distance from a lattice, in its cells, that rounding of decimals may explain."""
FEW = 1e-3
"""Share of positive gaps that fall to zero with the zeros' own cell."""
FINEST = 1000
"""Places of a lattice above which a coordinate is as good as continuous."""


class GapCells(NamedTuple):
    """`width` of the cells in raw units, 0 for continuous gaps.

    With `lattice` every gap n·width stands for [n, n + 1)·width; without, gaps are continuous and
    those below `width` are ties that were recorded as zero.
    """

    width: float
    lattice: bool


def gap_cells(gaps: Floats, resolution: Resolution) -> GapCells:
    """Returns the cells of gaps at a resolution in raw units, or estimated for "auto".

    Estimated: the smallest positive gap, or its half, third or quarter, where nearly all gaps are
    multiples; failing this and with zeros among the gaps, a width that few positive gaps fall
    below; else no cells.
    """
    positive = gaps[gaps > 0]
    if resolution == "none" or len(positive) == 0:
        return GapCells(0.0, False)
    if resolution != "auto":
        return GapCells(resolution, _on_lattice(gaps, resolution))
    for parts in range(1, 5):
        tick = float(positive.min()) / parts
        if _on_lattice(gaps, tick):
            # Each gap is a difference of rounded times; their middle is nearer to the tick.
            return GapCells(float(np.median(positive / np.round(positive / tick))), True)
    if len(positive) == len(gaps):
        return GapCells(0.0, False)
    return GapCells(float(np.quantile(positive, FEW)), False)


def location_cell(coordinate: Floats, resolution: Resolution) -> float:
    """Returns the width of the cells of a coordinate (E,), 0 where it is continuous.

    For "auto": the smallest distance between two values where nearly all lie on the lattice of
    that width and it has few places.
    """
    if resolution == "none":
        return 0.0
    if resolution != "auto":
        return resolution
    values = np.unique(coordinate)
    if len(values) < 2:
        return 0.0
    cell = float(np.diff(values).min())
    coarse = values[-1] - values[0] <= FINEST * cell
    return cell if coarse and _on_lattice(coordinate - values[0], cell) else 0.0


def least_distance(places: Floats) -> float:
    """Returns the least distance between two places (N, A) that differ, 0 where none do."""
    different = np.unique(places, axis=0)
    if len(different) < 2:
        return 0.0
    return float(cKDTree(different).query(different, k=[2])[0].min())


def _on_lattice(values: Floats, cell: float) -> bool:
    multiples = values / cell
    return bool(np.mean(np.abs(multiples - np.round(multiples)) < OFF) >= NEARLY_ALL)
