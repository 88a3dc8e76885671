"""The location as a density that points at the past: every recent event may have set the next off.

p(x | t, k, history) = w₀ b(x) + w₁ u(x) + Σ_i w_i K(x - x_i; d_i, q), with the background b and the
wide law u of `smash.model.place_background` and the heavy-tailed kernel K of
`smash.model.place_kernels`. As in ETAS (Ogata 1998), the weights fall with the time since event i
and depend on its mark,

    log w_i ∝ α(k_i) - p log((t - t_i) / τ + c) + a_i + q(t, k, context) · κ_i,
    log d_i = log d₀ + γ(k_i) + g_i,

but a network of event i's features adds a_i, κ_i and g_i, and one of context, time and mark the
query q and what it adds to the background's weight. All four start at 0: untrained it is the
parametric law. Cost is linear in events times what they look back at.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.model.key_features import (
    FIRST_OFFSET,
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
from smash.model.place_background import PlaceBackground
from smash.model.pointed_events import PointedEvents
from smash.model.pointing_law import PointingLaw

QUERY, KEY_UNITS = 8, 32
"""Width of queries and keys, and of the network that makes keys."""
FIRST_DECAY, FIRST_EXPONENT = 0.8, 1.7
FIRST_BACKGROUND, FIRST_WIDE = 2.3, -2.0
"""The two laws' logits, beside those of events one τ ago."""
FIRST_SCALE = 0.5
"""d₀, in typical bandwidths of the background."""
LEAST_EXPONENT = 1.05
LEAST_SCALE = 2e-4
"""d at least, as a share of half the box's diagonal."""
PACE = 10.0
"""How much faster than a network's weights the parametric law's numbers move in training."""
DRAWN_WEIGHTS = 2**22
"""Weights of events worked out at a time for draws."""


class FewNumbers(NamedTuple):
    """The parametric law's numbers: α and γ (K,) of the marks; p, q, c and log d₀, scalars."""

    productivity: Tensor
    reach: Tensor
    decay: Tensor
    exponent: Tensor
    offset: Tensor
    log_scale: Tensor


@dataclass(frozen=True)
class Plane:
    """How the z of gaps and places become time and plane, float32 throughout.

    The plane's units are those of the data; of longitudes and latitudes, degrees of latitude at the
    middle of the box. `unit` (2,): the plane's units in one of z.
    """

    scaler: Scaler
    unit: tuple[float, float]

    @classmethod
    def of(cls, scaler: Scaler, geographic: bool) -> "Plane":
        low, high = np.array(scaler.location_low), np.array(scaler.location_high)
        unit = (high - low) / 2
        if geographic:
            unit[0] *= math.cos(math.radians(float(low[1] + high[1]) / 2))
        return cls(scaler, (float(unit[0]), float(unit[1])))

    @property
    def cell(self) -> tuple[float, float]:
        """The cells of a lattice of places, in the plane's units; 0 for none."""
        low, high = np.array(self.scaler.location_low), np.array(self.scaler.location_high)
        cell = np.array(self.scaler.location_cell) * 2 * np.array(self.unit) / (high - low)
        return float(cell[0]), float(cell[1])

    def places(self, z: Tensor) -> Tensor:
        """Returns places (..., 2) in the plane of z (..., 2)."""
        return z * z.new_tensor(self.unit)

    def z(self, place: Tensor) -> Tensor:
        """Returns z (..., 2) of places (..., 2) in the plane."""
        return place / place.new_tensor(self.unit)

    @property
    def log_slope(self) -> float:
        """What turns the log of a density in the plane into one of z."""
        return math.log(self.unit[0] * self.unit[1])

    def gaps(self, z: Tensor) -> Tensor:
        """Returns gaps (...) in raw units of z (...), not below 0."""
        scaler = self.scaler
        value = (z + 1) * ((scaler.gap_high - scaler.gap_low) / 2) + scaler.gap_low
        gap = value.exp() - scaler.gap_cell if scaler.log_normalization else value
        return gap.clamp_min(0)


