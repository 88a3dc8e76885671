"""What location heads that point at past events share: how a network weighs these.

A head has a parametric law, by which event i weighs w_i; the network makes of that
w_i exp(a_i + q(t, k, context) · κ_i), with a_i and the key κ_i from event i's features and the
query q from context, time and mark, from which also comes what is added to the logits of the laws
that stand beside those of events. a_i and q start at 0: untrained the law is the parametric one.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from smash.model.key_features import (
    LATEST,
    N_FEATURES,
    closeness,
    of_crowd,
    of_rank,
    of_square,
    of_time,
)
from smash.model.linear import linear
from smash.model.location_head import Context, DensityHead, Given, LocationTerms
from smash.model.plane import Plane, RecentEvents, recent_events

QUERY, KEY_UNITS = 8, 32
"""Width of queries and keys, and of the network that makes keys."""
DRAWN_WEIGHTS = 2**22
"""Weights of events worked out at a time for draws."""


class Keys(NamedTuple):
    """What a network adds to R events of N histories: `start` and `scale` (N, R), `key` (N, R, D).

    `start` to their logits, `scale` to the logs of their kernels' scales; both start at 0.
    """

    start: Tensor
    scale: Tensor
    key: Tensor


class PlaceLaw(Protocol):
    """Laws (N, Q) of places in the plane."""

    def log_density(self, location: Tensor, /) -> Tensor:
        """Returns log densities (N, Q) at places (N, Q, 2)."""

    def score(self, location: Tensor, /) -> Tensor:
        """Returns their gradients (N, Q, 2)."""

    def draw(self, generator: torch.Generator, /) -> Tensor:
        """Returns a draw (N, Q, 2) of each."""


class PointingHead(DensityHead):
    """A law of places that points at the last R events, which the encoder's contexts carry."""

    log_unit_time: Tensor
    """log τ, of the mean gap, in which times are measured."""
    recorded_gaps = False
    """True where gaps between past events count as recorded, not as the middles of cells."""

    def __init__(self, n_encoded: int, n_recent: int, plane: Plane) -> None:
        super().__init__()
        self.n_encoded, self.n_recent, self.plane = n_encoded, n_recent, plane

    def make_networks(self, units: int, n_marks: int, n_apart: int) -> None:
        """Makes the networks, of `n_apart` laws beside those of events; they add nothing yet."""
        self.context = nn.Linear(self.n_encoded, units)
        self.time = nn.Linear(units, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.query = nn.Linear(units, n_apart + QUERY)
        self.mark = nn.Embedding(n_marks, QUERY)
        self.key_hidden = nn.Linear(N_FEATURES + QUERY, KEY_UNITS)
        self.key = nn.Linear(KEY_UNITS, QUERY)
        self.key_start = nn.Linear(KEY_UNITS, 2)
        self.register_buffer("log_unit_time", torch.zeros(()))
        for layer in (self.query, self.key_start):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    @abstractmethod
    def of_events(self, past: RecentEvents) -> tuple[Tensor, ...]:
        """Returns `own` of the terms, of events whose times are over τ."""

    @abstractmethod
    def law(self, given: Given, terms: LocationTerms) -> PlaceLaw:
        """Returns the laws (N, Q) in the plane."""

    def terms(
        self, context: Context, joint_terms: list[Tensor], time_last: nn.Linear
    ) -> LocationTerms:
        encoded, n = context.whole[:, : self.n_encoded], len(context.whole)
        weight = (self.time.weight @ time_last.weight).mT.expand(n, -1, -1)
        bias = (self.context(encoded) + self.time(time_last.bias)).unsqueeze(1)
        if not context.events.shape[-1]:  # what is remembered of past events takes their place
            return LocationTerms(weight, bias, ())
        per_unit = (-self.log_unit_time).exp()
        past = recent_events(context.events, self.plane, per_unit, self.recorded_gaps)
        return LocationTerms(weight, bias, self.of_events(past))

    def keys(self, past: RecentEvents, near: Tensor) -> Keys:
        """Returns what the network adds to events; of distances below `near`, it sees little."""
        features = torch.cat([event_features(past, near), self.mark(past.mark)], dim=-1)
        hidden = linear(features, self.key_hidden.weight, self.key_hidden.bias).relu()
        start, scale = self.key_start(hidden).unbind(-1)
        return Keys(start, scale, self.key(hidden))

    def hidden_layer(self, given: Given) -> Tensor:
        """Returns the layer (N, Q, H) that tells of context, time and mark."""
        return linear(given.mixed.relu(), self.hidden.weight, self.hidden.bias).relu()

    def asked(self, hidden: Tensor) -> Tensor:
        """Returns what is added to the laws apart, then the queries, (N, Q, n_apart + D)."""
        return linear(hidden, self.query.weight, self.query.bias)

    def log_density(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns log p(x | t, k) (N, Q) at x (N, Q, 2)."""
        at = self.law(given, terms).log_density(self.plane.places(x))
        return at + self.plane.log_slope

    def score(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns ∇ log p(x | t, k) (N, Q, 2) at x (N, Q, 2)."""
        score = self.law(given, terms).score(self.plane.places(x))
        return score * score.new_tensor(self.plane.unit)

    def draw(self, given: Given, terms: LocationTerms, generator: torch.Generator) -> Tensor:
        """Returns a draw (N, Q, 2) of each law, as many laws at a time as fit the cache."""
        static, *_ = terms.own
        size = max(1, DRAWN_WEIGHTS // max(1, static.numel()))
        parts = [self.law(some, terms).draw(generator) for some in given.split(size)]
        return self.plane.z(torch.cat(parts, dim=1))

    def gaps(self, z: Tensor) -> Tensor:
        """Returns gaps (...) over τ of z (...)."""
        return self.plane.gaps(z) * (-self.log_unit_time).exp()


@torch.no_grad()
def event_features(past: RecentEvents, near: Tensor) -> Tensor:
    """Returns what keys are made of beside the mark, (N, R, 6)."""
    gap, age, place, _, present, _ = past
    rank = torch.arange(gap.shape[1], device=gap.device).expand_as(gap)
    x, y = place.unbind(-1)
    square = (x.unsqueeze(2) - x[:, None, :LATEST]).square_()
    square += (y.unsqueeze(2) - y[:, None, :LATEST]).square_()
    to_last = square[..., 0].clone()
    close = closeness(square.div_(near.square()))
    crowd = torch.bmm(close, present[:, :LATEST, None].to(close)).squeeze(-1)
    between = (place[:, 1:] - place[:, :-1]).square().sum(-1)
    to_previous = nn.functional.pad(between * present[:, 1:], (0, 1))
    parts = [
        of_time(age),
        of_time(gap),
        of_rank(rank),
        of_square(to_last / near.square()),
        of_square(to_previous / near.square()),
        of_crowd(crowd),
    ]
    return torch.stack(parts, dim=-1)
