r"""The law of the next event of ETAS, for N histories at once.

After a gap τ without an event the intensity is μ + Σ_j A_j exp(−s_j τ), the law of Omori and Utsu
being a sum of exponentials (`smash.simulate.omori_sum`) and A_j what a history has left of each:
survival, density and draws of the gap need no more of the history. A place is the background's, or
around a parent, which is drawn by the exponential that brought the event.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks
from smash.data.events import EventSequences, Targets
from smash.law.draws import numpy_generator
from smash.law.log_density import log_sum_exp
from smash.law.next_event_law import PlacePart
from smash.simulate.etas_simulation import EtasProcess
from smash.simulate.fading_times import FadingTimes
from smash.simulate.omori_sum import OmoriSum

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class EtasTimes(FadingTimes):
    """Gaps with the intensity μ + Σ_j A_j exp(−s_j τ); `amplitude` A (N, J), `rate` s (J,)."""

    mu: float
    amplitude: Floats
    rate: Floats

    def __len__(self) -> int:
        return len(self.amplitude)

    def log_intensity(self, gap: Floats) -> Floats:
        """Returns (N, Q) the log intensity, all places together, after gaps (N, Q)."""

        def value(law: EtasTimes, gap: Floats) -> Floats:
            return np.einsum("nqj,nj->nq", np.exp(-gap[..., None] * law.rate), law.amplitude)

        return np.log(self.mu + self._by_rows(value, gap))

    def log_survival(self, gap: Floats) -> Floats:
        def value(law: EtasTimes, gap: Floats) -> Floats:
            each = -np.expm1(-gap[..., None] * law.rate)
            return -np.einsum("nqj,nj->nq", each, law.amplitude / law.rate)

        return self._by_rows(value, gap) - self.mu * gap

    def log_density(self, gap: Floats) -> Floats:
        return self.log_intensity(gap) + self.log_survival(gap)

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        """Returns (N, S) the soonest arrival of those of each exponential and the background."""
        numbers = numpy_generator(generator)
        gap = numbers.exponential(1 / self.mu, (len(self), n_samples))
        for rows in event_blocks(len(self), n_samples * len(self.rate)):
            expected = (self.amplitude[rows] / self.rate)[:, None]
            budget = numbers.exponential(size=(len(expected), n_samples, len(self.rate)))
            share = np.divide(budget, expected, out=np.ones_like(budget), where=budget < expected)
            with np.errstate(divide="ignore"):
                arrival = -np.log1p(-share) / self.rate
            gap[rows] = np.minimum(gap[rows], arrival.min(axis=-1))
        return gap

    def faded(self, elapsed: Floats) -> "EtasTimes":
        return replace(self, amplitude=self.amplitude * np.exp(-elapsed[:, None] * self.rate))

    def _by_rows(self, value: Callable[["EtasTimes", Floats], Floats], gap: Floats) -> Floats:
        found = np.empty(gap.shape)
        for rows in event_blocks(len(self), gap.shape[1] * len(self.rate)):
            found[rows] = value(replace(self, amplitude=self.amplitude[rows]), gap[rows])
        return found


@dataclass(frozen=True)
class Past:
    """L events that may be parents: `time` (L,) and `location` (L, 2).

    `offspring` (L,) is K 10^{α (m − m₀)}, `within` (L,) the share of it in the region, `area` (L,)
    the squared scale D of distances.
    """

    time: Floats
    location: Floats
    offspring: Floats
    within: Floats
    area: Floats
    omori: OmoriSum

    def amplitude(self, rows: Integers) -> Floats:
        """Returns (N, J) what is left at events `rows` (N,), growing, of these and all before."""
        found = np.zeros((len(rows), len(self.omori.rate)))
        left, start, kept = np.zeros(len(self.omori.rate)), 0, self.offspring * self.within
        for i, row in enumerate(rows):
            for k in range(start, row + 1):
                gap = self.time[k] - self.time[k - 1] if k else 0.0
                left = left * np.exp(-self.omori.rate * gap) + kept[k]
            start = max(start, row + 1)
            found[i] = left
        return found * self.omori.weight

    def log_cumulative(self, j: int) -> Floats:
        """Returns (L,) the logarithm of Σ κ_l exp(s_j t_l) up to each event."""
        if j not in self._log_cumulative:
            log = np.log(self.offspring * self.within)
            log += self.omori.rate[j] * (self.time - self.time[0])
            self._log_cumulative[j] = np.logaddexp.accumulate(log)
        return self._log_cumulative[j]

    @cached_property
    def _log_cumulative(self) -> dict[int, Floats]:
        return {}

    def parents(self, j: int, count: Integers, log_level: Floats) -> Integers:
        """Returns (n,) a parent among the first `count` (n,) events, by the exponential j.

        `log_level` (n,): logarithms of uniform numbers.
        """
        cumulative = self.log_cumulative(j)
        wanted = cumulative[count - 1] + log_level
        return np.minimum(np.searchsorted(cumulative, wanted), count - 1)


@dataclass(frozen=True)
class EtasPlaces(PlacePart):
    """Places of the background, or around one of the first `count` (N,) events of a `past`.

    `owner` (N,) says which of the `pasts`; gaps count from `now` (N,).
    """

    process: EtasProcess
    times: EtasTimes
    pasts: tuple[Past, ...]
    owner: Integers
    count: Integers
    now: Floats
    by_mark = False

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        o, found = self.process.parameters, np.empty(gap.shape)
        for i, past in enumerate(self.pasts):
            of_past = np.flatnonzero(self.owner == i)
            for part in event_blocks(len(of_past), gap.shape[1] * max(1, len(past.time))):
                rows = of_past[part]
                for columns in event_blocks(gap.shape[1], len(rows) * max(1, len(past.time))):
                    cells = np.ix_(rows, np.arange(columns.start, columns.stop))
                    found[cells] = self._log_excited(past, rows, place[cells], gap[cells])
        background = np.log(o.mu) + self.process.background.log_density(place)
        density = np.logaddexp(found, background) - self.times.log_intensity(gap)
        region = self.process.region
        return density if region is None else np.where(region.holds(place), density, -np.inf)

    def _log_excited(self, past: Past, rows: Integers, place: Floats, gap: Floats) -> Floats:
        """Returns (n, q) the log intensity that past events give at places (n, q, 2)."""
        o, most = self.process.parameters, int(self.count[rows].max(initial=0))
        if most == 0:
            return np.full(gap.shape, -np.inf)
        time, at = past.time[:most], past.location[:most]
        age = np.maximum((self.now[rows, None] + gap)[..., None] - time, 0.0)
        square = (place[..., None, 0] - at[:, 0]) ** 2 + (place[..., None, 1] - at[:, 1]) ** 2
        log = -o.p * np.log(age + o.c) + o.log_place(square, past.area[:most])
        log += np.log(past.offspring[:most])
        log[
            np.broadcast_to((np.arange(most) >= self.count[rows, None])[:, None], log.shape)
        ] = -np.inf
        return log_sum_exp(log)

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        numbers, process = numpy_generator(generator), self.process
        place = process.background.draw(gap.shape, numbers)
        for i, past in enumerate(self.pasts):
            rows = np.flatnonzero((self.owner == i) & (self.count > 0))
            for part in event_blocks(len(rows), gap.shape[1] * len(self.times.rate)):
                self._draw_near(past, rows[part], gap, place, numbers)
        return place

    def _draw_near(
        self, past: Past, rows: Integers, gap: Floats, place: Floats, numbers: np.random.Generator
    ) -> None:
        """Puts those of the `place` (N, S, 2) of `rows` that have a parent around it."""
        event, sample, component = set_off(self.process, self.times, rows, gap[rows], numbers)
        count, log_uniform = self.count[rows][event], np.log(numbers.random(len(event)))
        parent = np.zeros(len(event), dtype=np.int64)
        for j in np.unique(component):
            own = component == j
            parent[own] = past.parents(j, count[own], log_uniform[own])
        around = past.location[parent], past.area[parent]
        place[rows[event], sample] = near(self.process, *around, numbers)


def set_off(
    process: EtasProcess,
    times: EtasTimes,
    rows: Integers,
    gap: Floats,
    numbers: np.random.Generator,
) -> tuple[Integers, Integers, Integers]:
    """Returns events and samples of `rows` at gaps (n, S) that have a parent, and by which s_j."""
    each = times.amplitude[rows, None] * np.exp(-gap[..., None] * times.rate)
    below = each.cumsum(axis=-1)
    level = numbers.random(below.shape[:2]) * (process.parameters.mu + below[..., -1])
    event, sample = np.nonzero(level < below[..., -1])
    component = (below[event, sample] <= level[event, sample, None]).sum(axis=-1)
    return event, sample, component


def near(
    process: EtasProcess, location: Floats, area: Floats, numbers: np.random.Generator
) -> Floats:
    """Returns (n, 2) places in the region around parents at `location` (n, 2), of `area` (n,)."""
    drawn, left = np.full((len(area), 2), np.nan), np.arange(len(area))
    while len(left):
        drawn[left] = location[left] + process.parameters.step(area[left], numbers)
        region = process.region
        left = left[:0] if region is None else left[~region.holds(drawn[left])]
    return drawn


@dataclass(frozen=True)
class EtasLaws:
    """Makes laws of time and place of a process.

    `longest` is the time up to which past events fade by the law of Omori and Utsu.
    """

    process: EtasProcess
    longest: float

    @cached_property
    def omori(self) -> OmoriSum:
        """The decay as a sum of exponentials."""
        o = self.process.parameters
        return OmoriSum.of(o.c, o.p, self.longest)

    def of_targets(
        self, sequences: EventSequences
    ) -> Iterator[tuple[Targets, EtasTimes, EtasPlaces]]:
        """Yields all targets in order, some of a sequence at a time, and laws of time and place."""
        for i in range(len(sequences)):
            one = sequences.select([i])
            targets, past = one.targets(), self.past(one)
            targets = replace(targets, sequence=np.full(len(targets), i))
            amplitude = past.amplitude(targets.event - 1)
            for rows in event_blocks(len(targets), one.n_events):
                last = targets.event[rows] - 1
                yield targets[rows], *self._laws((past,), last * 0, last + 1, amplitude[rows], one)

    def after(self, histories: EventSequences) -> tuple[EtasTimes, EtasPlaces]:
        """Returns laws of time and place after each of M whole histories."""
        pasts, amplitude = [], np.zeros((len(histories), len(self.omori.rate)))
        for i in range(len(histories)):
            one = histories.select([i])
            pasts.append(self.past(one))
            if one.n_events:
                amplitude[i] = pasts[i].amplitude(np.array([one.n_events - 1]))
        n = np.arange(len(histories))
        return self._laws(tuple(pasts), n, histories.lengths, amplitude, histories)

    def past(self, one: EventSequences) -> Past:
        """Returns the events of a single sequence as parents."""
        assert one.magnitude is not None
        return self.parents(one.time, one.location, one.magnitude)

    def parents(self, time: Floats, location: Floats, magnitude: Floats) -> Past:
        """Returns L events as parents."""
        o, area = self.process.parameters, self.process.parameters.area(magnitude)
        within = self.process.within(location, area)
        return Past(time, location, o.offspring(magnitude), within, area, self.omori)

    def _laws(
        self,
        pasts: tuple[Past, ...],
        owner: Integers,
        count: Integers,
        amplitude: Floats,
        sequences: EventSequences,
    ) -> tuple[EtasTimes, EtasPlaces]:
        times = EtasTimes(self.process.parameters.mu, amplitude, self.omori.rate)
        last = [
            pasts[i].time[n - 1] if n else sequences.window[i, 0]
            for i, n in zip(owner, count, strict=True)
        ]
        places = EtasPlaces(self.process, times, pasts, owner, count, np.array(last))
        return times, places
