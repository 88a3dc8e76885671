"""Denoising score matching of time and location, and the loss of the mark."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from smash.model.score_network import ContextTerms, Evaluation, ScoreNet
from smash.model.time_branch import EPSILON
from smash.settings import ModelSettings, ObjectiveSettings


class Loss(NamedTuple):
    """The loss and its parts, scalars; `total` is what is minimised."""

    total: Tensor
    time: Tensor
    location: Tensor
    mark: Tensor


def noise_scale(settings: ModelSettings, device: torch.device | str = "cpu") -> Tensor:
    """Returns sigma (3,) of time and both coordinates, on the z scale."""
    return torch.tensor(
        [settings.sigma_time, settings.sigma_loc, settings.sigma_loc], device=device
    )


def denoising_errors(
    evaluation: Evaluation, mark: Tensor | None, noise: Tensor, sigma: Tensor
) -> Tensor:
    """Returns ½ σ² (s(z + σ ε) + ε / σ)² for each coordinate, (N, Q, 1 + D)."""
    return 0.5 * (sigma * evaluation.score(mark) + noise).square()


def mark_errors(probability: Tensor, mark: Tensor, smooth: float) -> Tensor:
    """Returns the cross-entropy (N, Q) of p (N, Q, K) against marks (N, Q).

    With smoothing s the target is 1 - s on the true mark and s / K on each other; as published, it
    does not sum to one.
    """
    n_marks = probability.shape[-1]
    log_probability = (probability + EPSILON).log()
    true = F.one_hot(mark, n_marks).to(probability.dtype)
    target = true * (1 - smooth) + (1 - true) * (smooth / n_marks)
    return -(target * log_probability).sum(-1)


def score_matching_loss(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
    settings: ObjectiveSettings,
    weight: Tensor | None = None,
) -> Loss:
    """Returns the mean loss of N events.

    Args:
        network: the score network.
        terms: context terms of the N events.
        z: (N, 1 + D) clean time and location on the z scale.
        mark: (N,) marks, or None.
        noise: (N, Q, 1 + D) standard normal draws.
        sigma: (1 + D,) noise scales.
        settings: weights of the parts.
        weight: (N,) of the events, 1 in all; equal ones if None.
    """
    marks = None if mark is None else mark[:, None].expand(noise.shape[:2])
    evaluation = network(z[:, None, :] + sigma * noise, terms, marks)
    errors = _mean(denoising_errors(evaluation, marks, noise, sigma), weight)
    # The mean over three coordinates, as published; without places over the time alone.
    time, location = errors[0] / len(errors), errors[1:].sum() / len(errors)
    if marks is None:
        return Loss(time + location, time, location, torch.zeros_like(time))
    by_mark = mark_errors(evaluation.mark_probability(), marks, settings.smooth)
    mark_loss = by_mark.mean() if weight is None else _mean(by_mark, weight)
    total = time + settings.loss_lambda2 * location + settings.loss_lambda * mark_loss
    return Loss(total, time, location, mark_loss)


def _mean(errors: Tensor, weight: Tensor | None) -> Tensor:
    """Returns the mean of errors (N, Q, ...) over events and copies."""
    if weight is None:
        return errors.mean((0, 1))
    return torch.tensordot(weight, errors.mean(1), dims=1)
