"""A heavy-tailed kernel in the plane, K(r) = (q - 1) / π · d^{2(q-1)} (r² + d²)^{-q}.

The spatial law of aftershocks in ETAS (Ogata 1998, eq. 2.4). Up to r it holds 1 - (1 + r²/d²)^{1-q}
of its mass. Below q = 1.5 a distance drawn of it has no mean; cut off at a radius ρ and normalised
anew it has all moments.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def heavy_log_density(
    square: Tensor, log_scale: Tensor, exponent: Tensor, reach: float = math.inf
) -> Tensor:
    """Returns log K (...) at squared distances, with log d and q; 0 mass beyond `reach`."""
    log_square = 2 * log_scale
    total = (square + log_square.exp()).log()
    log_density = ((exponent - 1) / math.pi).log() + (exponent - 1) * log_square - exponent * total
    if math.isinf(reach):
        return log_density
    inside = log_density - log_mass(log_scale, exponent, reach)
    return inside.masked_fill(square > reach**2, -math.inf)


def log_mass(log_scale: Tensor, exponent: Tensor, reach: float) -> Tensor:
    """Returns the log of the kernel's mass up to a distance."""
    beyond = (1 - exponent) * F.softplus(2 * (math.log(reach) - log_scale))
    return torch.log(-torch.expm1(beyond))


def heavy_radius(
    uniform: Tensor, scale: Tensor, exponent: Tensor, reach: float = math.inf
) -> Tensor:
    """Returns distances (...) whose share of the mass, up to `reach`, is 1 - `uniform` (...)."""
    left = 1 - uniform  # in (0, 1]
    if not math.isinf(reach):
        mass = log_mass(scale.log(), exponent, reach).exp()
        left = 1 - mass * uniform
    return scale * torch.expm1(-left.log() / (exponent - 1)).clamp_min(0).sqrt()


def on_circle(radius: Tensor, turn: Tensor) -> Tensor:
    """Returns points (..., 2) at distances (...) in directions of so many full turns (...)."""
    angle = 2 * math.pi * turn
    return radius.unsqueeze(-1) * torch.stack([angle.cos(), angle.sin()], dim=-1)
