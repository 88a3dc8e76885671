"""The location as a density that points at the past: every recent event may have set the next off.

p(x | t, k, history) = w₀ b(x) + w₁ u(x) + w₂ g(x) + Σ_i w_i K(x - x_i; d_i, q), with the background
b and the wide law u of `smash.model.place_background`, Gaussians g that go where context, time and
mark say and follow the last few events (`smash.model.location_mixture`), for what moves on, and the
heavy-tailed kernel K of `smash.model.place_kernels`, for what comes back. As in
ETAS (Ogata 1998), the weights fall with the time since event i and depend on its mark,

    log w_i ∝ α(k_i) + β m_i - p log((t - t_i) / τ + c) + a_i + q(t, k, context) · κ_i,
    log d_i = log d₀ + γ(k_i) + δ m_i + g_i,

m_i being its magnitude, where it is told (`model.magnitudes`), 0 at the least, in units of the
mean. But a network of event i's features adds a_i, κ_i and g_i, and one of context, time and mark
the query q, what it adds to the first three weights, and how the Gaussians go on from where they
start. All of it starts at 0: untrained it is the parametric law. Cost is linear in events times
what they look back at.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.law.gaussian_mixtures import LOCATION_NUMBERS
from smash.model.key_features import SOONEST
from smash.model.location_head import Given, LocationTerms
from smash.model.location_mixture import first_following, following_gaussians, start_gaussians
from smash.model.place_background import PlaceBackground
from smash.model.place_kernels import heavy_log_density
from smash.model.plane import Plane, RecentEvents
from smash.model.pointed_events import PointedEvents
from smash.model.pointing_head import PointingHead
from smash.model.pointing_law import PointingLaw

FIRST_DECAY, FIRST_EXPONENT, FIRST_OFFSET = 0.8, 1.7, SOONEST
FIRST_APART = (2.3, -2.0, -2.0)
"""The three laws' logits, beside those of events one τ ago."""
FOLLOWED = 4
"""How many of the last events the Gaussians follow at most."""
FIRST_SCALES = tuple(0.5**halvings for halvings in range(9))
"""d₀ that are tried, in typical bandwidths of the background."""
MOST_TRIED, LOOKED_BACK = 2000, 128
"""Events by which d₀ is chosen, and how many before each of them are looked at."""
LEAST_EXPONENT = 1.05
LEAST_SCALE = 2e-4
"""d at least, as a share of half the box's diagonal."""
PACE = 10.0
"""How much faster than a network's weights the parametric law's numbers move in training."""


class FewNumbers(NamedTuple):
    """The parametric law's numbers: α and γ (K,) of the marks; p, q, c and log d₀, scalars.

    And β and δ, of magnitudes, (2,).
    """

    productivity: Tensor
    reach: Tensor
    decay: Tensor
    exponent: Tensor
    offset: Tensor
    log_scale: Tensor
    of_magnitude: Tensor

    def logit_of(self, mark: Tensor, magnitude: Tensor) -> Tensor:
        """Returns α(k) + β m of events (...)."""
        return self.productivity[mark] + self.of_magnitude[0] * magnitude

    def log_scale_of(self, mark: Tensor, magnitude: Tensor) -> Tensor:
        """Returns log d₀ + γ(k) + δ m of events (...)."""
        return self.log_scale + self.reach[mark] + self.of_magnitude[1] * magnitude


class ParametricLaw(nn.Module):
    """The numbers of the parametric law for K marks, as `ParametricLaw(3)()`, or with magnitudes.

    They are kept divided by `PACE`: an optimiser that moves every weight as far moves them faster.
    """

    def __init__(self, n_marks: int, magnitudes: bool = False) -> None:
        super().__init__()
        self.productivity = nn.Parameter(torch.zeros(n_marks))
        self.reach = nn.Parameter(torch.zeros(n_marks))
        self.decay = _slow(math.log(math.expm1(FIRST_DECAY)))
        self.exponent = _slow(math.log(math.expm1(FIRST_EXPONENT - LEAST_EXPONENT)))
        self.log_offset = _slow(math.log(FIRST_OFFSET))
        self.log_scale = _slow(0.0)
        self.of_magnitude: nn.Parameter | None = None
        if magnitudes:
            self.of_magnitude = nn.Parameter(torch.zeros(2))

    def forward(self) -> FewNumbers:
        """Returns the numbers themselves."""
        told = self.of_magnitude
        of_magnitude = self.log_scale.new_zeros(2) if told is None else PACE * told
        return FewNumbers(
            PACE * self.productivity,
            PACE * self.reach,
            F.softplus(PACE * self.decay),
            LEAST_EXPONENT + F.softplus(PACE * self.exponent),
            (PACE * self.log_offset).exp(),
            PACE * self.log_scale,
            of_magnitude,
        )


def _slow(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value / PACE))


