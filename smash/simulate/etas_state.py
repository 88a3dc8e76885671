"""What ETAS knows on many paths that go on from one history: what is left of it, and what came."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks
from smash.data.events import EventSequences
from smash.law.draws import numpy_generator
from smash.law.next_event_law import NextEventLaw, PlacePart
from smash.law.state import State
from smash.simulate.etas_law import EtasLaws, EtasPlaces, EtasTimes, Past, near, set_off
from smash.simulate.etas_simulation import EtasProcess

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Finished = Callable[[EtasTimes, PlacePart], NextEventLaw]


@dataclass(frozen=True)
class Since:
    """n events that came on each of P paths after one past: `time` (P, n), `location` (P, n, 2).

    `offspring`, `within` and `area` (P, n) are as of a `Past`.
    """

    time: Floats
    location: Floats
    offspring: Floats
    within: Floats
    area: Floats

    def with_one(self, events: Past) -> "Since":
        """Returns these and one event more on each path, the P of `events`."""
        return Since(
            *(
                np.concatenate([getattr(self, name), getattr(events, name)[:, None]], axis=1)
                for name in ("time", "location", "offspring", "within", "area")
            )
        )

    def of(self, rows: Integers) -> "Since":
        """Returns those of the paths `rows`."""
        parts = (self.time, self.location, self.offspring, self.within, self.area)
        return Since(*(part[rows] for part in parts))


@dataclass(frozen=True)
class EtasPathPlaces(PlacePart):
    """Places as `EtasPlaces`, of P paths with one `past`; gaps count from `now` (P,)."""

    process: EtasProcess
    times: EtasTimes
    past: Past
    since: Since
    now: Floats
    by_mark = False

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        return self._each_by_itself().log_density(place, gap, mark)

    def _each_by_itself(self) -> EtasPlaces:
        """Returns the same places, a past a path."""

        def joined(name: str, path: int) -> Floats:
            both = getattr(self.past, name), getattr(self.since, name)[path]
            return np.concatenate(both)

        paths = tuple(
            Past(
                joined("time", i),
                joined("location", i),
                joined("offspring", i),
                joined("within", i),
                joined("area", i),
                self.past.omori,
            )
            for i in range(len(self.now))
        )
        n, count = len(self.now), len(self.past.time) + self.since.time.shape[1]
        return EtasPlaces(
            self.process, self.times, paths, np.arange(n), np.full(n, count), self.now
        )

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        numbers, process = numpy_generator(generator), self.process
        place = process.background.draw(gap.shape, numbers)
        for part in event_blocks(len(gap), gap.shape[1] * len(self.times.rate)):
            rows = np.arange(part.start, part.stop)
            event, sample, component = set_off(process, self.times, rows, gap[rows], numbers)
            around = self._parents(rows[event], component, numbers)
            place[rows[event], sample] = near(process, *around, numbers)
        return place

    def _parents(
        self, path: Integers, component: Integers, numbers: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Returns places (n, 2) and areas (n,) of parents on paths (n,), by exponentials (n,)."""
        omori, since = self.past.omori, self.since
        age = self.now[path, None] - since.time[path]
        kept = since.offspring[path] * since.within[path]
        below = (kept * np.exp(-omori.rate[component, None] * age)).cumsum(axis=1)
        whole = self.times.amplitude[path, component] / omori.weight[component]
        level = numbers.random(len(path)) * whole
        own = (below <= level[:, None]).sum(axis=1)
        n = since.time.shape[1]
        known, log_uniform = own == n, np.log(numbers.random(len(path)))
        if not len(self.past.time):  # rounding alone
            known, own = np.zeros(len(path), dtype=bool), np.minimum(own, n - 1)
        at = np.minimum(own, n - 1) if n else own
        location = since.location[path, at] if n else np.empty((len(path), 2))
        area = since.area[path, at] if n else np.empty(len(path))
        for j in np.unique(component[known]):
            rows = np.flatnonzero(known & (component == j))
            count = np.full(len(rows), len(self.past.time))
            parent = self.past.parents(j, count, log_uniform[rows])
            location[rows], area[rows] = self.past.location[parent], self.past.area[parent]
        return location, area


class EtasState(State):
    """The history once for all P paths; of each path what is left of it and the events since.

    An event more costs as much as the exponentials of its law, whatever came before.
    """

    def __init__(
        self, laws: EtasLaws, history: EventSequences, n_paths: int, finish: Finished
    ) -> None:
        """`finish` makes the law of the next event of its times and places."""
        self.laws, self.finish, self.past = laws, finish, laws.past(history)
        n_known, n_axes = history.n_events, history.n_axes
        last = history.time[-1] if n_known else history.window[0, 0]
        left = np.zeros((1, len(laws.omori.rate)))
        if n_known:
            left = self.past.amplitude(np.array([n_known - 1]))
        self.now = np.full(n_paths, float(last))
        self.amplitude = np.repeat(left, n_paths, axis=0)
        none = np.empty((n_paths, 0))
        self.since = Since(none, np.empty((n_paths, 0, n_axes)), none, none, none)

    def law(self) -> NextEventLaw:
        process, omori = self.laws.process, self.laws.omori
        times = EtasTimes(process.parameters.mu, self.amplitude, omori.rate)
        return self.finish(times, EtasPathPlaces(process, times, self.past, self.since, self.now))

    def append(
        self,
        gap: Floats,
        location: Floats,
        mark: Integers | None,
        magnitude: Floats | None = None,
    ) -> None:
        assert magnitude is not None
        self.now = self.now + gap
        came, omori = self.laws.parents(self.now, location, magnitude), self.laws.omori
        more = (came.offspring * came.within)[:, None] * omori.weight
        self.amplitude = self.amplitude * np.exp(-gap[:, None] * omori.rate) + more
        self.since = self.since.with_one(came)

    def keep(self, rows: Integers) -> None:
        self.now, self.amplitude, self.since = (
            self.now[rows],
            self.amplitude[rows],
            self.since.of(rows),
        )
