"""The law of time and mark that an intensity stands for, tabulated and inverted."""

import torch
from torch import Tensor

from smash.model.time_branch import EPSILON


class TimeLaw:
    """p(t, k) ∝ λ(t, k) exp(-∫ Σ_l λ) over the span of a grid, for each of N events.

    The intensity is linear between grid points, so the law is exact for the interpolated one.
    """

    def __init__(self, grid: Tensor, intensity: Tensor) -> None:
        """Takes an increasing grid (G,) and intensities (N, G, K) there."""
        self.grid, self.intensity = grid, intensity
        self.total = intensity.sum(-1)
        cells = 0.5 * (self.total[:, 1:] + self.total[:, :-1]) * grid.diff()
        zero = torch.zeros_like(cells[:, :1])
        self.compensator = torch.cat([zero, cells.cumsum(-1)], dim=-1)
        """(N, G) ∫ Σ_l λ from the grid's start."""

    def draw(
        self, n_samples: int, generator: torch.Generator, after: Tensor | None = None
    ) -> Tensor:
        """Returns times (N, S), by inverting the cumulative distribution.

        Given `after` (N, 1) the times come later: no event came until then. Where that is beyond
        the span, the intensity stays as it is at the span's end.
        """
        shape = (len(self.total), n_samples)
        uniform = torch.rand(shape, generator=generator, device=self.total.device)
        if after is None:
            mass = -torch.expm1(-self.compensator[:, -1:])
            return self.invert(-torch.log1p(-uniform * mass))
        before = self.compensator_at(after)
        mass = -torch.expm1(before - self.compensator[:, -1:])
        within = self.invert(before - torch.log1p(-uniform * mass.clamp_min(0)))
        beyond = after - torch.log1p(-uniform) / self.total[:, -1:]
        return torch.where(after < self.grid[-1], torch.maximum(within, after), beyond)

    def invert(self, compensator: Tensor) -> Tensor:
        """Returns the times (N, S) at which ∫ Σ_l λ reaches the given values (N, S)."""
        after = torch.searchsorted(self.compensator, compensator.contiguous())
        cell = (after - 1).clamp(0, len(self.grid) - 2)
        rest = (compensator - self.compensator.gather(1, cell)).clamp_min(0)
        low, high = self.total.gather(1, cell), self.total.gather(1, cell + 1)
        width = self.grid[cell + 1] - self.grid[cell]
        # Where ½ a d² + low d = rest, written so that it is stable for a small.
        slope = (high - low) / width
        root = (low.square() + 2 * slope * rest).clamp_min(0).sqrt()
        step = 2 * rest / (low + root).clamp_min(1e-30)
        return self.grid[cell] + torch.minimum(step, width)

    def intensity_at(self, time: Tensor) -> Tensor:
        """Returns λ(t, k) (N, S, K) at times (N, S), beyond the span as at its ends."""
        return self._at(time)[0]

    def compensator_at(self, time: Tensor) -> Tensor:
        """Returns ∫ Σ_l λ (N, S) from the grid's start to times (N, S)."""
        return self._at(time)[1]

    def log_likelihood(self, time: Tensor) -> Tensor:
        """Returns log λ(t, k) - ∫ Σ_l λ (N, S, K): no event may come before the span's end."""
        intensity, compensator = self._at(time)
        return (intensity + EPSILON).log() - compensator.unsqueeze(-1)

    def log_density(self, time: Tensor) -> Tensor:
        """Returns log p(t, k) (N, S, K) of an event within the span, at times (N, S) there."""
        log_mass = torch.log(-torch.expm1(-self.compensator[:, -1:]))
        return self.log_likelihood(time) - log_mass.unsqueeze(-1)

    def _at(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Returns λ(t, k) (N, S, K) and ∫ Σ_l λ (N, S) at times (N, S)."""
        inside = time.clamp(self.grid[0], self.grid[-1])
        after = torch.searchsorted(self.grid, inside.contiguous())
        cell = (after - 1).clamp(0, len(self.grid) - 2)
        width = self.grid[cell + 1] - self.grid[cell]
        offset = inside - self.grid[cell]
        rows = torch.arange(len(time), device=time.device).unsqueeze(-1)
        intensity = torch.lerp(
            self.intensity[rows, cell],
            self.intensity[rows, cell + 1],
            (offset / width).unsqueeze(-1),
        )
        middle = 0.5 * (self.total[rows, cell] + intensity.sum(-1))
        beyond = (time - self.grid[-1]).clamp_min(0)
        compensator = self.compensator[rows, cell] + middle * offset
        return intensity, compensator + self.total[:, -1:] * beyond
