"""The mixture of several laws of the same events: each event is drawn of one of them.

In parts it is p(τ) = Σ_m w_m p_m(τ), and what is given the gap, or gap and mark, is mixed with the
weights that these leave: w_m p_m(τ), w_m p_m(τ) p_m(k | τ). Mixed by part instead, each of the
three has shares of its own, and what is known of the others changes none:
p(τ) = Σ_m a_m p_m(τ), p(k | τ) = Σ_m b_m p_m(k | τ), p(x | τ, k) = Σ_m c_m p_m(x | τ, k).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.law.draws import chosen_places, numpy_generator
from smash.law.log_density import log_sum_exp
from smash.law.next_event_law import MarkPart, NextEventLaw, PlacePart, TimePart, shared_cell
from smash.law.samples import Samples

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class MixedLaw(NextEventLaw):
    """The mixture of `members`, M laws of the same N events, in the shares `weight` (N, M).

    Magnitudes, which depend on nothing else, are those of the first member that knows them.
    """

    members: tuple[NextEventLaw, ...] = field(kw_only=True)
    weight: Floats = field(kw_only=True)

    @classmethod
    def of(cls, members: Sequence[NextEventLaw], weight: Floats) -> "MixedLaw":
        """Returns the mixture of M laws in the shares `weight` (N, M) or (M,)."""
        members, n = tuple(members), len(members[0])
        weight = np.broadcast_to(weight, (n, len(members)))
        prior = _Prior.of(members, weight)
        marks = tuple(law.mark for law in members if law.mark is not None)
        mark = _MixedMarks(prior, marks) if len(marks) == len(members) else None
        place = _MixedPlaces(prior, marks, tuple(law.place for law in members))
        size = next((law.magnitude for law in members if law.magnitude is not None), None)
        return cls(_MixedTimes(prior), place, mark, size, members=members, weight=weight)

    def sample(self, n_samples: int, generator: torch.Generator) -> Samples:
        """Returns S draws of each event: of each draw of all members that of one by lot."""
        drawn = [law.sample(n_samples, generator) for law in self.members]
        chosen = _lots(self.weight, drawn[0].gap, generator)

        def of_chosen(values: list[NDArray]) -> NDArray:
            return np.choose(chosen if values[0].ndim == 2 else chosen[..., None], values)

        samples = Samples(
            of_chosen([one.gap for one in drawn]),
            of_chosen([one.location for one in drawn]),
            magnitude=next((one.magnitude for one in drawn if one.magnitude is not None), None),
        )
        marks = [one.mark for one in drawn if one.mark is not None]
        modes = [one.mark_mode for one in drawn if one.mark_mode is not None]
        probabilities = [one.mark_probability for one in drawn if one.mark_probability is not None]
        if len(marks) < len(drawn):
            return samples
        return replace(
            samples,
            mark=of_chosen(marks),
            mark_mode=of_chosen(modes),
            mark_probability=np.einsum("nm,mnk->nk", self.weight, np.stack(probabilities)),
        )

    def given_no_event_until(self, gap: Floats) -> "MixedLaw":
        """Returns the mixture of the late laws: who was surer of an event by now counts less."""
        prior = _Prior.of(self.members, self.weight)
        late = [law.given_no_event_until(gap) for law in self.members]
        return MixedLaw.of(late, np.exp(prior.late(gap)))


@dataclass(frozen=True)
class PartShares:
    """The shares (M,) of M laws in the time, the mark and the place, 1 in all each."""

    time: tuple[float, ...]
    mark: tuple[float, ...]
    place: tuple[float, ...]


def pooled_by_part(laws: Sequence[NextEventLaw], shares: PartShares) -> NextEventLaw:
    """Returns M laws of the same N events mixed part by part.

    Magnitudes are those of the first law that knows them. The law is unmarked where one law is.
    """
    n = len(laws[0])
    marks = tuple(law.mark for law in laws if law.mark is not None)
    place = _PooledPlaces(tuple(law.place for law in laws), shares.place)
    mark = _PooledMarks(marks, shares.mark) if len(marks) == len(laws) else None
    size = next((law.magnitude for law in laws if law.magnitude is not None), None)
    prior = _Prior.of(laws, np.broadcast_to(shares.time, (n, len(laws))))
    return NextEventLaw(_MixedTimes(prior), place, mark, size)


@dataclass(frozen=True)
class _PooledMarks(MarkPart):
    marks: tuple[MarkPart, ...]
    shares: tuple[float, ...]

    def log_probability(self, gap: Floats) -> Floats:
        return _pooled([mark.log_probability(gap) for mark in self.marks], self.shares)


@dataclass(frozen=True)
class _PooledPlaces(PlacePart):
    places: tuple[PlacePart, ...]
    shares: tuple[float, ...]

    @property
    def lacking(self) -> str:  # type: ignore[override]
        return next((part.lacking for part in self.places if part.lacking), "")

    @property
    def by_mark(self) -> bool:  # type: ignore[override]
        return any(part.by_mark for part in self.places)

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        return _pooled([part.log_density(place, gap, mark) for part in self.places], self.shares)

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        chosen = _lots(np.broadcast_to(self.shares, (len(gap), len(self.shares))), gap, generator)
        drawn = [part.draw(gap, mark, generator) for part in self.places]
        return np.choose(chosen[..., None], drawn)


def _pooled(log_density: list[Floats], shares: tuple[float, ...]) -> Floats:
    """Returns the log (...) of M densities (...) mixed in shares (M,)."""
    with np.errstate(divide="ignore"):
        return log_sum_exp(np.stack(log_density, axis=-1) + np.log(shares))


def _lots(weight: Floats, gap: Floats, generator: torch.Generator) -> Integers:
    """Returns (N, S) members drawn by weights (N, M), one for each of gaps (N, S)."""
    return chosen_places(weight, numpy_generator(generator).random(gap.shape))


@dataclass(frozen=True)
class _Prior:
    """The laws of the gaps of M members and the logs of their shares, (N, M)."""

    times: tuple[TimePart, ...]
    log_weight: Floats

    @classmethod
    def of(cls, members: Sequence[NextEventLaw], weight: Floats) -> "_Prior":
        """Returns that of M laws in the shares `weight` (N, M)."""
        with np.errstate(divide="ignore"):
            return cls(tuple(law.time for law in members), np.log(weight))

    def given(self, gap: Floats) -> Floats:
        """Returns (N, Q, M) the logs of the shares given gaps (N, Q)."""
        density = np.stack([time.log_density(gap) for time in self.times], axis=-1)
        return _normalised(self.log_weight[:, None] + density, self.log_weight[:, None])

    def late(self, elapsed: Floats) -> Floats:
        """Returns (N, M) the logs of the shares given that no event came within `elapsed` (N,)."""
        waited = elapsed[:, None]
        survival = [np.where(waited > 0, time.log_survival(waited), 0.0) for time in self.times]
        return _normalised(self.log_weight + np.concatenate(survival, axis=1), self.log_weight)


def _normalised(log_weight: Floats, otherwise: Floats) -> Floats:
    """Returns the logs of shares (..., M), normalised; `otherwise` where all are impossible."""
    total = log_sum_exp(log_weight.copy())[..., None]
    return np.where(
        np.isfinite(total), log_weight - np.where(np.isfinite(total), total, 0), otherwise
    )


@dataclass(frozen=True)
class _MixedTimes(TimePart):
    prior: _Prior

    def __len__(self) -> int:
        return len(self.prior.log_weight)

    @property
    def lacking(self) -> str:  # type: ignore[override]
        return next((time.lacking for time in self.prior.times if time.lacking), "")

    @property
    def cell(self) -> float:  # type: ignore[override]
        return shared_cell(self.prior.times)

    def log_density(self, gap: Floats) -> Floats:
        return self._mean([time.log_density(gap) for time in self.prior.times])

    def log_survival(self, gap: Floats) -> Floats:
        return self._mean([time.log_survival(gap) for time in self.prior.times])

    def log_intensity(self, gap: Floats) -> Floats:
        """Returns (N, Q) the log rate: the members' in the shares that no event so far leaves."""
        survival = np.stack([time.log_survival(gap) for time in self.prior.times], axis=-1)
        rate = np.stack([time.log_intensity(gap) for time in self.prior.times], axis=-1)
        prior = self.prior.log_weight[:, None]
        return log_sum_exp(_normalised(prior + survival, prior) + rate)

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        drawn = [time.draw(n_samples, generator) for time in self.prior.times]
        return np.choose(_lots(np.exp(self.prior.log_weight), drawn[0], generator), drawn)

    def after(self, elapsed: Floats) -> TimePart:
        late = tuple(time.after(elapsed) for time in self.prior.times)
        return _MixedTimes(_Prior(late, self.prior.late(elapsed)))

    def _mean(self, values: list[Floats]) -> Floats:
        return log_sum_exp(self.prior.log_weight[:, None] + np.stack(values, axis=-1))


