"""Sequences that share events, laid out on common time axes, and the units to resample them by.

Overlapping windows hold the same events at times that count from starts of their own. So events
are recognised by what does not depend on a start: two sequences overlap where three consecutive
events agree in both gaps, all locations and all marks, both gaps being positive. Single events
will not do: where clocks and places are coarse, unrelated ones agree by chance. Events without
places agree sooner, so that there as many have to as hardly ever do by chance. Sequences too short
to have such a run are the same where they are equal as a whole and chance would hardly make them
so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from smash.data.events import EventSequences

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

TICK = 1e-9
"""Times that differ by less than this share of the longest window are equal."""
STRETCHES, FEWEST_IN_STRETCH = 100, 10
"""Stretches of time that a sequence without others is resampled in, at most, and the targets that
each is to have in the mean. A two years' test of earthquakes has one a week."""
CHANCE = 0.05
"""A short sequence is a copy of another where chance gives fewer equal ones than this."""
RUN, LONGEST_RUN = 3, 50
"""Consecutive events that two sequences share where they overlap; the most that are asked for."""


@dataclass(frozen=True)
class Layout:
    """Where M sequences of E events lie among each other.

    `group` (M,): equal for sequences that share events, directly or through others. `start` (M,):
    where a sequence's window starts on the time axis of its group, whose first one starts at 0.
    `event` (E,): equal for the same event seen through several windows. `unit` (E,): what a
    bootstrap resamples as one: a sequence that shares nothing; of a chain of overlapping windows,
    a stretch of its axis as long as its longest window, so that all copies of an event stay
    together; of a sequence that is the only one, a stretch of time.
    """

    group: Integers
    start: Floats
    event: Integers
    unit: Integers

    def is_repeat(self, rows: Integers) -> NDArray[np.bool_]:
        """Returns (N,) for the events `rows` (N,) whether one before it in `rows` is the same."""
        _, first = np.unique(self.event[rows], return_index=True)
        repeat = np.ones(len(rows), dtype=bool)
        repeat[first] = False
        return repeat


def groups_of(sequences: EventSequences) -> Integers:
    """Returns (M,) the group of each sequence, from 0: those that share events have the same."""
    return lay_out(sequences).group


