"""The trunk of a time branch, from which location heads learn the time."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.model.layers import context_maps, layer_terms, trunk
from smash.model.linear import linear
from smash.model.location_head import Context


class TimeTerms(NamedTuple):
    """What the context adds to a time branch; computed once for all times of an event.

    `layers` (N, 1, H) each: terms of the trunk's three layers, biases included. `own`: what else
    the branch needs, known to itself alone.
    """

    layers: tuple[Tensor, ...]
    own: tuple[Tensor, ...]


class TimeTrunk(nn.Module, ABC):
    """A trunk h₁ = ReLU(w t + c₁), h₂ = ReLU(W h₁ + c₂), h₃ = ReLU(W h₂ + c₃) and a linear map.

    The terms c are linear in the joint and the temporal (and mark) contexts. A branch knows the law
    of time and mark beside.
    """

    def __init__(self, size: int, units: int) -> None:
        """Takes the width of a context's streams and H."""
        super().__init__()
        self.trunk = trunk(1, units)
        self.temporal = context_maps(size, units)
        self.joint = context_maps(size, units)

    @abstractmethod
    def own_terms(self, context: Context) -> tuple[Tensor, ...]:
        """Returns the terms that the branch itself needs of N contexts."""

    @abstractmethod
    def fit(self, train: EventSequences, scaler: Scaler, sigma_time: float) -> None:
        """Starts an untrained branch where training data are, as far as it can be."""

    @property
    def last(self) -> nn.Linear:
        """The trunk's map after its last ReLU layer; what reads the trunk folds it in."""
        *_, last = self.trunk
        return last

    def joint_terms(self, joint: Tensor) -> list[Tensor]:
        """Returns what joint contexts (N, d) add to each layer of a trunk, (N, H) three times."""
        return [layer(joint) for layer in self.joint]

    def terms(self, context: Context, joint_terms: list[Tensor]) -> TimeTerms:
        """Returns the terms of N contexts, whose joint part adds `joint_terms`."""
        layers = layer_terms(self.temporal, context.temporal, joint_terms, self.trunk)
        return TimeTerms(layers, self.own_terms(context))

    def hidden(self, t: Tensor, terms: TimeTerms) -> Tensor:
        """Returns the trunk's last ReLU layer (N, Q, H) at times t (N, Q, 1)."""
        first, *rest, _ = self.trunk
        hidden = (t * first.weight[:, 0]).add_(terms.layers[0]).relu_()
        for layer, term in zip(rest, terms.layers[1:], strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
        return hidden
