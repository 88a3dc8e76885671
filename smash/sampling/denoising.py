"""From a draw of the noised law towards the data's: nothing, a posterior mean, a posterior draw.

The network knows the law of z = x + σ ε. Given such a z, x has mean z + σ² s(z) (Tweedie) and, to
second order, covariance σ² (I + σ² ∇s(z)). Leaving z as it is gives forecasts that are too wide,
the mean alone ones that are too narrow. A σ of 0, as of times under a likelihood, moves nothing.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Denoise = Literal["none", "tweedie", "posterior"]
PROBE = 0.1
"""Distance, in σ, over which the score's derivatives are taken by differences."""


def denoise(
    time_score: Callable[[Tensor], Tensor],
    location_score: Callable[[Tensor], Tensor],
    z: Tensor,
    sigma: Tensor,
    how: Denoise,
    generator: torch.Generator,
) -> Tensor:
    """Returns z (N, S, 1 + D) denoised, time and location apart.

    Args:
        time_score: of times (N, S, 1), given the draws' marks, (N, S).
        location_score: of locations (N, S, D), given the draws' times and marks, (N, S, D).
        z: draws of the noised law.
        sigma: (1 + D,) noise scales.
        how: what is wanted in place of z.
        generator: source of the posterior's noise.
    """
    if how == "none" or not sigma.any():
        return z
    t, x = z[..., :1], z[..., 1:]
    by_time, by_place = time_score(t), location_score(x)
    mean = z + sigma.square() * torch.cat([by_time.unsqueeze(-1), by_place], dim=-1)
    if how == "tweedie":
        return mean
    # Towards the middle, as a tabulated score ends where the times do.
    inward = torch.where(t > 0, -PROBE, PROBE)
    time_slope = (time_score(t + sigma[0] * inward) - by_time) / inward.squeeze(-1)
    place_slopes = [
        (location_score(x + shift) - by_place) / PROBE
        for shift in torch.diag(PROBE * sigma[1:]).unbind()
    ]
    noise = torch.randn(z.shape, generator=generator, device=z.device)
    return mean + sigma * _posterior_spread(time_slope, place_slopes, sigma, noise)


def _posterior_spread(
    time_slope: Tensor, place_slopes: list[Tensor], sigma: Tensor, noise: Tensor
) -> Tensor:
    """Returns (I + σ² ∇s)^½ ε (N, S, 1 + D), time by itself and the location's 2 × 2 block.

    The slopes are those of the score per σ: of time (N, S), in x and in y (N, S, 2) each; of events
    without places, D = 0, there are none of these.
    """
    time = (1 + sigma[0] * time_slope).clamp(0, 1).sqrt() * noise[..., 0]
    if not place_slopes:
        return time.unsqueeze(-1)
    by_x, by_y = place_slopes
    a = 1 + sigma[1] * by_x[..., 0]
    d = 1 + sigma[2] * by_y[..., 1]
    # A network's score need not be a gradient; only the symmetric part is a covariance.
    b = 0.5 * (sigma[1] * by_y[..., 0] + sigma[2] * by_x[..., 1])
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