def lay_out(sequences: EventSequences) -> Layout:
    """Returns groups, common time axes, the same events and the units of resampling."""
    duration = np.ptp(sequences.window, axis=1)
    tick = max(TICK * float(duration.max()), np.finfo(np.float64).tiny)
    group, start = _axes(len(sequences), _offsets(sequences, tick))
    position = start[sequences.sequence] + sequences.relative_time
    # A thousand ticks, as positions add up rounded offsets.
    time = np.round(position / (1000 * tick))
    longest = np.zeros(group.max() + 1)
    np.maximum.at(longest, group, duration)
    own = group[sequences.sequence]
    alone = np.bincount(group)[own] == 1
    row = np.where(alone, np.arange(sequences.n_events), -1)
    stretch = np.where(alone, 0, position // np.where(alone, 1.0, longest[own]))
    if len(sequences) == 1:
        stretch = _stretches(position, sequences.is_target)
    return Layout(
        group,
        start,
        _numbered([row, own, time, *sequences.location.T, *_marks(sequences)]),
        _numbered([own, stretch]),
    )


def joined(parts: Sequence[EventSequences]) -> EventSequences:
    """Returns the sequences of all parts as one, in their order."""
    ends = np.cumsum([0, *(part.n_events for part in parts)])
    offsets = [part.offsets[1:] + end for part, end in zip(parts, ends, strict=False)]
    marks = [part.mark for part in parts if part.mark is not None]
    magnitudes = [part.magnitude for part in parts if part.magnitude is not None]
    return replace(
        parts[0],
        time=np.concatenate([part.time for part in parts]),
        location=np.concatenate([part.location for part in parts]),
        mark=np.concatenate(marks) if len(marks) == len(parts) else None,
        magnitude=np.concatenate(magnitudes) if len(magnitudes) == len(parts) else None,
        history=np.concatenate([part.n_history for part in parts]),
        offsets=np.concatenate([[0], *offsets]),
        window=np.concatenate([part.window for part in parts]),
    )


def _stretches(position: Floats, is_target: NDArray[np.bool_]) -> Floats:
    """Returns (E,) in which of equal stretches of time events lie, those before targets in one."""
    n = min(STRETCHES, int(is_target.sum()) // FEWEST_IN_STRETCH)
    if n < 2:
        return np.zeros(len(position))
    begin, end = position[is_target].min(), position[is_target].max()
    share = (position - begin) / max(end - begin, np.finfo(np.float64).tiny)
    return np.clip(share * n, 0, n - 1) // 1


def _offsets(sequences: EventSequences, tick: float) -> dict[tuple[int, int], float]:
    """Returns how much later one window starts than another, for pairs that share events.

    Of the sequences that share a run, neighbours suffice: they connect the others.
    """
    gap, target = sequences.gap, sequences.is_target
    ticks = np.round(gap / tick)
    places = _numbered([*sequences.location.T, *_marks(sequences)] or [np.zeros(len(gap))])
    moved = target & (gap > 0)
    length = _run_length(sequences, ticks[moved], places[moved])
    last = np.flatnonzero(_all_of_last(moved, length - 1)) + length - 1
    gaps = (ticks[last - back] for back in range(length - 1))
    run = _numbered([*gaps, *(places[last - back] for back in range(length))])
    order = np.argsort(run, kind="stable")
    rows, same = last[order], np.diff(run[order]) == 0
    earlier, later = rows[:-1][same], rows[1:][same]
    offset: dict[tuple[int, int], float] = {}
    time, sequence = sequences.relative_time, sequences.sequence
    short = np.setdiff1d(np.flatnonzero(sequences.lengths), sequence[last])
    copies = _copies(sequences, short, ticks, places)
    for a, b in np.concatenate([np.stack([earlier, later], axis=1), copies]):
        one, other = int(sequence[a]), int(sequence[b])
        if one != other:
            offset[one, other] = float(time[a] - time[b])
            offset[other, one] = float(time[b] - time[a])
    return offset


def _run_length(sequences: EventSequences, ticks: Floats, places: Integers) -> int:
    """Returns how many consecutive events are to agree where sequences overlap.

    Without places: so many that, as often as gaps `ticks` and marks `places` (E,) are equal, chance
    gives fewer than `CHANCE` such runs.
    """
    if sequences.n_axes or not len(ticks):
        return RUN
    counts = np.bincount(_numbered([ticks, places]))
    equal = float(((counts / len(ticks)) ** 2).sum())
    if equal == 1:
        return LONGEST_RUN
    gaps = np.ceil(np.log(len(ticks) ** 2 / CHANCE) / -np.log(equal))
    return int(np.clip(gaps + 1, RUN, LONGEST_RUN))


def _all_of_last(true: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Returns whether `count` values are true, for those that end with each from `count` on."""
    sums = np.concatenate([[0], np.cumsum(true)])
    return (sums[count:] - sums[:-count] == count)[1:]


def _copies(
    sequences: EventSequences, short: Integers, ticks: Floats, places: Integers
) -> Integers:
    """Returns (P, 2) first events of those of the sequences `short` that are copies, in pairs.

    `ticks` (E,) are the gaps, `places` (E,) the numbers of locations with marks. How often chance
    makes a sequence is told from how often its gaps and places occur among the different ones.
    """
    equal: dict[bytes, list[int]] = {}
    bounds = sequences.offsets
    for i in short:
        rows = slice(bounds[i], bounds[i + 1])
        equal.setdefault(ticks[rows][1:].tobytes() + places[rows].tobytes(), []).append(i)
    if len(equal) == len(short):
        return np.empty((0, 2), dtype=np.int64)
    firsts = np.array([members[0] for members in equal.values()])
    events = np.flatnonzero(np.isin(sequences.sequence, firsts))
    rarity = np.zeros(sequences.n_events)
    rarity[events] = _log_share(places[events])
    events = events[sequences.is_target[events]]
    rarity[events] += _log_share(ticks[events])
    by_chance = np.log(len(short)) + np.bincount(sequences.sequence, rarity, len(sequences))
    several = (members for members in equal.values() if by_chance[members[0]] < np.log(CHANCE))
    copies = [pair for members in several for pair in pairwise(members)]
    return bounds[np.array(copies, dtype=np.int64).reshape(-1, 2)]


def _log_share(values: NDArray) -> Floats:
    """Returns (E,) the logarithms of the shares of values that are the same."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.log(counts[number] / len(values))


def _axes(n: int, offset: dict[tuple[int, int], float]) -> tuple[Integers, Floats]:
    """Returns groups (M,) and starts (M,) of `n` sequences, from the offsets between some."""
    pairs = np.array(list(offset), dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n)).tocsr()
    _, group = connected_components(graph, directed=False)
    start = np.zeros(n)
    for several in np.flatnonzero(np.bincount(group) > 1):
        members = np.flatnonzero(group == several)
        order, before = breadth_first_order(graph, members[0], directed=False)
        for sequence in order[1:]:
            start[sequence] = start[before[sequence]] + offset[before[sequence], sequence]
        start[members] -= start[members].min()
    return group.astype(np.int64), start


def _marks(sequences: EventSequences) -> list[Integers]:
    return [] if sequences.mark is None else [sequences.mark]


def _numbered(columns: Sequence[NDArray]) -> Integers:
    """Returns (E,) numbers from 0, equal where all columns (E,) are."""
    _, number = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64)
