"""The law of the next event of a `RungProcess`, for N histories at once, and who knows it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks
from smash.data.events import EventSequences, Targets
from smash.law.draws import chosen_places, numpy_generator
from smash.law.forecaster import Forecaster
from smash.law.log_density import log_sum_exp
from smash.law.next_event_law import NextEventLaw, PlacePart, TimePart
from smash.simulate.rung_process import RungProcess

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Histories:
    """N histories of at most L events: `age` (N, L) at the last of them, `place` (N, L, 2).

    `there` (N, L) says which exist; the last stands at `count` (N,) − 1, and `now` (N,) is its
    time, or the start of the window.
    """

    age: Floats
    place: Floats
    there: NDArray[np.bool_]
    count: Integers
    now: Floats

    def __getitem__(self, rows: slice) -> "Histories":
        return Histories(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @property
    def last(self) -> Floats:
        """(N, 2) the place of the last event."""
        return self.place[np.arange(len(self.count)), np.maximum(self.count - 1, 0)]


@dataclass(frozen=True)
class RungOracle(Forecaster):
    """The forecaster that knows the process."""

    process: RungProcess

    @property
    def n_marks(self) -> int:
        return 1

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for i in range(len(sequences)):
            one = sequences.select([i])
            targets = one.targets()
            targets = replace(targets, sequence=np.full(len(targets), i))
            for rows in event_blocks(len(targets), one.n_events):
                some = targets[rows]
                there = np.arange(one.n_events) < some.event[:, None]
                now = one.time[some.event - 1]
                age = np.where(there, now[:, None] - one.time, 0.0)
                place = np.broadcast_to(one.location, (len(some), *one.location.shape))
                yield some, self._law(Histories(age, place, there, some.event, now))

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        lengths, n = histories.lengths, len(histories)
        longest = max(1, int(lengths.max(initial=0)))
        there = np.arange(longest) < lengths[:, None]
        now = histories.window[:, 0].copy()
        now[lengths > 0] = histories.time[histories.offsets[1:][lengths > 0] - 1]
        age, place = np.zeros((n, longest)), np.zeros((n, longest, 2))
        age[there], place[there] = now[histories.sequence] - histories.time, histories.location
        return self._law(Histories(age, place, there, lengths, now))

    def _law(self, histories: Histories) -> NextEventLaw:
        process = self.process
        fading = np.where(histories.there, np.exp(-process.decay * histories.age), 0.0)
        left = process.offspring * fading
        held = np.where(histories.count > 0, process.mean_nearness(histories.last), 0.0)
        times = RungTimes(process, histories.now, left.sum(axis=1), process.inhibition * held)
        return NextEventLaw(times, RungPlaces(process, histories, times, left))


@dataclass(frozen=True)
class RungTimes(TimePart):
    """Gaps from `now` (N,) with `left` (N,) offspring to come.

    `held` (N,): the share of spontaneous events that the last event holds back at first.
    """

    process: RungProcess
    now: Floats
    left: Floats
    held: Floats

    def __len__(self) -> int:
        return len(self.now)

    def spontaneous(self, gap: Floats) -> Floats:
        """Returns (N, Q) the rate of spontaneous events after gaps (N, Q)."""
        process = self.process
        free = 1 - self.held[:, None] * np.exp(-process.recovery * gap)
        return process.rate * process.season_at(self.now[:, None] + gap) * free

    def excited(self, gap: Floats) -> Floats:
        """Returns (N, Q) the rate of offspring after gaps (N, Q)."""
        process = self.process
        return process.decay * self.left[:, None] * np.exp(-process.decay * gap)

    def log_density(self, gap: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.log(self.spontaneous(gap) + self.excited(gap)) + self.log_survival(gap)

    def log_survival(self, gap: Floats) -> Floats:
        process, now = self.process, self.now[:, None]
        spontaneous = process.season_between(now, gap)
        if process.inhibition:
            spontaneous = spontaneous - self.held[:, None] * process.season_fading(now, gap)
        excited = -np.expm1(-process.decay * gap) * self.left[:, None]
        return -(process.rate * spontaneous + excited)


@dataclass(frozen=True)
class RungPlaces(PlacePart):
    """Places of spontaneous events, or around a parent; `left` (N, L) offspring to come of each."""

    process: RungProcess
    histories: Histories
    times: RungTimes
    left: Floats
    by_mark = False

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        found, length = np.empty(gap.shape), self.left.shape[1]
        for rows in event_blocks(len(gap), gap.shape[1] * length):
            found[rows] = self._log_density(rows, place[rows], gap[rows])
        return found

    def _log_density(self, rows: slice, place: Floats, gap: Floats) -> Floats:
        process, past, every = self.process, self.histories[rows], self.times
        times = RungTimes(process, every.now[rows], every.left[rows], every.held[rows])
        season = process.season_at(past.now[:, None] + gap)
        free = self._free(past, place, gap)
        age = past.age[:, None] + gap[..., None]
        variance = process.variance(age)
        square = ((place[:, :, None] - past.place[:, None]) ** 2).sum(axis=-1)
        with np.errstate(divide="ignore"):
            near = np.log(self.left[rows])[:, None] - 0.5 * square / variance
            near = near - np.log(2 * np.pi * variance)
            excited = np.log(process.decay) - process.decay * gap + log_sum_exp(near)
            far = np.log(process.rate * season * free) + process.log_background(place)
            total = np.log(times.spontaneous(gap) + times.excited(gap))
        return np.logaddexp(far, excited) - total

    def _free(self, past: Histories, place: Floats, gap: Floats) -> Floats:
        """Returns (N, Q) the share of spontaneous events at a place that is not held back."""
        process = self.process
        held = np.where(past.count > 0, process.inhibition, 0.0)[:, None]
        near = process.nearness(place, past.last[:, None])
        return 1 - held * np.exp(-process.recovery * gap) * near

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        numbers, process = numpy_generator(generator), self.process
        spontaneous, excited = self.times.spontaneous(gap), self.times.excited(gap)
        has_parent = numbers.random(gap.shape) * (spontaneous + excited) < excited
        # Where none has a parent any will do, as it is drawn from by none.
        parent = chosen_places(self.left + 1e-300, numbers.random(gap.shape))
        age = np.take_along_axis(self.histories.age, parent, axis=1) + gap
        near = np.take_along_axis(self.histories.place, parent[..., None], axis=1)
        step = numbers.standard_normal((*gap.shape, 2)) * np.sqrt(process.variance(age))[..., None]
        return np.where(has_parent[..., None], near + step, self._drawn_spontaneous(gap, numbers))

    def _drawn_spontaneous(self, gap: Floats, numbers: np.random.Generator) -> Floats:
        """Returns (N, S, 2) spontaneous places: those held back are drawn again."""
        place = self.process.drawn_background(gap.shape, numbers)
        refused = numbers.random(gap.shape) > self._free(self.histories, place, gap)
        while refused.any():
            place[refused] = self.process.drawn_background((int(refused.sum()),), numbers)
            again = numbers.random(gap.shape) > self._free(self.histories, place, gap)
            refused &= again
        return place
