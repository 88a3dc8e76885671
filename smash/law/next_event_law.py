r"""The law of the next event, for N histories at once: what every forecaster gives.

The law factorises into three parts, whatever it is the law of,

    p(τ, k, x | history) = p(τ) p(k | τ) p(x | τ, k),

the time τ since the last event (the gap), the mark k and the place x. That no event has come for a
while changes the first part alone. Everything is in raw units and float64, as densities are
differenced and summed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.events import Targets
from smash.law.draws import numpy_generator
from smash.law.log_density import LogDensity, log_sum_exp
from smash.law.magnitudes import MagnitudePart
from smash.law.samples import Samples

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HALVINGS = 60
"""Steps of bisection: a bracket of a factor 1e24 becomes shorter than rounding."""
SHORTEST, LONGEST = 1e-12, 1e12
"""Between these gaps bisection looks for one; beyond is never."""


class TimePart(ABC):
    """The laws of the gaps of N next events.

    A gap of exactly 0 may have a probability of its own; its density is then that probability.
    Laws may be defective: with what is left at infinity no event ever comes. `lacking` says why
    there is no density; it is empty where there is one. Where gaps are whole multiples of a cell,
    as a clock rounds them, `cell` is its length; 0 where they may be any number.
    """

    lacking: str = ""
    cell: float = 0.0

    @abstractmethod
    def __len__(self) -> int:
        """Returns N."""

    @abstractmethod
    def log_density(self, gap: Floats) -> Floats:
        """Returns (N, Q) log densities of gaps (N, Q)."""

    @abstractmethod
    def log_survival(self, gap: Floats) -> Floats:
        """Returns (N, Q) log probabilities of no event within gaps (N, Q)."""

    def log_intensity(self, gap: Floats) -> Floats:
        """Returns (N, Q) the log rate of events at gaps (N, Q), given that none came before."""
        return self.log_density(gap) - self.log_survival(gap)

    def at_log_survival(self, log_survival: Floats) -> Floats:
        """Returns (N, Q) the gaps that are survived with the given log probabilities (N, Q).

        Infinite where more than that never see an event.
        """
        return bisected(self.log_survival, log_survival)

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        """Returns (N, S) draws; infinite ones never come."""
        numbers = numpy_generator(generator)
        return self.at_log_survival(-numbers.exponential(size=(len(self), n_samples)))

    def after(self, elapsed: Floats) -> "TimePart":
        """Returns the laws given that no event came within `elapsed` (N,); gaps count as before."""
        return LateTimes(self, elapsed)

    def cdf(self, gap: Floats) -> Floats:
        """Returns (N, Q) probabilities of an event within gaps (N, Q)."""
        return -np.expm1(self.log_survival(gap))

    def quantile(self, level: Floats) -> Floats:
        """Returns (N, Q) the gaps within which an event comes with probability `level` (N, Q)."""
        with np.errstate(divide="ignore"):
            return self.at_log_survival(np.log1p(-np.asarray(level, dtype=np.float64)))


class MarkPart(ABC):
    """The laws of N next events' marks given their gaps."""

    @abstractmethod
    def log_probability(self, gap: Floats) -> Floats:
        """Returns (N, Q, K) log p(k | τ) at gaps (N, Q)."""


class PlacePart(ABC):
    """The laws of N next events' places given their gaps and marks; (…, D), D = 2 or 0 (none).

    `lacking` says why there is no density; it is empty where there is one. `by_mark` is false where
    the mark does not matter.
    """

    lacking: str = ""
    by_mark: bool = True

    @abstractmethod
    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        """Returns (N, Q) log densities of places (N, Q, D) given gaps and marks (N, Q)."""

    @abstractmethod
    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        """Returns (N, S, D) a place for each of gaps and marks (N, S)."""


