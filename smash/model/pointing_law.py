"""A law of places: a background, a wide law, Gaussians, and heavy kernels at past events."""

from dataclasses import dataclass

import torch
from torch import Tensor

from smash.law.gaussian_mixtures import LocationLaw
from smash.model.place_background import PlaceBackground
from smash.model.place_kernels import heavy_log_density, heavy_radius, on_circle

APART = 3
"""Parts that are no kernels: background, wide law, Gaussians."""
REACH = 2.0
"""How far a kernel reaches, in half diagonals of the training data's box: over all of it."""


@dataclass(frozen=True)
class PointingLaw:
    """w₀ b(x) + w₁ u(x) + w₂ g(x) + Σ_i w_i K(x - x_i; d_i, q), Q laws after each of N histories.

    `log_weight` (N, Q, 3 + R); `gaussians`, g, (N, Q) laws; `place` (N, R, 2) and
    `log_scale` (N, R), log d, of past events; `exponent`, q, a scalar. All in the plane's units.
    """

    log_weight: Tensor
    gaussians: LocationLaw
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
        pull = -2 * self.exponent * share[..., APART:] / (square + scale)
        kernels = (pull.unsqueeze(-1) * away).sum(-2)
        apart = [
            self.background.score(x),
            self.background.wide_score(x),
            self.gaussians.score(x),
        ]
        return kernels + (share[..., :APART].unsqueeze(-1) * torch.stack(apart, -2)).sum(-2)

    def draw(self, generator: torch.Generator) -> Tensor:
        """Returns a draw (N, Q, 2) of each law."""
        n, q, _ = self.log_weight.shape
        device = self.log_weight.device
        below = self.log_weight.exp().cumsum(-1)
        uniform = torch.rand((n, q, 3), generator=generator, device=device)
        chosen = torch.searchsorted(below, uniform[..., :1] * below[..., -1:], right=True)[..., 0]
        event = (chosen - APART).clamp(0, self.place.shape[1] - 1)
        rows = torch.arange(n, device=device).unsqueeze(1)
        scale, centre = self.log_scale[rows, event].exp(), self.place[rows, event]
        radius = heavy_radius(uniform[..., 1], scale, self.exponent, self.reach)
        background = self.background.draw((n, q), generator)
        wide = self.background.draw_wide((n, q), generator)
        kernel = centre + on_circle(radius, uniform[..., 2])
        either = [background, wide, self.gaussians.draw(generator), kernel]
        part = chosen.clamp_max(APART)[..., None, None].expand(n, q, 1, 2)
        return torch.stack(either, -2).gather(-2, part).squeeze(-2)

    def _parts(self, x: Tensor) -> Tensor:
        """Returns the logs of weight times density (N, Q, 3 + R) at x (N, Q, 2)."""
        _, square = self._away(x)
        kernels = heavy_log_density(square, self.log_scale.unsqueeze(1), self.exponent, self.reach)
        apart = [
            self.background.log_density(x),
            self.background.wide_log_density(x),
            self.gaussians.log_density(x),
        ]
        return self.log_weight + torch.cat([torch.stack(apart, -1), kernels], dim=-1)

    def _away(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x (N, Q, 2) less the events' places, (N, Q, R, 2), and its squares (N, Q, R)."""
        away = x.unsqueeze(2) - self.place.unsqueeze(1)
        return away, away.square().sum(-1)
