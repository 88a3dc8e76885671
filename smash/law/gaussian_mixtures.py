"""Mixtures of Gaussians in standardised units: a gap with an atom at zero, and a location."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
GAP_NUMBERS, LOCATION_NUMBERS = 3, 6
"""What a network has to give for each component."""


@dataclass(frozen=True)
class NormalMixture:
    """A mixture of M normals on a line; `log_weight`, `mean` and `scale` are (..., M)."""

    log_weight: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, raw: Tensor, least_scale: float) -> "NormalMixture":
        """Returns the mixture that a network's output (..., 3 M) stands for."""
        weight, mean, scale = raw.chunk(GAP_NUMBERS, dim=-1)
        return cls(weight.log_softmax(-1), mean, least_scale + functional.softplus(scale))

    def log_density(self, z: Tensor) -> Tensor:
        """Returns (...) log densities of z (...)."""
        standard = (z[..., None] - self.mean) / self.scale
        parts = self.log_weight - 0.5 * standard**2 - self.scale.log() - _HALF_LOG_TWO_PI
        return parts.logsumexp(-1)

    def log_below(self, z: Tensor) -> Tensor:
        """Returns (...) the log probabilities of no more than z (...)."""
        return self._log_beyond((z[..., None] - self.mean) / self.scale)

    def log_above(self, z: Tensor) -> Tensor:
        """Returns (...) the log probabilities of more than z (...)."""
        return self._log_beyond((self.mean - z[..., None]) / self.scale)

    def _log_beyond(self, standard: Tensor) -> Tensor:
        return (self.log_weight + torch.special.log_ndtr(standard)).logsumexp(-1)


@dataclass(frozen=True)
class GapLaw:
    """Zero with probability sigmoid(`atom`) (...), else a mixture (...) for the log gap z."""

    atom: Tensor
    positive: NormalMixture

    @classmethod
    def of(cls, raw: Tensor, least_scale: float) -> "GapLaw":
        """Returns the law that a network's output (..., 1 + 3 M) stands for."""
        return cls(raw[..., 0], NormalMixture.of(raw[..., 1:], least_scale))

    def log_density(self, z: Tensor, zero: Tensor) -> Tensor:
        """Returns (...) the log probability of the atom where `zero`, else the density of `z`."""
        positive = functional.logsigmoid(-self.atom) + self.positive.log_density(z)
        return torch.where(zero, functional.logsigmoid(self.atom), positive)

    def log_survival(self, z: Tensor) -> Tensor:
        """Returns (...) the log probability of a gap whose log is more than `z`."""
        return functional.logsigmoid(-self.atom) + self.positive.log_above(z)


@dataclass(frozen=True)
class LocationLaw:
    """A mixture of M Gaussians in the plane.

    `log_weight` (..., M), `mean` (..., M, 2); `root` (..., M, 3) holds a, b and c of the
    covariances' lower triangular roots [[a, 0], [c, b]].
    """

    log_weight: Tensor
    mean: Tensor
    root: Tensor

    @classmethod
    def of(cls, raw: Tensor, least_scale: float) -> "LocationLaw":
        """Returns the law that a network's output (..., 6 M) stands for."""
        weight, x, y, a, b, c = raw.chunk(LOCATION_NUMBERS, dim=-1)
        a, b = least_scale + functional.softplus(a), least_scale + functional.softplus(b)
        mean, root = torch.stack([x, y], dim=-1), torch.stack([a, b, c], dim=-1)
        return cls(weight.log_softmax(-1), mean, root)

    def stretched(self, factor: tuple[float, float]) -> "LocationLaw":
        """Returns the law of locations times a factor for each coordinate."""
        by_x, by_y = factor
        mean = self.mean * self.mean.new_tensor([by_x, by_y])
        root = self.root * self.root.new_tensor([by_x, by_y, by_y])
        return LocationLaw(self.log_weight, mean, root)

    def log_density(self, location: Tensor) -> Tensor:
        """Returns (...) log densities of locations (..., 2)."""
        _, _, parts = self._at(location)
        return parts.logsumexp(-1) - 2 * _HALF_LOG_TWO_PI

    def score(self, location: Tensor) -> Tensor:
        """Returns (..., 2) the gradient of the log density in locations (..., 2)."""
        first, second, parts = self._at(location)
        a, b, c = self.root.unbind(-1)
        by_x, by_y = (c * second / b - first) / a, -second / b
        return (parts.softmax(-1)[..., None, :] @ torch.stack([by_x, by_y], dim=-1)).squeeze(-2)

    def _at(self, location: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns locations (..., 2) standardised by each component, and its part of the density.

        (..., M) each: the two coordinates, and the log of weight times density without its 2 π.
        """
        dx, dy = (location[..., None, :] - self.mean).unbind(-1)
        a, b, c = self.root.unbind(-1)
        first = dx / a
        second = (dy - c * first) / b
        parts = self.log_weight - 0.5 * (first**2 + second**2) - a.log() - b.log()
        return first, second, parts

    def draw(self, generator: torch.Generator) -> Tensor:
        """Returns (..., 2) a draw from each law."""
        shape, device = self.log_weight.shape[:-1], self.log_weight.device
        below = self.log_weight.exp().cumsum(-1)[..., :-1]
        uniform = torch.rand((*shape, 1), generator=generator, device=device)
        chosen = (uniform >= below).sum(-1, keepdim=True)[..., None]
        mean = self.mean.take_along_dim(chosen, -2)[..., 0, :]
        a, b, c = self.root.take_along_dim(chosen, -2)[..., 0, :].unbind(-1)
        first, second = torch.randn((*shape, 2), generator=generator, device=device).unbind(-1)
        return mean + torch.stack([a * first, c * first + b * second], dim=-1)
