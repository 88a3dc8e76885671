"""Time and mark by exact likelihood; location by score matching at the event's own time.

On the z scale of the (log) gap the law of time and mark is λ(t, k) exp(-∫ Σ_l λ), an integral in
one dimension. The intensity is taken as linear between the points of the model's grid, where the
integral is exact, and the same law is what `sampling.inverse_cdf` draws from. Unlike a score,
which p / (S + c) leaves unchanged for every c ≥ 0, the likelihood tells the rate itself: what a
model leaves beyond the grid's end is lost to it. Under `time_law: mixture` that law is given
outright (`smash.model.mixture_time_law`).

The location's score is learned at the clean time, as the sampler asks for it at times that carry
no noise.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.model.location_head import DensityHead, Given
from smash.model.noise_levels import LevelScoreHead
from smash.model.score_matching import Loss
from smash.model.score_network import ContextTerms, ScoreNet
from smash.settings import ObjectiveSettings

Floats = NDArray[np.float64]
BLOCK_EVENTS = 128


def likelihood_loss(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
    settings: ObjectiveSettings,
) -> Loss:
    """Returns the mean loss of N events: -log p(t), -log p(k | t) and the location's score.

    Arguments are those of `smash.model.score_matching.score_matching_loss`; of `noise`
    (N, Q, 1 + D) only the location's part is used.
    """
    log_likelihood = network.time_law(terms, len(z)).log_likelihood(z[:, :1])[:, 0]
    time = -log_likelihood.logsumexp(-1).mean()
    location = location_loss(network, terms, z, mark, noise[..., 1:], sigma[1:])
    mark_loss = torch.zeros_like(time)
    if mark is not None:
        mark_loss = -log_likelihood.log_softmax(-1).gather(1, mark[:, None]).mean()
    total = time + mark_loss + settings.loss_lambda2 * location
    return Loss(total, time, location, mark_loss)


def survival_loss(network: ScoreNet, terms: ContextTerms, left: Tensor) -> Loss:
    """Returns the mean of -log P(no event until `left`) (M,) after M last events."""
    time = network.time_law(terms, len(left)).compensator_at(left[:, None]).mean()
    nothing = torch.zeros_like(time)
    return Loss(time, time, nothing, nothing)


def location_loss(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
) -> Tensor:
    """Returns Σ ½ σ² (s(x + σ ε) + ε / σ)² / 3, or -log p(x | t, k) of a head that knows it.

    The published mean is over three coordinates; so `loss_lambda2` weighs the same here.
    """
    given, x = _given(network, terms, z, mark), z[:, None, 1:]
    if isinstance(network.location, DensityHead):
        return -network.location.log_density(x, given, terms.location).mean()
    if isinstance(network.location, LevelScoreHead):
        return network.location.errors(x, noise, given, terms.location).mean() / 3
    score = network.location.score(x + sigma * noise, given, terms.location)
    return 0.5 * (sigma * score + noise).square().sum(-1).mean() / 3


def _given(network: ScoreNet, terms: ContextTerms, z: Tensor, mark: Tensor | None) -> Given:
    """Returns the times and marks, one of each event, that locations are conditioned on."""
    time = z[:, None, :1]
    mixed = network.mixed(time, terms)
    return network.given(time, mixed, None if mark is None else mark[:, None])
