"""What every law of time and mark of a likelihood-trained model gives, on the z scale."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class TimeLaw(ABC):
    """The laws p(t, k) of N events' times on the z scale and marks, K of them."""

    @property
    @abstractmethod
    def numbers(self) -> Tensor:
        """Some tensor of the law's, on its device and as exact as it is."""

    @abstractmethod
    def log_likelihood(self, time: Tensor) -> Tensor:
        """Returns log p(t, k) (N, S, K) at times (N, S)."""

    @abstractmethod
    def log_density(self, time: Tensor) -> Tensor:
        """Returns log p(t) (N, S) at times (N, S)."""

    @abstractmethod
    def log_mark(self, time: Tensor) -> Tensor:
        """Returns log p(k | t) (N, S, K) at times (N, S), wherever they are."""

    @abstractmethod
    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """Returns log P(low < t <= high) (N, S) of times `low` < `high` (N, S).

        As exact for little mass as for much. `low` may be -∞.
        """

    @abstractmethod
    def compensator_at(self, time: Tensor) -> Tensor:
        """Returns -log P(no event until t) (N, S) at times (N, S)."""

    @abstractmethod
    def invert(self, compensator: Tensor) -> Tensor:
        """Returns the times (N, S) at which the compensator reaches the given values (N, S)."""

    @abstractmethod
    def draw(
        self, n_samples: int, generator: torch.Generator, after: Tensor | None = None
    ) -> Tensor:
        """Returns times (N, S); given `after` (N, 1) they come later: no event came until then."""

    @abstractmethod
    def exact(self, growth: float) -> "TimeLaw":
        """Returns the law in float64, without an end where raw time grows with z as exp(growth z).

        See `smash.model.grid_time_law.GridTimeLaw` for what then lies beyond a grid.
        """