class HistoryHead(PointingHead):
    """The law above, for K marks and the last R events, which the encoder's contexts carry.

    Of each event contexts hold z (3) and the mark, counted from 1, 0 where there is no event.
    `HistoryHead(64, 32, 128, 3, plane, 16)` for contexts of 64 numbers, H = 32 and 16 Gaussians.
    """

    def __init__(
        self,
        n_encoded: int,
        units: int,
        n_recent: int,
        n_marks: int,
        plane: Plane,
        n_components: int,
        one_scale: bool = False,
    ) -> None:
        super().__init__(n_encoded, n_recent, plane)
        self.background = PlaceBackground(plane.unit, plane.cell, one_scale)
        self.least_scale = max(LEAST_SCALE * self.background.reach, max(plane.cell) / 4)
        self.parametric = ParametricLaw(n_marks, plane.scaler.tells_magnitudes)
        self.make_networks(units, n_marks, len(FIRST_APART))
        self.out = nn.Linear(units, LOCATION_NUMBERS * n_components)
        self.follow = nn.Parameter(first_following(n_components, min(n_recent, FOLLOWED)))
        with torch.no_grad():
            self.out.weight.zero_()
            self.query.bias[: len(FIRST_APART)] = torch.tensor(FIRST_APART)

    def of_events(self, past: RecentEvents) -> tuple[Tensor, ...]:
        """Returns of the R events the logit but for its time (N, R), how long before the last one
        it was, over τ (N, R), place in the plane (N, R, 2), log d (N, R) and key (N, R, D); then
        what `followed` gives.
        """
        few = self.parametric()
        start, scale, key = self.keys(past, few.log_scale.detach().exp())
        logit = few.logit_of(past.mark, past.magnitude) + start
        logit = logit.masked_fill(~past.present, -math.inf)
        log_scale = self.at_least(few.log_scale_of(past.mark, past.magnitude) + scale)
        return logit, past.age, past.place, log_scale, key, self.followed(past.place)

    def followed(self, place: Tensor) -> Tensor:
        """Returns the z (N, 1, F, 2) of the events that Gaussians follow, the last one first.

        `place` (N, R, 2): of events, the last one first, in the plane.
        """
        return self.plane.z(place[:, None, : self.follow.shape[1]])

    def at_least(self, log_scale: Tensor) -> Tensor:
        """Returns log (d + the least d) (...) of log d (...)."""
        return torch.logaddexp(log_scale, log_scale.new_tensor(math.log(self.least_scale)))

    def remembered(self, told: Tensor, n_paths: int) -> PointedEvents:
        return PointedEvents(self, told, n_paths)

    def law(self, given: Given, terms: LocationTerms) -> PointingLaw:
        """Returns the laws (N, Q) in the plane."""
        static, age, place, log_scale, key, followed = terms.own
        few, hidden = self.parametric(), self.hidden_layer(given)
        elapsed = self.gaps(given.time) + age.unsqueeze(1)
        apart, query = self.asked(hidden).tensor_split([len(FIRST_APART)], dim=-1)
        logit = torch.baddbmm(static.unsqueeze(1), query, key.mT)
        logit = logit - few.decay * (elapsed + few.offset).log()
        log_weight = torch.cat([apart, logit], dim=-1).log_softmax(-1)
        follow = self.follow[:, : followed.shape[2]]
        gaussians = following_gaussians(self.out, follow, hidden, followed)
        gaussians = gaussians.stretched(self.plane.unit)
        return PointingLaw(log_weight, gaussians, place, log_scale, few.exponent, self.background)

    @torch.no_grad()
    def fit(self, train: EventSequences, scaler: Scaler) -> None:
        """Fits the background to `train`, and starts the kernels at its scales."""
        u = torch.from_numpy(scaler.scale_location(train.location).astype(np.float32))
        place = self.plane.places(2 * u - 1)
        typical = self.background.fit(train, place, self.n_recent)
        self.log_unit_time.fill_(math.log(max(float(train.gap[train.is_target].mean()), 1e-30)))
        self.parametric.log_scale.fill_(self._first_scale(train, place, typical) / PACE)
        start_gaussians(self.out, self.follow, train, scaler)

    def _first_scale(self, train: EventSequences, place: Tensor, typical: float) -> float:
        """Returns the log d₀ under which the untrained law, but for its Gaussians and marks, finds
        training targets at `place` (E, 2) likeliest; `typical` is that of a bandwidth.
        """
        rows = np.flatnonzero(train.is_target & (train.event > 0))
        rows = rows[:: math.ceil(len(rows) / MOST_TRIED) or 1]
        back = np.arange(1, min(self.n_recent, LOOKED_BACK) + 1)
        absent = back > train.event[rows, None]
        past = (rows[:, None] - back).clip(0)
        elapsed = torch.from_numpy(train.time[rows, None] - train.time[past])
        few, none = self.parametric(), torch.from_numpy(absent)
        logit = -few.decay * (elapsed / self.log_unit_time.exp() + few.offset).log()
        logit = logit.masked_fill(none, -math.inf)
        apart = logit.new_tensor(FIRST_APART[:2]).expand(len(rows), -1)
        log_weight = torch.cat([apart, logit], -1).log_softmax(-1)
        x, mode = place[rows], self.background.training
        self.background.train()
        laws = [self.background.log_density(x), self.background.wide_log_density(x)]
        self.background.train(mode)
        beside = (log_weight[:, :2] + torch.stack(laws, -1)).logsumexp(-1, keepdim=True)
        square = (x.unsqueeze(1) - place[past]).square().sum(-1).double()

        def likelihood(log_scale: float) -> float:
            d = self.at_least(square.new_tensor(log_scale))
            kernels = log_weight[:, 2:] + heavy_log_density(square, d, few.exponent.double())
            return float(torch.cat([beside, kernels], -1).logsumexp(-1).mean())

        return max((typical + math.log(scale) for scale in FIRST_SCALES), key=likelihood)
