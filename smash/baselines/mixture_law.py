"""The mixture's network at N states, read as laws of next events in raw units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp
from torch import Tensor

from smash.law.gaussian_mixtures import LocationLaw
from smash.law.log_normal_times import LogNormalTimes
from smash.law.next_event_law import MarkPart, NextEventLaw, PlacePart
from smash.law.no_places import NoPlaces

if TYPE_CHECKING:
    from smash.baselines.mixture import Mixture

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def mixture_law(mixture: Mixture, state: Tensor) -> NextEventLaw:
    """Returns the laws of the events after states (N, H)."""
    law = mixture.gap_law(state)
    log_mark = _numbers(mixture.mark_head(state).log_softmax(-1))
    centre, spread = mixture.standardisation.log_gap
    log_zero = _numbers(torch.nn.functional.logsigmoid(law.atom))
    log_positive = _numbers(torch.nn.functional.logsigmoid(-law.atom))
    log_weight, mean = _numbers(law.positive.log_weight), _numbers(law.positive.mean)
    mean, scale = centre + spread * mean, spread * _numbers(law.positive.scale)
    by_mark = tuple(
        LogNormalTimes(log_zero[:, k], log_weight[:, k], mean[:, k], scale[:, k])
        for k in range(mixture.n_marks)
    )
    joint = (log_mark + log_positive)[..., None] + log_weight
    joint = joint - logsumexp(joint, axis=(1, 2), keepdims=True)
    n = len(state)
    times = LogNormalTimes(
        logsumexp(log_mark + log_zero, axis=1),
        joint.reshape(n, -1),
        mean.reshape(n, -1),
        scale.reshape(n, -1),
    )
    marks = MarksByGap(log_mark, by_mark) if mixture.n_marks > 1 else None
    places = NoPlaces() if mixture.location_head is None else NetworkPlaces(mixture, state)
    return NextEventLaw(times, places, marks)


@dataclass(frozen=True)
class MarksByGap(MarkPart):
    """p(k | τ) ∝ p(k) p(τ | k), with log p(k) `log_mark` (N, K) and the laws of each mark's gap."""

    log_mark: Floats
    times: tuple[LogNormalTimes, ...]

    def log_probability(self, gap: Floats) -> Floats:
        joint = [
            self.log_mark[:, k, None] + times.log_density(gap) for k, times in enumerate(self.times)
        ]
        return log_softmax(np.stack(joint, axis=-1), axis=-1)


@dataclass(frozen=True)
class NetworkPlaces(PlacePart):
    """Mixtures of Gaussians that the network gives at states (N, H), marks and gaps."""

    mixture: Mixture
    state: Tensor

    @torch.no_grad()
    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        standard = self.mixture.standardisation
        z = torch.from_numpy(standard.scale_location(place)).to(self.state.device)
        law = self._law(gap, mark)
        exact = LocationLaw(law.log_weight.double(), law.mean.double(), law.root.double())
        _, jacobian = standard.log_jacobians(gap)
        return _numbers(exact.log_density(z)) + jacobian

    @torch.no_grad()
    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        drawn = self._law(gap, mark).draw(generator)
        return self.mixture.standardisation.unscale_location(drawn.cpu().numpy())

    def _law(self, gap: Floats, mark: Integers | None) -> LocationLaw:
        device = self.state.device
        marks = torch.zeros(gap.shape, dtype=torch.long, device=device)
        if mark is not None:
            marks = torch.from_numpy(np.ascontiguousarray(mark)).to(device)
        z = torch.from_numpy(self.mixture.standardisation.scale_gap(gap)).to(self.state)
        zero = torch.from_numpy(gap == 0).to(device)
        return self.mixture.location_law(self.state[:, None], marks, z, zero)


def _numbers(value: Tensor) -> Floats:
    return value.detach().double().cpu().numpy()