@dataclass(frozen=True)
class NextEventLaw:
    """The laws of N next events: `time`, `place`, and `mark` unless they are unmarked.

    Of events that carry a magnitude also its law, which depends on none of the others.
    """

    time: TimePart
    place: PlacePart
    mark: MarkPart | None = None
    magnitude: MagnitudePart | None = None

    def __len__(self) -> int:
        return len(self.time)

    def sample(self, n_samples: int, generator: torch.Generator) -> Samples:
        """Returns S draws of each event."""
        drawn = self._drawn(n_samples, generator)
        if self.magnitude is None:
            return drawn
        size = self.magnitude.draw(drawn.gap.shape, generator, drawn.mark)
        return replace(drawn, magnitude=size)

    def _drawn(self, n_samples: int, generator: torch.Generator) -> Samples:
        gap = self.time.draw(n_samples, generator)
        if self.mark is None:
            return Samples(gap, self.place.draw(gap, None, generator))
        probability = np.exp(self.mark.log_probability(gap))
        below = probability.cumsum(axis=-1)
        uniform = numpy_generator(generator).random((*gap.shape, 1)) * below[..., -1:]
        mark = (uniform >= below[..., :-1]).sum(axis=-1)
        return Samples(
            gap,
            self.place.draw(gap, mark, generator),
            mark,
            probability.argmax(axis=-1),
            probability.mean(axis=1),
        )

    def log_prob(self, events: Targets) -> LogDensity:
        """Returns the log densities of `events`, one of each law.

        Raises:
            ValueError: when there are not N of them.
        """
        if len(events) != len(self):
            raise ValueError(f"{len(events)} events for {len(self)} laws; give one of each")
        found = self._log_prob(events)
        if self.magnitude is None or events.magnitude is None:
            return found
        size = self.magnitude.log_density(events.magnitude[:, None])[:, 0]
        return replace(found, magnitude=size)

    def _log_prob(self, events: Targets) -> LogDensity:
        if self.time.lacking:
            return LogDensity(lacking=self.time.lacking)
        gap, place = events.gap[:, None], events.location[:, None]
        time = self.time.log_density(gap)[:, 0]
        if self.mark is None or events.mark is None:
            own = None if self.place.lacking else self.place.log_density(place, gap, None)[:, 0]
            both = None if own is None else time + own
            return LogDensity(time, None, own, both, self.place.lacking)
        log_probability = self.mark.log_probability(gap)[:, 0]
        of_mark = np.take_along_axis(log_probability, events.mark[:, None], axis=1)[:, 0]
        if self.place.lacking:
            return LogDensity(time, of_mark, None, None, self.place.lacking)
        own = self.place.log_density(place, gap, events.mark[:, None])[:, 0]
        if not self.place.by_mark:
            return LogDensity(time, of_mark, own, time + own)
        marks = range(log_probability.shape[1])
        every = [np.full((len(self), 1), k, dtype=np.int64) for k in marks]
        by_mark = np.concatenate([self.place.log_density(place, gap, k) for k in every], axis=1)
        return LogDensity(time, of_mark, own, time + log_sum_exp(log_probability + by_mark))

    def log_survival(self, gap: Floats) -> Floats:
        """Returns (N, Q) log probabilities of no event within gaps (N, Q)."""
        return self.time.log_survival(gap)

    def cdf(self, gap: Floats) -> Floats:
        """Returns (N, Q) probabilities of an event within gaps (N, Q)."""
        return self.time.cdf(gap)

    def quantile(self, level: Floats) -> Floats:
        """Returns (N, Q) gaps within which an event comes with probability `level` (N, Q)."""
        return self.time.quantile(level)

    def mark_probability(self, gap: Floats) -> Floats | None:
        """Returns (N, Q, K) p(k | τ) at gaps (N, Q); None for unmarked laws."""
        return None if self.mark is None else np.exp(self.mark.log_probability(gap))

    def place_density(self, points: Floats, gap: Floats, mark: Integers | None = None) -> Floats:
        """Returns (N, Q) densities of the same `points` (Q, D) for each event, given `gap` (N,).

        Given `mark` (N,), or with the mark summed out.

        Raises:
            ValueError: when the place's law has no density.
        """
        if self.place.lacking:
            raise ValueError(self.place.lacking)
        place = np.broadcast_to(points, (len(self), *points.shape))
        gaps = np.broadcast_to(gap[:, None], place.shape[:2])
        if mark is not None or self.mark is None or not self.place.by_mark:
            marks = None if mark is None else np.broadcast_to(mark[:, None], gaps.shape)
            return np.exp(self.place.log_density(place, gaps, marks))
        probability = np.exp(self.mark.log_probability(gap[:, None])[:, 0])
        density = np.zeros(gaps.shape)
        for k in range(probability.shape[1]):
            density += probability[:, k, None] * self._place_at(place, gaps, k)
        return density

    def intensity(self, points: Floats, gap: Floats) -> Floats:
        """Returns λ (N, T, K, Q) at the same `points` (Q, D) for each event, at gaps (N, T).

        Events expected a unit of time and area, by mark (K = 1 of unmarked laws), given that none
        came within the gap: p(τ) p(k | τ) p(x | τ, k) / P(no event within τ).

        Raises:
            ValueError: when the law of the time or the place has no density.
        """
        if lacking := self.time.lacking or self.place.lacking:
            raise ValueError(lacking)
        n, n_times = gap.shape
        place = np.broadcast_to(points, (n, *points.shape))
        rate = np.exp(self.time.log_intensity(gap))[..., None]
        by_mark = rate
        if self.mark is not None:
            by_mark = rate * np.exp(self.mark.log_probability(gap))
        found = np.empty((n, n_times, by_mark.shape[-1], len(points)))
        for t in range(n_times):  # the same places each time, which laws may know by then
            gaps = np.repeat(gap[:, t, None], len(points), axis=1)
            of_any = None
            if self.mark is None or not self.place.by_mark:
                of_any = self._place_at(place, gaps, None if self.mark is None else 0)
            for k in range(by_mark.shape[-1]):
                density = self._place_at(place, gaps, k) if of_any is None else of_any
                found[:, t, k] = by_mark[:, t, k, None] * density
        return found

    def _place_at(self, place: Floats, gap: Floats, mark: int | None) -> Floats:
        """Returns the density (N, Q) of places (N, Q, D) given gaps (N, Q) and one mark."""
        marks = None if mark is None else np.full(gap.shape, mark, dtype=np.int64)
        return np.exp(self.place.log_density(place, gap, marks))

    def given_no_event_until(self, gap: Floats) -> "NextEventLaw":
        """Returns the laws given that no event came within `gap` (N,) of the last one."""
        return replace(self, time=self.time.after(gap))


