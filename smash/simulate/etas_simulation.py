"""Catalogues of an ETAS process, exactly: generation by generation, many at once.

What comes in a stretch of time is a Poisson cluster process (Hawkes, Oakes 1974): spontaneous
events, what past ones are still to set off, and all that these set off in turn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from smash.data.events import EventSequences, build_sequences
from smash.data.region import Region
from smash.errors import ForecastError
from smash.law.magnitudes import GutenbergRichter
from smash.law.place_densities import PlaceDensity
from smash.simulate.etas_process import EtasParameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Shaken:
    """E events of several catalogues: `path` (E,), `time` (E,), `location` (E, 2), `magnitude`."""

    path: Integers
    time: Floats
    location: Floats
    magnitude: Floats

    def __len__(self) -> int:
        return len(self.path)

    def __getitem__(self, rows: NDArray) -> "Shaken":
        return Shaken(self.path[rows], self.time[rows], self.location[rows], self.magnitude[rows])


@dataclass(frozen=True)
class EtasProcess:
    """An ETAS process with all its parts; beyond a `region` there are no events.

    `background` is the density b, which lies within the region.
    """

    parameters: EtasParameters
    background: PlaceDensity
    magnitudes: GutenbergRichter
    region: Region | None = None

    def within(self, place: Floats, area: Floats) -> Floats:
        """Returns (L,) the share of offspring within the region, parents having D = `area`."""
        if self.region is None:
            return np.ones(len(place))
        square, turn = self.region.rays(place)
        rest = self.parameters.q - 1
        share = (turn * -np.expm1(-rest * np.log1p(square / area[:, None]))).sum(axis=1)
        return np.clip(share, 1e-12, 1.0)

    def simulate(
        self, start: float, end: float, numbers: Generator, max_events: int = 1_000_000
    ) -> EventSequences:
        """Returns one catalogue over [start, end], nothing having happened before.

        Raises:
            ForecastError: when there are more than `max_events` events.
        """
        nothing = Shaken(np.empty(0, np.int64), np.empty(0), np.empty((0, 2)), np.empty(0))
        events = self.futures(nothing, start, end, 1, numbers, max_events)
        return build_sequences(
            events.time,
            events.location,
            None,
            [len(events)],
            "simulated ETAS",
            window=np.array([[start, end]]),
            magnitude=events.magnitude,
        )

    def futures(
        self,
        past: Shaken,
        start: float,
        end: float,
        n_paths: int,
        numbers: Generator,
        max_events: int,
    ) -> Shaken:
        """Returns what comes in (start, end] after `past` events, which all paths share.

        In order of path and time.

        Raises:
            ForecastError: when a path has more than `max_events` events.
        """
        newest = _together(
            [
                self._spontaneous(start, end, n_paths, numbers),
                self._offspring(past, start, end, numbers, n_paths),
            ]
        )
        generations = [newest]
        counts = np.bincount(newest.path, minlength=n_paths)
        while len(newest):
            if counts.max() > max_events:
                raise ForecastError(
                    f"ETAS: over {max_events} events within {end - start:g} of one path; the "
                    "process is explosive: its branching ratio is near or above 1"
                )
            newest = self._offspring(newest, start, end, numbers)
            counts += np.bincount(newest.path, minlength=n_paths)
            generations.append(newest)
        every = _together(generations)
        return every[np.lexsort((every.time, every.path))]

    def _spontaneous(self, start: float, end: float, n_paths: int, numbers: Generator) -> Shaken:
        counts = numbers.poisson(self.parameters.mu * (end - start), n_paths)
        path = np.repeat(np.arange(n_paths), counts)
        n = len(path)
        return Shaken(
            path,
            start + (end - start) * numbers.random(n),
            self.background.draw((n,), numbers),
            self.magnitudes.drawn((n,), numbers),
        )

    def _offspring(
        self, parents: Shaken, start: float, end: float, numbers: Generator, n_paths: int = 1
    ) -> Shaken:
        """Returns the children between `start` and `end`, each path having its own of `parents`."""
        o = self.parameters
        low, high = np.maximum(start - parents.time, 0.0), end - parents.time
        below = np.cumsum(o.offspring(parents.magnitude) * o.decay_integral(low, high))
        total = float(below[-1]) if len(below) else 0.0
        # As many in all as the sum of Poisson numbers, each with a parent in proportion.
        path = np.repeat(np.arange(n_paths), numbers.poisson(total, n_paths))
        parent = np.searchsorted(below, total * numbers.random(len(path)))
        n = len(path)
        delay = o.delay(low[parent], high[parent], numbers.random(n))
        location = parents.location[parent] + o.step(o.area(parents.magnitude)[parent], numbers)
        children = Shaken(
            path if n_paths > 1 else parents.path[parent],
            parents.time[parent] + delay,
            location,
            self.magnitudes.drawn((n,), numbers),
        )
        return children if self.region is None else children[self.region.holds(location)]


def _together(parts: list[Shaken]) -> Shaken:
    return Shaken(
        np.concatenate([part.path for part in parts]),
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.location for part in parts]),
        np.concatenate([part.magnitude for part in parts]),
    )
