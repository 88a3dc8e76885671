"""Places drawn by a chain that goes down through levels of noise, `smash.model.noise_levels`."""

import math

import torch
from torch import Tensor

from smash.model.location_head import Given, LocationTerms
from smash.model.noise_levels import LevelScoreHead

STEP = 0.5
"""A step's size in units of the level's σ²."""


def annealed_places(
    head: LevelScoreHead,
    terms: LocationTerms,
    given: Given,
    n_steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Returns places (N, S, 2) with the least level's noise, after about `n_steps` steps in all.

    Each level has as many, at least one.
    """
    shape = (*given.time.shape[:2], 2)

    def noise() -> Tensor:
        return torch.randn(shape, generator=generator, device=given.time.device)

    x = float(head.levels[0]) * noise()
    for level, sigma in enumerate(head.levels.tolist()):
        at = torch.tensor([level], device=x.device)
        size = STEP * sigma**2
        for _ in range(max(1, n_steps // len(head.levels))):
            score = head.score_at(x, given, terms, at)
            x = x.add(score, alpha=0.5 * size).add_(noise(), alpha=math.sqrt(size))
    return x
