"""What samplers pass on: chains of draws on the z scale, and what every sampler does with marks."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from smash.data.scaling import Scaler
from smash.law.samples import Samples

FEW_MARKS = 16
"""Marks up to which sums one after the other are quicker than a scan, on a GPU."""


class Chains(NamedTuple):
    """S chains for each of N events.

    `z` (N, S, 1 + D): time and location. `mark` (N, S) and `probability` p(k | t) (N, S, K) are
    None for an unmarked model.
    """

    z: Tensor
    mark: Tensor | None
    probability: Tensor | None


@dataclass(frozen=True)
class ChainBlock:
    """All chains after `step` steps; `final` chains are denoised and finished."""

    chains: Chains
    step: int
    final: bool


def joined(parts: list[Chains], dim: int = 0) -> Chains:
    """Returns chains of several parts as one: of further events, or (`dim` 1) further draws."""
    marks = [part.mark for part in parts if part.mark is not None]
    probabilities = [part.probability for part in parts if part.probability is not None]
    return Chains(
        torch.cat([part.z for part in parts], dim=dim),
        torch.cat(marks, dim=dim) if marks else None,
        torch.cat(probabilities, dim=dim) if probabilities else None,
    )


def draw_marks(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Returns marks (N, S) drawn with probabilities in proportion to weights (N, S, K)."""
    cumulative = _running_sums(weight)
    shape = (*weight.shape[:-1], 1)
    uniform = torch.rand(shape, generator=generator, device=weight.device)
    mark = torch.searchsorted(cumulative, uniform * cumulative[..., -1:], right=True)
    return mark.squeeze(-1).clamp_max_(weight.shape[-1] - 1)


def _running_sums(weight: Tensor) -> Tensor:
    """Returns the sums (N, S, K) of weights up to each mark."""
    if not weight.is_cuda or weight.shape[-1] > FEW_MARKS:
        return weight.cumsum(-1)
    # A GPU's scan is slow along rows that are short and many.
    sums = [weight[..., 0]]
    for one in weight.unbind(-1)[1:]:
        sums.append(sums[-1] + one)
    return torch.stack(sums, -1)


def to_samples(chains: Chains, scaler: Scaler) -> Samples:
    """Returns chains as samples in raw units."""
    u = ((chains.z + 1) / 2).double().cpu().numpy()
    gap, location = scaler.unscale_gap(u[..., 0]), scaler.unscale_location(u[..., 1:])
    if chains.mark is None or chains.probability is None:
        return Samples(gap, location)
    return Samples(
        gap,
        location,
        mark=chains.mark.cpu().numpy(),
        mark_mode=chains.probability.argmax(-1).cpu().numpy(),
        mark_probability=chains.probability.mean(1).double().cpu().numpy(),
    )
