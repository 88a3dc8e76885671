"""Polygons cut at the date line and closed at the poles, as GeoJSON has them (RFC 7946, 3.1.9)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rings = tuple[Floats, ...]

HALF, TURN, POLE = 180.0, 360.0, 90.0
CORNERS = ((180.0, 90.0), (-180.0, 90.0), (-180.0, -90.0), (180.0, -90.0))
"""The map's corners in the order of its edge, anticlockwise from the lower right one."""
CORNERS_AT = (180.0, 540.0, 720.0, 1080.0)
"""How far along the edge they lie, in degrees; the last is its whole length."""
THIN = 1e-12
"""Square degrees below which a piece is rounding."""


def on_the_map(polygon: Sequence[Floats]) -> list[Rings]:
    """Returns the pieces of a polygon between longitudes -180 and 180, each with its holes.

    Rings (V, 2) are closed, the outer one first; it runs anticlockwise and holes clockwise, so that
    inside is on the left, as it is of the pieces. Longitudes may lie beyond ±180 and jump by a turn
    from one vertex to the next. A ring around a pole is closed along the map's edge.
    """
    whole: list[Floats] = []
    chains: list[Floats] = []
    for ring in polygon:
        parts = list(_parts(ring))
        (whole if np.array_equal(parts[0][0], parts[0][-1]) else chains).extend(parts)
    outer = [ring for ring in (*_stitched(chains), *whole) if signed_area(ring) > THIN]
    holes = [ring for ring in whole if signed_area(ring) < -THIN]
    return [(ring, *(hole for hole in holes if _holds(ring, hole[0]))) for ring in outer]


def signed_area(ring: Floats) -> float:
    """Returns the area inside a closed ring (V, 2), below 0 where it runs clockwise."""
    x, y = (ring - ring[0]).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def _parts(ring: Floats) -> Iterator[Floats]:
    """Yields the parts of a ring between its crossings of the date line, within [-180, 180].

    The parts of a ring that never crosses it are the ring itself.
    """
    jumps = np.round(np.diff(ring[:, 0], prepend=ring[0, 0]) / TURN)
    smooth = np.column_stack([ring[:, 0] - TURN * np.cumsum(jumps), ring[:, 1]])
    line = _with_crossings(smooth)
    strip = np.floor((line[:-1, 0] + line[1:, 0]) / (2 * TURN) + 0.5)
    # A ring around a pole ends a turn or so from where it started.
    turns = np.round((line[-1, 0] - line[0, 0]) / TURN)
    starts = np.flatnonzero(np.diff(strip, prepend=strip[-1] - turns))
    if len(starts) == 0:
        yield line - [TURN * strip[0], 0.0]
        return
    further = line[1 : starts[0] + 1] + np.array([TURN * turns, 0.0])
    *inner, last = [line[a : b + 1] for a, b in zip(starts, (*starts[1:], len(line)), strict=True)]
    for part, start in zip((*inner, np.concatenate([last, further])), starts, strict=True):
        moved = part - [TURN * strip[start], 0.0]
        moved[[0, -1], 0] = np.copysign(HALF, moved[[0, -1], 0])
        yield moved


def _with_crossings(line: Floats) -> Floats:
    """Returns a line (V, 2) with a vertex wherever it crosses the date line."""
    strip = np.floor(line[:, 0] / TURN + 0.5)
    pieces = [line[:1]]
    for i, (a, b) in enumerate(pairwise(line)):
        low, high = sorted((strip[i], strip[i + 1]))
        at = HALF + TURN * np.arange(low, high)
        at = at[(at > min(a[0], b[0])) & (at < max(a[0], b[0]))]
        if b[0] < a[0]:
            at = at[::-1]
        share = (at - a[0]) / (b[0] - a[0]) if len(at) else at
        pieces += [np.column_stack([at, a[1] + share * (b[1] - a[1])]), b[None]]
    return np.concatenate(pieces)


def _stitched(chains: list[Floats]) -> Iterator[Floats]:
    """Yields rings made of chains that start and end at the map's edge, and of the edge between.

    From the end of a chain the edge is followed anticlockwise, as inside is on the left.
    """
    starts = np.array([_along_the_edge(chain[0]) for chain in chains])
    left = set(range(len(chains)))
    while left:
        first = current = min(left)
        points: list[Floats] = []
        while True:
            left.discard(current)
            points.append(chains[current])
            end = _along_the_edge(chains[current][-1])
            ahead = np.mod(starts - end, CORNERS_AT[-1])
            following = int(np.argmin(ahead))
            points.append(_corners(end, float(ahead[following])))
            current = following
            if current not in left:
                break
        yield np.concatenate([*points, chains[first][:1]])


def _along_the_edge(point: Floats) -> float:
    """Returns how far along the map's edge a point at longitude ±180 is, anticlockwise."""
    return float(point[1] + POLE if point[0] > 0 else CORNERS_AT[1] + POLE - point[1])


def _corners(start: float, length: float) -> Floats:
    """Returns (C, 2) the corners on a stretch of the map's edge, in order."""
    ahead = [(at - start) % CORNERS_AT[-1] for at in CORNERS_AT]
    passed = sorted((a, corner) for a, corner in zip(ahead, CORNERS, strict=True) if a < length)
    return np.array([corner for _, corner in passed]).reshape(-1, 2)


def _holds(ring: Floats, point: Floats) -> bool:
    """Returns True where a ray from a point crosses a closed ring (V, 2) an odd number of times."""
    (x, y), (next_x, next_y) = ring[:-1].T, ring[1:].T
    across = (y > point[1]) != (next_y > point[1])
    x, y, next_x, next_y = x[across], y[across], next_x[across], next_y[across]
    at = x + (point[1] - y) / (next_y - y) * (next_x - x)
    return bool((at > point[0]).sum() % 2)
