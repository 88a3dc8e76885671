"""The intensity λ(t, k) given a context, its slope carried along in the forward pass."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.model.hazard_base import HazardBase
from smash.model.layers import Linears, step_of
from smash.model.linear import linear
from smash.model.location_head import Context
from smash.model.time_trunk import TimeTerms, TimeTrunk

EPSILON = 1e-10
"""Added before logarithms and divisions, as in the original."""
SOFTPLUS_IS_ONE = math.log(math.e - 1)


class Rate(NamedTuple):
    """The branch at Q times of each of N events.

    `intensity` (N, Q, K) is λ(t, k), `slope` (N, Q, K) its derivative in t, `hidden` (N, Q, H) the
    trunk's last ReLU layer, from which location heads learn the time.
    """

    intensity: Tensor
    slope: Tensor
    hidden: Tensor


class TimeBranch(TimeTrunk):
    """λ(t, k | context), K intensities of one time (paper, section 4.1, and appendix A).

    After the trunk a head Linear-ReLU-Linear-softplus. With a `base` λ(t, k) is the base's times
    the head's output, which then starts at 1. `own` of its terms is `head_weight` (H, H) and
    `head_bias` (H,), from the trunk's last ReLU layer to the head's first, the trunk's last map
    folded in; then what the base knows of the histories.

    `TimeBranch(16, 3)(t, branch.terms(context, branch.joint_terms(context.joint)))` takes t
    (N, Q, 1) on the z scale and contexts of width 16 to `Rate`.
    """

    def __init__(
        self,
        size: int,
        n_marks: int,
        units: int = 64,
        base: HazardBase | None = None,
    ) -> None:
        """Takes the width of a context's streams, K, H and what the intensity starts at."""
        super().__init__(size, units)
        self.head = Linears([nn.Linear(units, units), nn.Linear(units, n_marks)])
        self.base = base

    def fit(self, train: EventSequences, scaler: Scaler, sigma_time: float) -> None:
        if self.base is not None:
            self.base.fit(train, scaler, sigma_time)

    def start_at_base(self) -> None:
        """Makes the factor 1 whatever the context; of a branch without a base, the intensity."""
        _, last = self.head
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, SOFTPLUS_IS_ONE)

    def own_terms(self, context: Context) -> tuple[Tensor, ...]:
        first, _ = self.head
        known = () if self.base is None else self.base.known(context)
        return first.weight @ self.last.weight, first(self.last.bias), *known

    def forward(self, t: Tensor, terms: TimeTerms) -> Rate:
        """Returns intensity, slope and hidden layer at times t (N, Q, 1)."""
        hidden, slope = self._hidden_with_slope(t, terms)
        head_weight, head_bias, *known = terms.own
        _, last = self.head
        inner = linear(hidden, head_weight, head_bias).relu_()
        inner_slope = step_of(inner) * linear(slope, head_weight)
        logit = last(inner)
        factor = F.softplus(logit)
        factor_slope = torch.sigmoid(logit) * linear(inner_slope, last.weight)
        if self.base is None:
            return Rate(factor, factor_slope, hidden)
        base, base_slope = self.base.intensity_with_slope(t, *known)
        return Rate(base * factor, base_slope * factor + base * factor_slope, hidden)

    def intensity(self, t: Tensor, terms: TimeTerms) -> Tensor:
        """Returns λ(t, k) (N, Q, K) at times t (N, Q, 1), without what its slope costs."""
        hidden = self.hidden(t, terms)
        head_weight, head_bias, *known = terms.own
        _, last = self.head
        inner = linear(hidden, head_weight, head_bias).relu_()
        factor = F.softplus(last(inner))
        return factor if self.base is None else self.base.intensity(t, *known) * factor

    def _hidden_with_slope(self, t: Tensor, terms: TimeTerms) -> tuple[Tensor, Tensor]:
        """Returns the trunk's last ReLU layer (N, Q, H) and its derivative in t."""
        first, *rest, _ = self.trunk
        hidden = (t * first.weight[:, 0]).add_(terms.layers[0]).relu_()
        slope = step_of(hidden) * first.weight[:, 0]
        for layer, term in zip(rest, terms.layers[1:], strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
            slope = step_of(hidden) * linear(slope, layer.weight)
        return hidden, slope


def time_score(intensity: Tensor, slope: Tensor, mark: Tensor | None) -> Tensor:
    """Returns ∂_t log λ(t, k) - Σ_l λ(t, l), (N, Q), of intensities and slopes (N, Q, K).

    Paper, eq. 5. Without marks (N, Q) the score of the time whatever the mark:
    ∂_t log Σ_l λ - Σ_l λ.
    """
    total = intensity.sum(-1)
    if mark is None:
        return slope.sum(-1) / (total + EPSILON) - total
    log_slope = slope / (intensity + EPSILON)
    return log_slope.gather(-1, mark.unsqueeze(-1)).squeeze(-1) - total


def mark_probability(intensity: Tensor) -> Tensor:
    """Returns p(k | t) = λ(t, k) / Σ_l λ(t, l) of intensities (..., K) (paper, eq. 8)."""
    return intensity / (intensity.sum(-1, keepdim=True) + EPSILON)
