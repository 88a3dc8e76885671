"""The law of the next event that a trained model gives after each of N contexts."""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.blocks import event_blocks
from smash.data.scaling import Scaler
from smash.law.next_event_law import MarkPart, NextEventLaw, PlacePart, TimePart
from smash.law.samples import Samples
from smash.model.location_head import DensityHead, Given
from smash.model.model_times import ModelMarks, ModelTimes
from smash.model.score_network import ContextTerms, ScoreNet
from smash.model.smash import Smash
from smash.model.time_law import TimeLaw
from smash.sampling import to_samples
from smash.sampling.denoising import denoise
from smash.sampling.inverse_cdf import draw_places
from smash.sampling.precision import matmul_precision
from smash.sampling.waiting import draw_after
from smash.settings import SamplingSettings
from smash.sizes import sampling_sizes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NO_DENSITY = (
    "score matching knows no density of the data, only one of data with noise; train with "
    "objective.kind=likelihood or weighted_score_matching"
)
NO_PLACE = "the place is known by its score alone; train with model.location_law=history or mixture"
BEFORE_ALL = -1e3
"""A z before all gaps: until then no event came anyway."""
NUMBERS_A_PLACE = 512
"""What a density takes for each place and event, about: hidden units, components."""


@dataclass(frozen=True)
class ModelLaw(NextEventLaw):
    """The law after contexts (N, C), whose draws are the sampler's, conditioned on `waited` (N,).

    Times and marks are drawn by inverting the law whatever `sampling.sampler` says, as this is
    quick and can be conditioned on no event having come since the last one.
    """

    model: Smash = field(kw_only=True)
    known: "_Known" = field(kw_only=True)
    sampling: SamplingSettings = field(kw_only=True)
    waited: Floats | None = field(kw_only=True, default=None)

    @classmethod
    def after(
        cls,
        model: Smash,
        context: Tensor,
        sampling: SamplingSettings,
        own: tuple[Tensor, ...] | None = None,
    ) -> "ModelLaw":
        """Returns the law after contexts (N, C) of a model in evaluation mode.

        `own`: as in `ScoreNet.terms`.
        """
        known, scaler = _Known(model.network, context, own), model.scaler
        time: TimePart
        mark: MarkPart | None = None
        if model.knows_times:
            give = partial(known.exact_time_law, scaler.gap_growth)
            time = exact = ModelTimes(give, scaler, len(context))
            mark = ModelMarks(exact) if model.marked else None
        else:
            time = NoisedTimes(len(context))
            mark = ScoredMarks(known, scaler) if model.marked else None
        place = HeadPlaces(known, scaler, model.noise_scale(), sampling)
        size = model.magnitudes
        return cls(time, place, mark, size, model=model, known=known, sampling=sampling)

    @property
    def context(self) -> Tensor:
        """(N, C) what is known of each history."""
        return self.known.context

    @torch.inference_mode()
    def sample(self, n_samples: int, generator: torch.Generator) -> Samples:
        """Returns S draws of each event, all of them after what is known.

        Raises:
            ForecastError: when they are no numbers.
        """
        settings = replace(self.sampling, total_samples=n_samples)
        network, sigma = self.model.network, self.model.noise_scale()
        after, own = self._after(), self.known.own
        sizes = sampling_sizes(settings, network.units, self.context.device)
        with matmul_precision(sizes.matmul_precision):
            chains = draw_after(network, self.context, sigma, settings, generator, after, own)
        samples = to_samples(chains, self.model.scaler)
        if self.magnitude is not None:
            size = self.magnitude.draw(samples.gap.shape, generator, samples.mark)
            samples = replace(samples, magnitude=size)
        if self.waited is None:
            return samples
        # Scaling there and back rounds.
        return replace(samples, gap=np.maximum(samples.gap, self.waited[:, None]))

    def given_no_event_until(self, gap: Floats) -> "ModelLaw":
        waited = gap if self.waited is None else np.maximum(self.waited, gap)
        return replace(self, time=self.time.after(gap), waited=waited)

    def _after(self) -> Tensor | None:
        """Returns z (N, 1) until when no event came; None where all laws begin at a last event."""
        if self.waited is None or not (self.waited > 0).any():
            return None
        z = 2 * self.model.scaler.scale_gap(self.waited, position=0.0) - 1
        z = np.where(self.waited > 0, z, BEFORE_ALL)[:, None]
        return torch.from_numpy(z).to(self.context)


