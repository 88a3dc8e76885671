"""From a draw of the noised law towards the data's: nothing, a posterior mean, a posterior draw.

The network knows the law of z = x + σ ε. Given such a z, x has mean z + σ² s(z) (Tweedie) and, to
second order, covariance σ² (I + σ² ∇s(z)). Leaving z as it is gives forecasts that are too wide,
the mean alone ones that are too narrow. A σ of 0, as of times under a likelihood, moves nothing.
"""

from typing import Literal

import torch
from torch import Tensor

from smash.scorenet import ContextTerms, ScoreNet

Denoise = Literal["none", "tweedie", "posterior"]
PROBE = 0.1
"""Distance, in σ, over which the score's derivatives are taken by differences."""


def denoise(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    sigma: Tensor,
    how: Denoise,
    generator: torch.Generator,
) -> Tensor:
    """Returns z (N, S, 3) denoised; time and location apart, given the marks (N, S)."""
    if how == "none":
        return z
    score = network(z, terms, mark).score(mark)
    mean = z + sigma.square() * score
    if how == "tweedie":
        return mean
    slopes = [
        (network(z + step, terms, mark).score(mark) - score) / PROBE
        for step in torch.diag(PROBE * sigma).unbind()
    ]  # of σ s in each direction, in units of σ: three times (N, S, 3)
    noise = torch.randn(z.shape, generator=generator, device=z.device)
    spread = _posterior_spread(slopes, sigma, noise)
    return mean + sigma * spread


def _posterior_spread(slopes: list[Tensor], sigma: Tensor, noise: Tensor) -> Tensor:
    """Returns (I + σ² ∇s)^½ ε (N, S, 3), time by itself and the location's 2 × 2 block."""
    by_time, by_x, by_y = slopes
    time = (1 + sigma[0] * by_time[..., 0]).clamp(0, 1).sqrt() * noise[..., 0]
    a = 1 + sigma[1] * by_x[..., 1]
    d = 1 + sigma[2] * by_y[..., 2]
    # A network's score need not be a gradient; only the symmetric part is a covariance.
    b = 0.5 * (sigma[1] * by_y[..., 1] + sigma[2] * by_x[..., 2])
    location = _root_times(a, b, d, noise[..., 1:])
    return torch.cat([time.unsqueeze(-1), location], dim=-1)


def _root_times(a: Tensor, b: Tensor, d: Tensor, vector: Tensor) -> Tensor:
    """Returns A^½ v for A = [[a, b], [b, d]] with its eigenvalues clamped to [0, 1]."""
    middle, half = (a + d) / 2, (a - d) / 2
    radius = torch.hypot(half, b)
    high, low = ((middle + r).clamp(0, 1).sqrt() for r in (radius, -radius))
    # A^½ = (√high + √low) / 2 + (√high - √low) / 2 · [[half, b], [b, -half]] / radius.
    difference = (high - low) / (2 * radius.clamp_min(1e-12))
    x, y = vector.unbind(-1)
    mean = (high + low) / 2
    return torch.stack(
        [
            mean * x + difference * (half * x + b * y),
            mean * y + difference * (b * x - half * y),
        ],
        dim=-1,
    )
