"""What an intensity may start at: a hazard known before training, times a network's factor."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.model.location_head import Context


class HazardBase(nn.Module, ABC):
    """λ(t, k) of K marks on the z scale, perhaps given a history."""

    def known(self, context: Context) -> tuple[Tensor, ...]:
        """Returns what the hazard needs to know of N histories; by default nothing."""
        return ()

    @abstractmethod
    def intensity(self, t: Tensor, *known: Tensor) -> Tensor:
        """Returns λ(t, k) (N, Q, K) at times t (N, Q, 1)."""

    @abstractmethod
    def intensity_with_slope(self, t: Tensor, *known: Tensor) -> tuple[Tensor, Tensor]:
        """Returns λ(t, k) and its derivative in t, (N, Q, K) each."""

    def fit(self, train: EventSequences, scaler: Scaler, sigma_time: float) -> None:
        """Fits it to training data with noise; by default it is filled otherwise."""
