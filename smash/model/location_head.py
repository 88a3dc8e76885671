"""What every location head is: from contexts, time and mark to a law of the location.

A score head knows the gradient of the law's log density, to be followed by a chain; a density head
knows the law itself, trained by its likelihood and drawn without steps. All of it on the z scale.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler


class Context(NamedTuple):
    """The parts of N contexts (N, C).

    `whole` (N, C); `temporal`, `spatial` and `joint` (N, d), the mark's stream added to the
    temporal one; `events` (N, E): what past events were, for the heads that ask the encoder for it.
    """

    whole: Tensor
    temporal: Tensor
    spatial: Tensor
    joint: Tensor
    events: Tensor


class LocationTerms(NamedTuple):
    """What the context adds to a location head; computed once for all points of an event.

    `weight` (N, H, H; inputs by outputs, as the products of their gradients come) and `bias`
    (N, 1, H) lead from the time branch's hidden layer to the head's first layer. `own`: what else
    the head needs, known to itself alone.
    """

    weight: Tensor
    bias: Tensor
    own: tuple[Tensor, ...]


class Given(NamedTuple):
    """What a location's law is conditioned on beside its terms, at Q times of each of N events.

    `time` (N, Q, 1) on the z scale; `mixed` (N, Q, H): the head's first layer before its ReLU,
    of context, time and, under `mark_in_location`, mark; `mark` (N, Q): itself, None without.
    """

    time: Tensor
    mixed: Tensor
    mark: Tensor | None = None

    def split(self, size: int) -> Iterator["Given"]:
        """Yields what is given at `size` times at a time."""
        for start in range(0, self.time.shape[1], size):
            some = slice(start, start + size)
            mark = None if self.mark is None else self.mark[:, some]
            yield Given(self.time[:, some], self.mixed[:, some], mark)


class GrowingTerms(ABC):
    """What a head makes of the last events of P paths (`own` of its terms), kept as they grow."""

    @abstractmethod
    def append(self, told: Tensor) -> None:
        """Adds one event to each path, of which `Encoder.told` tells (P, F)."""

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Goes on with the paths `rows` alone."""

    @abstractmethod
    def own(self) -> tuple[Tensor, ...]:
        """Returns `own` of the terms of each path, the events in any order."""


class LocationHead(nn.Module, ABC):
    """The location's score ∇ log p(x | t, k, context), (N, Q, 2) at x (N, Q, 2)."""

    @abstractmethod
    def terms(
        self, context: Context, joint_terms: list[Tensor], time_last: nn.Linear
    ) -> LocationTerms:
        """Returns the terms of N contexts.

        `joint_terms` are the joint context's in each layer of a trunk, (N, H) three times;
        `time_last` is the time trunk's last map, to be folded into `weight` and `bias`.
        """

    def remembered(self, told: Tensor, n_paths: int) -> GrowingTerms | None:
        """Returns what is kept of paths whose past all share (1, L, F), or that have their own.

        `told` (1 or P, L, F) is what `Encoder.told` tells. None where nothing is worth keeping;
        else contexts need not tell of past events.
        """
        return None

    @abstractmethod
    def score(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns the score (N, Q, 2) at x (N, Q, 2)."""

    def start_at_base(self) -> None:
        """Makes the head the law that it is to start at, where it has one."""

    def draw_start(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor | None:
        """Returns places (N, S, 2) where a chain may start; None where the head knows of none."""
        return None

    def fit(self, train: EventSequences, scaler: Scaler) -> None:
        """Starts an untrained head where training data are; by default where it is."""


class DensityHead(LocationHead):
    """A head that knows log p(x | t, k, context), (N, Q) at x (N, Q, 2), and draws of it."""

    @abstractmethod
    def log_density(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns log densities (N, Q) at x (N, Q, 2)."""

    @abstractmethod
    def draw(self, given: Given, terms: LocationTerms, generator: torch.Generator) -> Tensor:
        """Returns a draw (N, Q, 2) of each of N times Q laws."""
