"""The location's score at several levels of noise, by which a chain finds all of its modes.

Between modes that lie far apart there are no data, so that the score of little noise does not know
how much each weighs, nor does a chain get across. With much noise they are one, and the chain goes
down from there, level by level (Song, Ermon, NeurIPS 2019, arXiv 1907.05600). The levels' errors
weigh σ², the residual is divided by σ, and a level has a shift of the trunk's first layer.
"""

import torch
from torch import Tensor, nn

from smash.model.location_head import Given, LocationTerms
from smash.model.score_head import ScoreHead

GREATEST = 1.0
"""The first level on the z scale, on which places lie in [-1, 1]."""


def noise_levels(sigma_loc: float, n_levels: int) -> Tensor:
    """Returns the levels (n,), falling geometrically from `GREATEST` to `sigma_loc`."""
    share = torch.linspace(0, 1, n_levels)
    return max(GREATEST, sigma_loc) ** (1 - share) * sigma_loc**share


class LevelScoreHead(ScoreHead):
    """∇ log p(x | t, k) of places with noise of each level; `score` is that of the least.

    `LevelScoreHead(16, 4, 64, noise_levels(0.05, 8))`.
    """

    levels: Tensor

    def __init__(self, size: int, n_streams: int, units: int, levels: Tensor) -> None:
        super().__init__(size, n_streams, units)
        self.register_buffer("levels", levels, persistent=False)
        self.level = nn.Embedding(len(levels), units)
        nn.init.zeros_(self.level.weight)

    def score(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns the score (N, Q, 2) at x (N, Q, 2), with noise of the least level."""
        return self.score_at(x, given, terms, torch.tensor([len(self.levels) - 1], device=x.device))

    def score_at(self, x: Tensor, given: Given, terms: LocationTerms, level: Tensor) -> Tensor:
        """Returns the score (N, Q, 2) at x (N, Q, 2) with noise of levels (Q,) or (1,)."""
        residual = self.residual(x, given, terms, self.level(level))
        return residual / self.levels[level].unsqueeze(-1)

    def errors(self, x: Tensor, noise: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns ½ σ² |s(x + σ ε, σ) + ε / σ|² (N, Q) of x (N, 1, 2), the levels in turn."""
        level = torch.arange(noise.shape[1], device=x.device) % len(self.levels)
        sigma = self.levels[level].unsqueeze(-1)
        score = self.score_at(x + sigma * noise, given, terms, level)
        return 0.5 * (sigma * score + noise).square().sum(-1)