@dataclass(frozen=True)
class _MixedMarks(MarkPart):
    prior: _Prior
    marks: tuple[MarkPart, ...]

    def log_probability(self, gap: Floats) -> Floats:
        by_member = np.stack([mark.log_probability(gap) for mark in self.marks], axis=-1)
        return log_sum_exp(self.prior.given(gap)[:, :, None] + by_member)


@dataclass(frozen=True)
class _MixedPlaces(PlacePart):
    prior: _Prior
    marks: tuple[MarkPart, ...]
    places: tuple[PlacePart, ...]

    @property
    def lacking(self) -> str:  # type: ignore[override]
        times = (time.lacking for time in self.prior.times)
        return next((why for why in (*(p.lacking for p in self.places), *times) if why), "")

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        by_member = np.stack([part.log_density(place, gap, mark) for part in self.places], axis=-1)
        return log_sum_exp(self._given(gap, mark) + by_member)

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        weight = np.exp(self._given(gap, mark))
        uniform = numpy_generator(generator).random(gap.shape).reshape(-1, 1)
        chosen = chosen_places(weight.reshape(-1, len(self.places)), uniform).reshape(gap.shape)
        drawn = [part.draw(gap, mark, generator) for part in self.places]
        return np.choose(chosen[..., None], drawn)

    def _given(self, gap: Floats, mark: Integers | None) -> Floats:
        """Returns (N, Q, M) the logs of the shares given gaps and marks (N, Q)."""
        prior = self.prior.given(gap)
        if mark is None or not self.marks:
            return prior
        own = [
            np.take_along_axis(part.log_probability(gap), mark[..., None], axis=-1)
            for part in self.marks
        ]
        return _normalised(prior + np.concatenate(own, axis=-1), prior)