class ParametricLaw(nn.Module):
    """The numbers of the parametric law for K marks, as `ParametricLaw(3)()`.

    They are kept divided by `PACE`: an optimiser that moves every weight as far moves them faster.
    """

    def __init__(self, n_marks: int) -> None:
        super().__init__()
        self.productivity = nn.Parameter(torch.zeros(n_marks))
        self.reach = nn.Parameter(torch.zeros(n_marks))
        self.decay = _slow(math.log(math.expm1(FIRST_DECAY)))
        self.exponent = _slow(math.log(math.expm1(FIRST_EXPONENT - LEAST_EXPONENT)))
        self.log_offset = _slow(math.log(FIRST_OFFSET))
        self.log_scale = _slow(0.0)

    def forward(self) -> FewNumbers:
        """Returns the numbers themselves."""
        return FewNumbers(
            PACE * self.productivity,
            PACE * self.reach,
            F.softplus(PACE * self.decay),
            LEAST_EXPONENT + F.softplus(PACE * self.exponent),
            (PACE * self.log_offset).exp(),
            PACE * self.log_scale,
        )


def _slow(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value / PACE))


class HistoryHead(DensityHead):
    """The law above, for K marks and the last R events, which the encoder's contexts carry.

    Of each event contexts hold z (3) and the mark, counted from 1, 0 where there is no event.
    `HistoryHead(64, 32, 128, 3, plane)` for contexts of 64 numbers and H = 32.
    """

    log_unit_time: Tensor
    """log τ, of the mean gap."""

    def __init__(
        self, n_encoded: int, units: int, n_recent: int, n_marks: int, plane: Plane
    ) -> None:
        super().__init__()
        self.n_encoded, self.n_recent, self.plane = n_encoded, n_recent, plane
        self.background = PlaceBackground(plane.unit, plane.cell)
        self.least_scale = max(LEAST_SCALE * self.background.reach, max(plane.cell) / 4)
        self.parametric = ParametricLaw(n_marks)
        self.context = nn.Linear(n_encoded, units)
        self.time = nn.Linear(units, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.query = nn.Linear(units, 2 + QUERY)
        self.mark = nn.Embedding(n_marks, QUERY)
        self.key_hidden = nn.Linear(N_FEATURES + QUERY, KEY_UNITS)
        self.key = nn.Linear(KEY_UNITS, QUERY)
        self.key_start = nn.Linear(KEY_UNITS, 2)
        self.register_buffer("log_unit_time", torch.zeros(()))
        self._start_parametric()

    def _start_parametric(self) -> None:
        """Makes what the networks add 0."""
        for layer in (self.query, self.key_start):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.query.bias[0], self.query.bias[1] = FIRST_BACKGROUND, FIRST_WIDE

    def terms(
        self, context: Context, joint_terms: list[Tensor], time_last: nn.Linear
    ) -> LocationTerms:
        """Returns the terms; `own` are of the R events, the last one first, or of as many as any
        of the histories has: the logit but for its time (N, R), how long before the last event it
        was, over τ (N, R), place in the plane (N, R, 2), log d (N, R) and key (N, R, D).
        """
        encoded, n = context.whole[:, : self.n_encoded], len(context.whole)
        own = self._of_contexts(context.events) if context.events.shape[-1] else ()
        weight = (self.time.weight @ time_last.weight).mT.expand(n, -1, -1)
        bias = (self.context(encoded) + self.time(time_last.bias)).unsqueeze(1)
        return LocationTerms(weight, bias, own)

    def remembered(self, told: Tensor, n_paths: int) -> PointedEvents:
        return PointedEvents(self, told, n_paths)

    def _of_contexts(self, events: Tensor) -> tuple[Tensor, ...]:
        """Returns `own` of the terms, of what contexts tell of events (N, 4 R)."""
        events = events.detach().unflatten(-1, (self.n_recent, 4))
        present = events[..., 3] > 0
        longest = max(1, int(present.sum(-1).max())) if len(events) else 1
        return self._of_events(events[:, :longest], present[:, :longest])

    def _of_events(self, events: Tensor, present: Tensor) -> tuple[Tensor, ...]:
        """Returns `own` of the terms, of events (N, R, 4)."""
        few = self.parametric()
        gap, place = self.gaps(events[..., 0]), self.plane.places(events[..., 1:3])
        mark = (events[..., 3].long() - 1).clamp_min(0)
        # Event i came the gaps of the events after it before the last one.
        age = F.pad(gap[:, :-1], (1, 0)).cumsum(-1)
        features = self._features(gap, age, place, present, few.log_scale.detach().exp())
        features = torch.cat([features, self.mark(mark)], dim=-1)
        hidden = linear(features, self.key_hidden.weight, self.key_hidden.bias).relu()
        start, scale = self.key_start(hidden).unbind(-1)
        logit = (few.productivity[mark] + start).masked_fill(~present, -math.inf)
        log_scale = self.at_least(few.log_scale + few.reach[mark] + scale)
        return logit, age, place, log_scale, self.key(hidden)

    def at_least(self, log_scale: Tensor) -> Tensor:
        """Returns log (d + the least d) (...) of log d (...)."""
        return torch.logaddexp(log_scale, log_scale.new_tensor(math.log(self.least_scale)))

    def gaps(self, z: Tensor) -> Tensor:
        """Returns gaps (...) over τ of z (...)."""
        return self.plane.gaps(z) * (-self.log_unit_time).exp()

    @torch.no_grad()
    def _features(
        self, gap: Tensor, age: Tensor, place: Tensor, present: Tensor, near: Tensor
    ) -> Tensor:
        """Returns what keys are made of beside the mark, (N, R, 6)."""
        rank = torch.arange(gap.shape[1], device=gap.device).expand_as(gap)
        x, y = place.unbind(-1)
        square = (x.unsqueeze(2) - x[:, None, :LATEST]).square_()
        square += (y.unsqueeze(2) - y[:, None, :LATEST]).square_()
        to_last = square[..., 0].clone()
        close = closeness(square.div_(near.square()))
        crowd = torch.bmm(close, present[:, :LATEST, None].to(close)).squeeze(-1)
        between = (place[:, 1:] - place[:, :-1]).square().sum(-1)
        to_previous = F.pad(between * present[:, 1:], (0, 1))
        parts = [
            of_time(age),
            of_time(gap),
            of_rank(rank),
            of_square(to_last / near.square()),
            of_square(to_previous / near.square()),
            of_crowd(crowd),
        ]
        return torch.stack(parts, dim=-1)

    def law(self, given: Given, terms: LocationTerms) -> PointingLaw:
        """Returns the laws (N, Q) in the plane."""
        static, age, place, log_scale, key = terms.own
        few = self.parametric()
        hidden = linear(given.mixed.relu(), self.hidden.weight, self.hidden.bias).relu()
        asked = linear(hidden, self.query.weight, self.query.bias)
        elapsed = self.gaps(given.time) + age.unsqueeze(1)
        logit = torch.baddbmm(static.unsqueeze(1), asked[..., 2:], key.mT)
        logit = logit - few.decay * (elapsed + few.offset).log()
        log_weight = torch.cat([asked[..., :2], logit], dim=-1).log_softmax(-1)
        return PointingLaw(log_weight, place, log_scale, few.exponent, self.background)

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
        some = zip(given.time.split(size, 1), given.mixed.split(size, 1), strict=True)
        parts = [self.law(Given(*part), terms).draw(generator) for part in some]
        return self.plane.z(torch.cat(parts, dim=1))

    @torch.no_grad()
    def fit(self, train: EventSequences, scaler: Scaler) -> None:
        """Fits the background to `train`, and starts the kernels at its scales."""
        u = torch.from_numpy(scaler.scale_location(train.location).astype(np.float32))
        self.background.fit(train, self.plane.places(2 * u - 1), self.n_recent)
        self.log_unit_time.fill_(math.log(max(float(train.gap[train.is_target].mean()), 1e-30)))
        typical = float(self.background.bandwidth.log().mean())
        self.parametric.log_scale.fill_((math.log(FIRST_SCALE) + typical) / PACE)
