r"""The law of the next event of a self-exciting process, for N histories at once.

With R_k = Σ_i A[k_i, k] exp(−β (now − t_i)), the intensity of mark k after a gap τ is
μ_k + β exp(−β τ) R_k and its place is the background's or that of a parent
(see `smash.simulate.process`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks
from smash.data.events import EventSequences, Targets
from smash.law.draws import chosen_places, numpy_generator
from smash.law.log_density import log_sum_exp
from smash.law.next_event_law import MarkPart, NextEventLaw, PlacePart
from smash.law.no_places import NoPlaces
from smash.simulate.fading_times import FadingTimes
from smash.simulate.process import HawkesProcess

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Parents:
    """What N histories are still to excite; L is the longest.

    `offspring` (N, L, K): expected number of each mark, zero where there is no event. `place`
    (N, L, D), or (1, L, D) where all have the same events.
    """

    offspring: Floats
    place: Floats

    def __getitem__(self, rows: slice) -> "Parents":
        return Parents(
            self.offspring[rows], self.place if len(self.place) == 1 else self.place[rows]
        )

    @property
    def total(self) -> Floats:
        """(N, K) the expected number of each mark."""
        return self.offspring.sum(axis=1)


def laws_of_targets(
    process: HawkesProcess, sequences: EventSequences, marked: bool
) -> Iterator[tuple[Targets, NextEventLaw]]:
    """Yields all targets of sequences, whose events have marks, in order, with their laws.

    Some targets of one sequence at a time, as many as have their parents in little memory.
    """
    for i in range(len(sequences)):
        one = sequences.select([i])
        targets = one.targets()
        targets, first = replace(targets, sequence=np.full(len(targets), i)), one.n_history[0] - 1
        for rows in event_blocks(len(targets), one.n_events * process.n_marks):
            last = slice(first + rows.start, first + rows.stop)
            yield targets[rows], _law(process, _parents_of(process, one, last), marked)


def _parents_of(process: HawkesProcess, one: EventSequences, rows: slice) -> Parents:
    """Returns the parents of the targets after the events `rows` of a single sequence."""
    assert one.mark is not None
    now, past = one.time[rows], one.time[: rows.stop]
    before = np.arange(rows.stop) <= np.arange(rows.start, rows.stop)[:, None]
    age = np.where(before, now[:, None] - past, 0.0)
    fading = np.where(before, np.exp(-process.decay * age), 0.0)
    offspring = fading[..., None] * process.excitation[one.mark[: rows.stop]]
    return Parents(offspring, one.location[None, : rows.stop])


def law_after(process: HawkesProcess, histories: EventSequences, marked: bool) -> NextEventLaw:
    """Returns the laws of the event after each of M histories, whose events have marks."""
    assert histories.mark is not None
    lengths, n = histories.lengths, len(histories)
    longest = max(1, int(lengths.max()))
    offspring = np.zeros((n, longest, process.n_marks))
    place = np.zeros((n, longest, process.n_axes))
    row, column = histories.sequence, histories.event
    last = histories.time[histories.offsets[1:] - 1][row] if histories.n_events else np.empty(0)
    fading = np.exp(-process.decay * (last - histories.time))
    offspring[row, column] = fading[:, None] * process.excitation[histories.mark]
    place[row, column] = histories.location
    return _law(process, Parents(offspring, place), marked)


def _law(process: HawkesProcess, parents: Parents, marked: bool) -> NextEventLaw:
    times = SelfExcitingTimes(process.background, parents.total, process.decay)
    marks = SelfExcitingMarks(times) if marked else None
    places = SelfExcitingPlaces(process, parents) if process.n_axes else NoPlaces()
    return NextEventLaw(times, places, marks)


@dataclass(frozen=True)
class SelfExcitingTimes(FadingTimes):
    """Gaps with compensator μ τ + R (1 − exp(−β τ)); `background` (K,), `excited` R (N, K)."""

    background: Floats
    excited: Floats
    decay: float

    def __len__(self) -> int:
        return len(self.excited)

    def intensity(self, gap: Floats) -> Floats:
        """Returns (N, Q, K) the intensity of each mark after gaps (N, Q)."""
        fading = self.decay * np.exp(-self.decay * gap)
        return self.background + fading[..., None] * self.excited[:, None]

    def log_survival(self, gap: Floats) -> Floats:
        excited = self.excited.sum(axis=1)[:, None]
        return excited * np.expm1(-self.decay * gap) - self.background.sum() * gap

    def log_density(self, gap: Floats) -> Floats:
        return np.log(self.intensity(gap).sum(axis=-1)) + self.log_survival(gap)

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        """Returns (N, S) the sooner of a background event and an excited one, if any comes."""
        numbers, shape = numpy_generator(generator), (len(self), n_samples)
        background = numbers.exponential(1 / self.background.sum(), shape)
        budget = numbers.exponential(size=shape)
        excited = self.excited.sum(axis=1)[:, None]
        comes = budget < excited
        share = np.where(comes, budget, 0.0) / np.where(excited > 0, excited, 1.0)
        return np.minimum(background, np.where(comes, -np.log1p(-share) / self.decay, np.inf))

    def faded(self, elapsed: Floats) -> "SelfExcitingTimes":
        left = self.excited * np.exp(-self.decay * elapsed)[:, None]
        return SelfExcitingTimes(self.background, left, self.decay)


@dataclass(frozen=True)
class SelfExcitingMarks(MarkPart):
    """p(k | τ): each mark's share of the intensity."""

    times: SelfExcitingTimes

    def log_probability(self, gap: Floats) -> Floats:
        intensity = self.times.intensity(gap)
        with np.errstate(divide="ignore"):
            return np.log(intensity) - np.log(intensity.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class SelfExcitingPlaces(PlacePart):
    """Places of the background, or around a parent; which of them depends on gap and mark.

    Of unmarked laws the marks are summed out.
    """

    process: HawkesProcess
    parents: Parents

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        (n, q), length = gap.shape, self.parents.place.shape[1]
        found = np.empty((n, q))
        for rows in event_blocks(n, length):
            law = replace(self, parents=self.parents[rows])
            for columns in event_blocks(q, length * (rows.stop - rows.start)):
                part = (rows, columns)
                own = None if mark is None else mark[part]
                found[part] = law._log_density(place[part], gap[part], own)
        return found

    def _log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        process = self.process
        background, offspring = self._rates(mark, gap.shape)
        far = _log_normal(place - np.asarray(process.center), process.background_spread)
        near = _log_normal(place[:, :, None] - self.parents.place[:, None], process.spread)
        with np.errstate(divide="ignore"):
            log_rate = np.log(process.decay) - process.decay * gap
            excited = log_rate + log_sum_exp(np.log(offspring) + near)
            log_background = np.log(background)
            total = np.logaddexp(log_background, log_rate + np.log(offspring.sum(axis=-1)))
            density = np.logaddexp(log_background + far, excited)
        # A mark that cannot come now lies where the background lies.
        return np.where(total > -np.inf, density - np.where(total > -np.inf, total, 0.0), far)

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        numbers, process = numpy_generator(generator), self.process
        background, offspring = self._rates(mark, gap.shape)
        rate = process.decay * np.exp(-process.decay * gap) * offspring.sum(axis=-1)
        excited = numbers.random(gap.shape) * (rate + background) < rate
        parent = self._drawn_parents(mark, numbers.random(gap.shape))
        every = np.broadcast_to(self.parents.place, (len(gap), *self.parents.place.shape[1:]))
        near = np.take_along_axis(every, parent[..., None], axis=1)
        mean = np.where(excited[..., None], near, np.asarray(process.center))
        spread = np.where(excited, process.spread, process.background_spread)
        return mean + spread[..., None] * numbers.standard_normal((*gap.shape, 2))

    def _rates(self, mark: Integers | None, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Returns the background's rate (N, Q) of the marks, and offspring (N, Q, L) of parents."""
        offspring = self.parents.offspring
        if mark is None:
            background = np.full(shape, self.process.background.sum())
            return background, np.broadcast_to(
                offspring.sum(axis=-1)[:, None], (*shape, offspring.shape[1])
            )
        own = np.take_along_axis(offspring.swapaxes(1, 2), mark[..., None], axis=1)
        return self.process.background[mark], own

    def _drawn_parents(self, mark: Integers | None, uniform: Floats) -> Integers:
        """Returns (N, S) a parent for each draw, in proportion to the offspring of its mark."""
        offspring = self.parents.offspring
        if mark is None:
            return chosen_places(offspring.sum(axis=-1) + _NONE, uniform)
        parent = np.zeros(uniform.shape, dtype=np.int64)
        for k in range(offspring.shape[2]):
            of_mark = chosen_places(offspring[..., k] + _NONE, uniform)
            parent = np.where(mark == k, of_mark, parent)
        return parent


_NONE = 1e-300
"""Where nothing is to be excited any parent will do, as none is drawn from."""


def _log_normal(offset: Floats, spread: float) -> Floats:
    """Returns the log density of N(0, spread² I) at `offset` (..., 2)."""
    squared = (offset**2).sum(axis=-1) / spread**2
    return -0.5 * squared - np.log(2 * np.pi * spread**2)