@dataclass(frozen=True)
class _Known:
    """Contexts (N, C), and what a network makes of them when it is first asked.

    `own`: as in `ScoreNet.terms`.
    """

    network: ScoreNet
    context: Tensor
    own: tuple[Tensor, ...] | None

    @cached_property
    def terms(self) -> ContextTerms:
        with torch.no_grad():
            return self.network.terms(self.context, self.own)

    @torch.no_grad()
    def exact_time_law(self, growth: float) -> TimeLaw:
        """Returns the law of time and mark in float64: sums of it are differenced."""
        return self.network.time_law(self.terms, len(self.context)).exact(growth)


@dataclass(frozen=True)
class NoisedTimes(TimePart):
    """Gaps of N events that are drawn with the whole event alone: their law is one of noised z."""

    n_events: int
    lacking = NO_DENSITY

    def __len__(self) -> int:
        return self.n_events

    def log_density(self, gap: Floats) -> Floats:
        raise ValueError(self.lacking)

    def log_survival(self, gap: Floats) -> Floats:
        raise ValueError(self.lacking)

    def after(self, elapsed: Floats) -> TimePart:
        return self


@dataclass(frozen=True)
class ScoredMarks(MarkPart):
    """p(k | τ) of a network trained by its score, at the z of the gaps."""

    known: _Known
    scaler: Scaler

    @torch.no_grad()
    def log_probability(self, gap: Floats) -> Floats:
        z = torch.from_numpy(2 * self.scaler.scale_gap(gap) - 1).to(self.known.context)
        intensity = self.known.network.intensity(z.unsqueeze(-1), self.known.terms).double()
        found: Floats = intensity.log().log_softmax(-1).cpu().numpy()
        return found


@dataclass(frozen=True)
class HeadPlaces(PlacePart):
    """Places by the network's location head; on a lattice with the density in a cell's middle."""

    known: _Known
    scaler: Scaler
    sigma: Tensor
    sampling: SamplingSettings

    @property
    def lacking(self) -> str:  # type: ignore[override]
        return "" if isinstance(self.known.network.location, DensityHead) else NO_PLACE

    @property
    def by_mark(self) -> bool:  # type: ignore[override]
        return self.known.network.mark_shift is not None

    @torch.no_grad()
    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        head = self.known.network.location
        if not isinstance(head, DensityHead):
            raise ValueError(self.lacking)
        terms, found = self.known.terms.location, np.empty(gap.shape)
        x = torch.from_numpy(2 * self.scaler.scale_location(place) - 1).to(self.known.context)
        for columns in event_blocks(gap.shape[1], len(gap) * NUMBERS_A_PLACE):
            part = None if mark is None else mark[:, columns]
            given = self._given(gap[:, columns], part)
            at = head.log_density(x[:, columns], given, terms)
            found[:, columns] = at.double().cpu().numpy()
        return found + self.scaler.log_location_slope()

    @torch.inference_mode()
    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        head, terms = self.known.network.location, self.known.terms.location
        given = self._given(gap, mark)
        sigma = self.sigma.clone()
        x = draw_places(head, terms, given, sigma, self.sampling, generator)
        sigma[0] = 0.0  # the times are given
        z = denoise(
            lambda t: torch.zeros_like(t[..., 0]),
            lambda x: head.score(x, given, terms),
            torch.cat([given.time, x], dim=-1),
            sigma,
            self.sampling.denoise,
            generator,
        )
        u = (z[..., 1:].double().cpu().numpy() + 1) / 2
        return self.scaler.unscale_location(u)

    def _given(self, gap: Floats, mark: Integers | None) -> Given:
        """Returns the gaps, to the network no further than its reach, and marks (N, Q)."""
        network = self.known.network
        z = torch.from_numpy(2 * self.scaler.scale_gap(gap) - 1).to(self.known.context)
        time = z.unsqueeze(-1)
        mixed = network.mixed(network.within_reach(time), self.known.terms)
        own = None
        if mark is not None and network.mark_shift is not None:
            own = torch.from_numpy(np.ascontiguousarray(mark)).to(time.device)
        return network.given(time, mixed, own)
