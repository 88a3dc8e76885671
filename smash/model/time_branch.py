"""The intensity λ(t, k) given a context, its slope carried along in the forward pass."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smash.model.climatology_base import ClimatologyHazard
from smash.model.layers import Linears, context_maps, layer_terms, step_of, trunk
from smash.model.linear import linear

EPSILON = 1e-10
"""Added before logarithms and divisions, as in the original."""
SOFTPLUS_IS_ONE = math.log(math.e - 1)


class TimeTerms(NamedTuple):
    """What the context adds to the time branch; computed once for all times of an event.

    `layers` (N, 1, H) each: terms of the trunk's three layers, biases included. `head_weight`
    (H, H) and `head_bias` (H,): from the trunk's last ReLU layer to the intensity head's first,
    the trunk's last map folded in.
    """

    layers: tuple[Tensor, ...]
    head_weight: Tensor
    head_bias: Tensor


class Rate(NamedTuple):
    """The branch at Q times of each of N events.

    `intensity` (N, Q, K) is λ(t, k), `slope` (N, Q, K) its derivative in t, `hidden` (N, Q, H) the
    trunk's last ReLU layer, from which location heads learn the time.
    """

    intensity: Tensor
    slope: Tensor
    hidden: Tensor


class TimeBranch(nn.Module):
    """λ(t, k | context), K intensities of one time (paper, section 4.1, and appendix A).

    A trunk h₁ = ReLU(w t + c₁), h₂ = ReLU(W h₁ + c₂), h₃ = ReLU(W h₂ + c₃), whose terms c are
    linear in the joint and the temporal (and mark) contexts, then a linear map and a head
    Linear-ReLU-Linear-softplus. With a `base` λ(t, k) is the base's h(t) q_k times the head's
    output, which then starts at 1.

    `TimeBranch(16, 3)(t, branch.terms(temporal, joint))` takes t (N, Q, 1) on the z scale and
    contexts (N, 16) to `Rate`.
    """

    def __init__(
        self,
        size: int,
        n_marks: int,
        units: int = 64,
        base: ClimatologyHazard | None = None,
    ) -> None:
        """Takes the width of a context's streams, K, H and what the intensity starts at."""
        super().__init__()
        self.trunk = trunk(1, units)
        self.temporal = context_maps(size, units)
        self.joint = context_maps(size, units)
        self.head = Linears([nn.Linear(units, units), nn.Linear(units, n_marks)])
        self.base = base

    def start_at_base(self) -> None:
        """Makes the factor 1 whatever the context; of a branch without a base, the intensity."""
        _, last = self.head
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, SOFTPLUS_IS_ONE)

    @property
    def last(self) -> nn.Linear:
        """The trunk's map after its last ReLU layer; what reads the trunk folds it in."""
        *_, last = self.trunk
        return last

    def joint_terms(self, joint: Tensor) -> list[Tensor]:
        """Returns what joint contexts (N, d) add to each layer of a trunk, (N, H) three times."""
        return [layer(joint) for layer in self.joint]

    def terms(self, temporal: Tensor, joint_terms: list[Tensor]) -> TimeTerms:
        """Returns the terms of temporal contexts (N, d), the mark's added, and of joint ones."""
        first, _ = self.head
        return TimeTerms(
            layer_terms(self.temporal, temporal, joint_terms, self.trunk),
            first.weight @ self.last.weight,
            first(self.last.bias),
        )

    def forward(self, t: Tensor, terms: TimeTerms) -> Rate:
        """Returns intensity, slope and hidden layer at times t (N, Q, 1)."""
        hidden, slope = self._hidden_with_slope(t, terms)
        _, last = self.head
        inner = linear(hidden, terms.head_weight, terms.head_bias).relu_()
        inner_slope = step_of(inner) * linear(slope, terms.head_weight)
        logit = last(inner)
        factor = F.softplus(logit)
        factor_slope = torch.sigmoid(logit) * linear(inner_slope, last.weight)
        if self.base is None:
            return Rate(factor, factor_slope, hidden)
        base, base_slope = self.base.intensity_with_slope(t)
        return Rate(base * factor, base_slope * factor + base * factor_slope, hidden)

    def intensity(self, t: Tensor, terms: TimeTerms) -> Tensor:
        """Returns λ(t, k) (N, Q, K) at times t (N, Q, 1), without what its slope costs."""
        hidden = self.hidden(t, terms)
        _, last = self.head
        inner = linear(hidden, terms.head_weight, terms.head_bias).relu_()
        factor = F.softplus(last(inner))
        return factor if self.base is None else self.base.intensity(t) * factor

    def hidden(self, t: Tensor, terms: TimeTerms) -> Tensor:
        """Returns the trunk's last ReLU layer (N, Q, H) at times t (N, Q, 1)."""
        first, *rest, _ = self.trunk
        hidden = (t * first.weight[:, 0]).add_(terms.layers[0]).relu_()
        for layer, term in zip(rest, terms.layers[1:], strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
        return hidden

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
