"""The law of time and mark that an intensity stands for, tabulated and inverted."""

import torch
from torch import Tensor

from smash.model.time_branch import EPSILON
from smash.model.time_law import TimeLaw

_TOLD_APART = 1e-9
"""Share of a compensator, in float64, from which on a difference of two is exact enough."""
_LEAST = 1e-30
"""Least value of a compensator that a logarithm is taken of."""


class GridTimeLaw(TimeLaw):
    """p(t, k) = λ(t, k) exp(-∫ Σ_l λ) for each of N events, with λ linear between grid points.

    Without `growth` times end with the grid: the law is that of times within, as the published
    chain's is. With `growth` c they do not: beyond the grid's ends the rate in raw time stays
    what it is there. Raw time grows with z as exp(c z) (c = 0: as z), so that on the z scale

        λ(t) = λ₁ exp(c (t - t₁)) beyond either end t₁; nothing before the first where c = 0.
    """

    def __init__(self, grid: Tensor, intensity: Tensor, growth: float | None = None) -> None:
        """Takes an increasing grid (G,), intensities (N, G, K) there and what lies beyond it."""
        self.grid, self.intensity, self.growth = grid, intensity, growth
        self.total = intensity.sum(-1)
        cells = 0.5 * (self.total[:, 1:] + self.total[:, :-1]) * grid.diff()
        before = self.total[:, :1] / growth if growth else torch.zeros_like(cells[:, :1])
        self.compensator = torch.cat([before, before + cells.cumsum(-1)], dim=-1)
        """(N, G) ∫ Σ_l λ up to each grid point."""

    @property
    def numbers(self) -> Tensor:
        return self.total

    def exact(self, growth: float) -> "GridTimeLaw":
        return GridTimeLaw(self.grid.double(), self.intensity.double(), growth)

    def draw(
        self, n_samples: int, generator: torch.Generator, after: Tensor | None = None
    ) -> Tensor:
        """Returns times (N, S), later than `after` (N, 1), by inverting the distribution.

        Of a law that ends with the grid the intensity stays as it is at the end, where `after` is
        beyond.
        """
        shape = (len(self.total), n_samples)
        uniform = torch.rand(shape, generator=generator, device=self.total.device)
        if self.growth is not None:
            if after is None:
                return self.invert(-torch.log1p(-uniform))
            later = self.invert(self.compensator_at(after) - torch.log1p(-uniform))
            return torch.maximum(later, after)
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
        within = self.grid[cell] + torch.minimum(step, width)
        return within if self.growth is None else within + self._beyond(compensator, self.growth)

    def intensity_at(self, time: Tensor) -> Tensor:
        """Returns λ(t, k) (N, S, K) at times (N, S)."""
        return self._at(time)[0]

    def compensator_at(self, time: Tensor) -> Tensor:
        """Returns ∫ Σ_l λ (N, S) up to times (N, S)."""
        return self._at(time)[1]

    def log_likelihood(self, time: Tensor) -> Tensor:
        """Returns log λ(t, k) - ∫ Σ_l λ (N, S, K) at times (N, S)."""
        intensity, compensator = self._at(time)
        return (intensity + EPSILON).log() - compensator.unsqueeze(-1)

    def log_density(self, time: Tensor) -> Tensor:
        """Returns log p(t) (N, S) at times (N, S), within the grid where the law ends with it."""
        intensity, compensator = self._at(time)
        density = intensity.sum(-1).log() - compensator
        if self.growth is not None:
            return density
        return density - torch.log(-torch.expm1(-self.compensator[:, -1:]))

    def log_mark(self, time: Tensor) -> Tensor:
        """Returns log p(k | t) (N, S, K): shares of the rate, beyond the grid those of its ends."""
        inside = time.clamp(self.grid[0], self.grid[-1])
        return self.log_likelihood(inside).log_softmax(-1)

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """Returns log P(low < t <= high) (N, S) of times `low` < `high` (N, S).

        As exact for little mass as for much: cumulatives that are equal to the last digit have no
        difference, but the rate between them is known.
        """
        rate, before = self._at(low)
        rate_after, after = self._at(high)
        middle = 0.5 * (rate.sum(-1) + rate_after.sum(-1) + 2 * EPSILON) * (high - low)
        between = torch.where(after - before > _TOLD_APART * after, after - before, middle)
        return torch.log(-torch.expm1(-between)) - before

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
        compensator = self.compensator[rows, cell] + middle * offset
        early, late = (time - self.grid[0]).clamp_max(0), (time - self.grid[-1]).clamp_min(0)
        if not self.growth:
            return intensity, compensator + self.total[:, -1:] * late
        faster = (self.growth * (early + late)).exp()
        later = self.total[:, -1:] * (self.growth * late).expm1() / self.growth
        compensator = torch.where(early < 0, self.compensator[:, :1] * faster, compensator + later)
        return intensity * faster.unsqueeze(-1), compensator

    def _beyond(self, compensator: Tensor, growth: float) -> Tensor:
        """Returns how far beyond the grid (N, S) ∫ Σ_l λ reaches given values; 0 within."""
        first, last = self.compensator[:, :1], self.compensator[:, -1:]
        late = (compensator - last).clamp_min(0) / (self.total[:, -1:] + EPSILON)
        if not growth:
            return late
        early = (compensator.clamp_min(_LEAST) / first.clamp_min(_LEAST)).log().clamp_max(0)
        return ((growth * late).log1p() + early) / growth
