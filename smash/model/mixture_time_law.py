"""The law of time and mark as a mixture of normals of the (log) gap for each mark."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.special import ndtri_exp
from torch import Tensor

from smash.law.gaussian_mixtures import NormalMixture
from smash.law.next_event_law import HALVINGS
from smash.model.time_law import TimeLaw

_TOLD_APART = 1e-9
"""Difference of two logarithms, in float64, from which on it is exact enough."""
_ROUNDING = 1e-6
"""By so much z in float32 may be off."""
_FAR = 40.0
"""Standard deviations before which a normal has nothing."""


@dataclass(frozen=True)
class MixtureTimeLaw(TimeLaw):
    """p(t, k) = p(k) Σ_m w_km N(t; μ_km, s_km), log-normals of the gap where t is its logarithm.

    `log_share` (N, K) is log p(k), `by_mark` (N, K, M). Below `atom`, if there is one, all times
    are one event of the probability that lies there.
    """

    log_share: Tensor
    by_mark: NormalMixture
    atom: float | None = None

    @property
    def numbers(self) -> Tensor:
        return self.log_share

    def log_likelihood(self, time: Tensor) -> Tensor:
        """Returns log p(t, k) (N, S, K), below the atom log p(k) P(t < atom | k)."""
        density = self._at_times.log_density(time.unsqueeze(-1))
        if self.atom is not None:
            below = self._at_times.log_below(time.new_full((1, 1, 1), self.atom))
            density = torch.where(time.unsqueeze(-1) < self.atom - _ROUNDING, below, density)
        return self.log_share.unsqueeze(1) + density

    def log_density(self, time: Tensor) -> Tensor:
        return self.log_likelihood(time).logsumexp(-1)

    def log_mark(self, time: Tensor) -> Tensor:
        return self.log_likelihood(time).log_softmax(-1)

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        below = self._whole.log_below(low), self._whole.log_below(high)
        above = self._whole.log_above(high), self._whole.log_above(low)
        # The lesser of the two tails tells best what lies between.
        upper = above[1] < below[1]
        less, more = (torch.where(upper, a, b) for a, b in zip(above, below, strict=True))
        between = more + torch.log(-torch.expm1(less - more))
        middle = torch.where(low.isfinite(), (low + high) / 2, high)
        of_density = self._whole.log_density(middle) + (high - low).log()
        return torch.where(more - less > _TOLD_APART, between, of_density)

    def compensator_at(self, time: Tensor) -> Tensor:
        """Returns -log P(no event until t) (N, S), the atom's event being the first that can be."""
        if self.atom is not None:
            time = time.clamp_min(self.atom)
        return -self._whole.log_above(time)

    def invert(self, compensator: Tensor) -> Tensor:
        mean, scale = self._whole.mean, self._whole.scale
        # P(normal > μ + x s) <= exp(-x² / 2).
        reach = (2 * compensator.clamp_min(0)).sqrt().unsqueeze(-1)
        low = (mean - _FAR * scale).amin(-1).expand_as(compensator)
        high = (mean + reach * scale).amax(-1)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            later = -self._whole.log_above(middle) < compensator
            low, high = torch.where(later, middle, low), torch.where(later, high, middle)
        return (low + high) / 2

    def draw(
        self, n_samples: int, generator: torch.Generator, after: Tensor | None = None
    ) -> Tensor:
        law = self._whole
        weight, mean, scale = law.log_weight[:, 0], law.mean[:, 0], law.scale[:, 0]
        if after is not None:
            weight = weight + torch.special.log_ndtr((mean - after) / scale)
        chosen = torch.multinomial(weight.softmax(-1), n_samples, True, generator=generator)
        mean, scale = mean.gather(1, chosen), scale.gather(1, chosen)
        if after is None:
            noise = torch.randn(mean.shape, generator=generator, device=mean.device)
            return mean + scale * noise
        uniform = torch.rand(mean.shape, generator=generator, device=mean.device)
        # A normal beyond a bound, by its tail: exact however far out the bound lies.
        tail = torch.special.log_ndtr((mean - after) / scale) + torch.log1p(-uniform)
        standard = np.asarray(ndtri_exp(tail.double().cpu().numpy()))
        return torch.maximum(mean - scale * torch.from_numpy(standard).to(mean), after)

    def exact(self, growth: float) -> "MixtureTimeLaw":
        law = self.by_mark
        by_mark = NormalMixture(law.log_weight.double(), law.mean.double(), law.scale.double())
        return MixtureTimeLaw(self.log_share.double(), by_mark, self.atom)

    @cached_property
    def _at_times(self) -> NormalMixture:
        """(N, 1, K, M) the mixtures of the marks, to be asked at times (N, S, 1)."""
        law = self.by_mark
        return NormalMixture(*(part.unsqueeze(1) for part in (law.log_weight, law.mean, law.scale)))

    @cached_property
    def _whole(self) -> NormalMixture:
        """(N, 1, K M) the mixture of all marks, to be asked at times (N, S)."""
        weight = self.log_share.unsqueeze(-1) + self.by_mark.log_weight
        parts = weight, self.by_mark.mean, self.by_mark.scale
        return NormalMixture(*(part.flatten(1).unsqueeze(1) for part in parts))
