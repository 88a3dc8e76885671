"""Where a preset of Seahorse expects the next event: its own densities and draws, in raw units."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smash.law.draws import numpy_generator
from smash.law.next_event_law import PlacePart

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

GRID = 64
"""Cells a side of the grid that places are drawn from where a preset has no exact draws."""
GRID_GAPS = 4
"""Gaps of an event at which that grid is computed; each draw takes the nearest to its own."""
ROWS = 64
"""Grids in memory at a time."""


@dataclass(frozen=True)
class RivalPlaces(PlacePart):
    """Places of N events after the events `last` (N,) of the sequence that was `prepared`.

    Gaps beyond `longest`, such as of what never comes, count as this.
    """

    adapter: Any
    prepared: Any
    last: Integers
    longest: float
    by_mark = False

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        n, q = gap.shape
        after = np.repeat(self.last, q)
        points = place.reshape(n * q, 1, 2)
        found = self.adapter.spatial_logpdf(
            self.prepared, np.zeros_like(after), after, self._times(gap).ravel(), points
        )
        return np.asarray(found, dtype=np.float64).reshape(n, q)

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        numbers = numpy_generator(generator)
        if self.adapter.spatial_sampler == "fine_grid":
            return self._drawn_from_grids(gap, numbers)
        n, s = gap.shape
        after = np.repeat(self.last, s)
        places, _ = self.adapter.sample_space(
            self.prepared, np.zeros_like(after), after, self._times(gap).ravel(), numbers
        )
        return np.asarray(places, dtype=np.float64).reshape(n, s, 2)

    def _drawn_from_grids(self, gap: Floats, numbers: np.random.Generator) -> Floats:
        """Returns (N, S, 2) draws, those of an event in groups of like gaps."""
        n, s = gap.shape
        places = np.empty((n, s, 2))
        order = np.argsort(gap, axis=1)
        for part in np.array_split(np.arange(s), min(GRID_GAPS, s)):
            columns = order[:, part]
            times = np.take_along_axis(self._times(gap), columns, axis=1)
            middle = times[:, len(part) // 2]
            for start in range(0, n, ROWS):
                rows = slice(start, start + ROWS)
                drawn = self._from_grid(self.last[rows], middle[rows], len(part), numbers)
                places[np.arange(n)[rows, None], columns[rows]] = drawn
        return places

    def _from_grid(
        self, after: Integers, time: Floats, n_draws: int, numbers: np.random.Generator
    ) -> Floats:
        """Returns (R, n_draws, 2) places drawn evenly within cells chosen by their probability."""
        first = np.zeros_like(after)
        share = self.adapter._grid_probs(self.prepared, first, after, time, GRID).cumsum(axis=1)
        uniform = numbers.random((len(after), n_draws)) * share[:, -1:]
        cell = np.stack([np.searchsorted(a, u) for a, u in zip(share, uniform, strict=True)])
        cell = np.minimum(cell, GRID * GRID - 1)
        within = np.stack([cell // GRID, cell % GRID], axis=-1) + numbers.random((*cell.shape, 2))
        unit = within / GRID
        to_raw = getattr(self.adapter, "_unscale_locs", None) or self.adapter._unhat
        return np.asarray(to_raw(unit), dtype=np.float64)

    def _times(self, gap: Floats) -> Floats:
        """Returns (N, S) times on the sequence's clock."""
        return self.prepared.times[0][self.last][:, None] + np.minimum(gap, self.longest)