@dataclass(frozen=True)
class LateTimes(TimePart):
    """Gaps of `law` given that they are longer than `elapsed` (N,); 0 says nothing."""

    law: TimePart
    elapsed: Floats

    def __len__(self) -> int:
        return len(self.law)

    @property
    def cell(self) -> float:  # type: ignore[override]
        return self.law.cell

    def log_density(self, gap: Floats) -> Floats:
        waited = self.elapsed[:, None]
        density = self.law.log_density(gap) - self.log_survived()
        return np.where((waited > 0) & (gap <= waited), -np.inf, density)

    def log_survival(self, gap: Floats) -> Floats:
        later = np.maximum(gap, self.elapsed[:, None])
        return self.law.log_survival(later) - self.log_survived()

    def log_intensity(self, gap: Floats) -> Floats:
        waited = self.elapsed[:, None]
        return np.where((waited > 0) & (gap <= waited), -np.inf, self.law.log_intensity(gap))

    def at_log_survival(self, log_survival: Floats) -> Floats:
        gap = self.law.at_log_survival(log_survival + self.log_survived())
        return np.maximum(gap, self.elapsed[:, None])

    def after(self, elapsed: Floats) -> TimePart:
        return replace(self, elapsed=np.maximum(self.elapsed, elapsed))

    def log_survived(self) -> Floats:
        """Returns (N, 1) the log probability of what is known."""
        waited = self.elapsed[:, None]
        return np.where(waited > 0, self.law.log_survival(waited), 0.0)


def shared_cell(times: Sequence[TimePart]) -> float:
    """Returns the cell that laws of gaps have in common, 0 where they have none."""
    cells = {time.cell for time in times}
    return cells.pop() if len(cells) == 1 else 0.0


def bisected(log_survival: Callable[[Floats], Floats], wanted: Floats) -> Floats:
    """Returns (N, Q) gaps at which a falling function of gaps (N, Q) reaches `wanted` (N, Q).

    By bisection of the gap's logarithm; 0 where even the shortest gap is survived less often,
    infinite where the longest is survived more often.
    """
    low = np.full(wanted.shape, np.log(SHORTEST))
    high = np.full(wanted.shape, np.log(LONGEST))
    never = log_survival(np.exp(high)) > wanted
    at_once = log_survival(np.exp(low)) <= wanted
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        survived = log_survival(np.exp(middle)) > wanted
        low, high = np.where(survived, middle, low), np.where(survived, high, middle)
    return np.where(never, np.inf, np.where(at_once, 0.0, np.exp((low + high) / 2)))
