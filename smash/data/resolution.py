"""The cells that recorded values stand for: a clock's ticks, a lattice of places, or zeros alone.

A density is unbounded where values repeat exactly, so repeated values are spread over the cell
that was recorded as one number (dequantisation), and forecasts are rounded back.
"""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from smash.data.events import EventSequences
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


NO_CELLS = GapCells(0.0, False)
"""Of gaps that are continuous."""


def gap_cells(gaps: Floats, resolution: Resolution) -> GapCells:
    """Returns the cells of gaps at a resolution in raw units, or estimated for "auto".

    Estimated: the smallest positive gap, or its half, third or quarter, where nearly all gaps are
    multiples; failing this and with zeros among the gaps, a width that few positive gaps fall
    below; else no cells.
    """
    positive = gaps[gaps > 0]
    if resolution == "none" or len(positive) == 0:
        return NO_CELLS
    if resolution != "auto":
        return GapCells(resolution, _on_lattice(gaps, resolution))
    for parts in range(1, 5):
        tick = float(positive.min()) / parts
        if _on_lattice(gaps, tick):
            # Each gap is a difference of rounded times; their middle is nearer to the tick.
            return GapCells(float(np.median(positive / np.round(positive / tick))), True)
    if len(positive) == len(gaps):
        return NO_CELLS
    return GapCells(float(np.quantile(positive, FEW)), False)


def tie_cells(gaps: Floats) -> GapCells:
    """Returns the cells of a clock that recorded some gaps as 0; none where no gap is 0."""
    return gap_cells(gaps, "auto") if (gaps == 0).any() else NO_CELLS


def spread_ties(sequences: EventSequences, cells: GapCells) -> EventSequences:
    """Returns the events with no two of a sequence at one time, for laws without ties.

    Those at one time are spread evenly over the clock's cell, or up to the next event if that is
    sooner; where `cells` are none, over the shortest gap of their sequence.
    """
    if not (sequences.gap[sequences.event > 0] == 0).any():
        return sequences
    time = sequences.time.astype(np.float64)
    for start, end in pairwise(sequences.offsets):
        time[start:end] += _shifts(time[start:end], cells.width)
    return replace(sequences, time=time)


def _shifts(time: Floats, width: float) -> Floats:
    """Returns by how much (L,) times that do not fall are to be later, so that no two are alike."""
    moments, group, count = np.unique(time, return_inverse=True, return_counts=True)
    room = np.append(np.diff(moments), np.inf)
    within = np.minimum(room, width or np.min(np.diff(moments), initial=1.0))
    turn = np.arange(len(time)) - np.searchsorted(time, time)
    return turn / count[group] * within[group]


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
