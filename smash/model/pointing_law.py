"""A law of places that mixes a background, a wide law and heavy kernels at past events."""

from dataclasses import dataclass

import torch
from torch import Tensor

from smash.model.place_background import PlaceBackground
from smash.model.place_kernels import heavy_log_density, heavy_radius, on_circle

REACH = 2.0
"""How far a kernel reaches, in half diagonals of the training data's box: over all of it."""


@dataclass(frozen=True)
class PointingLaw:
    """w₀ b(x) + w₁ u(x) + Σ_i w_i K(x - x_i; d_i, q), Q laws after each of N histories.

    `log_weight` (N, Q, 2 + R); `place` (N, R, 2) and `log_scale` (N, R), log d, of past events;
    `exponent`, q, a scalar. All in the plane's units.
    """

    log_weight: Tensor
    place: Tensor
    log_scale: Tensor
    exponent: Tensor
    background: PlaceBackground

    @property
    def reach(self) -> float:
        """How far the kernels reach."""
        return REACH * self.background.reach

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log densities (N, Q) at x (N, Q, 2)."""
        return self._parts(x).logsumexp(-1)

    def score(self, x: Tensor) -> Tensor:
        """Returns the gradient (N, Q, 2) of the log density at x (N, Q, 2)."""
        share = self._parts(x).softmax(-1)
        away, square = self._away(x)
        scale = self.log_scale.unsqueeze(1).exp().square()
        pull = -2 * self.exponent * share[..., 2:] / (square + scale)
        kernels = (pull.unsqueeze(-1) * away).sum(-2)
        background, wide = self.background.score(x), self.background.wide_score(x)
        return kernels + share[..., :1] * background + share[..., 1:2] * wide

    def draw(self, generator: torch.Generator) -> Tensor:
        """Returns a draw (N, Q, 2) of each law."""
        n, q, _ = self.log_weight.shape
        device = self.log_weight.device
        below = self.log_weight.exp().cumsum(-1)
        uniform = torch.rand((n, q, 3), generator=generator, device=device)
        chosen = torch.searchsorted(below, uniform[..., :1] * below[..., -1:], right=True)[..., 0]
        event = (chosen - 2).clamp(0, self.place.shape[1] - 1)
        rows = torch.arange(n, device=device).unsqueeze(1)
        scale, centre = self.log_scale[rows, event].exp(), self.place[rows, event]
        radius = heavy_radius(uniform[..., 1], scale, self.exponent, self.reach)
        background = self.background.draw((n, q), generator)
        wide = self.background.draw_wide((n, q), generator)
        apart = torch.where((chosen == 0).unsqueeze(-1), background, wide)
        kernel = centre + on_circle(radius, uniform[..., 2])
        return torch.where((chosen < 2).unsqueeze(-1), apart, kernel)

    def _parts(self, x: Tensor) -> Tensor:
        """Returns the logs of weight times density (N, Q, 2 + R) at x (N, Q, 2)."""
        _, square = self._away(x)
        kernels = heavy_log_density(square, self.log_scale.unsqueeze(1), self.exponent, self.reach)
        apart = [self.background.log_density(x), self.background.wide_log_density(x)]
        return self.log_weight + torch.cat([torch.stack(apart, -1), kernels], dim=-1)

    def _away(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x (N, Q, 2) less the events' places, (N, Q, R, 2), and its squares (N, Q, R)."""
        away = x.unsqueeze(2) - self.place.unsqueeze(1)
        return away, away.square().sum(-1)
