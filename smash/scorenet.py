"""From context to intensity and scores, the time derivative carried along in the forward pass."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smash.climatology_base import ClimatologyBase
from smash.linear import linear
from smash.location_mixture import LocationMixture
from smash.mixture_laws import LocationLaw
from smash.settings import ModelSettings

EPSILON = 1e-10
"""Added before logarithms and divisions, as in the original."""
SOFTPLUS_IS_ONE = math.log(math.e - 1)


class ContextTerms(NamedTuple):
    """What the context adds to the network; computed once for all points of an event.

    Linear maps that follow each other without an activation between are folded into one.
    `time` and `location`: terms (N, 1, H) of the three layers of each trunk, biases included.
    `mix_time`, `mix_location` (N, H, H; inputs by outputs, as the products of their gradients come)
    and `mix_bias` (N, 1, H): from the trunks' last layers to the location head's first, through the
    event's own mixture. `head_weight` (H, H) and `head_bias` (H,): from the time trunk's last layer
    to the intensity head's first. A location mixture has no trunk of locations: its `location` and
    `mix_location` are empty and None, and `recent` (N, 1, R, 2) says where the last events were.
    """

    time: tuple[Tensor, ...]
    location: tuple[Tensor, ...]
    mix_time: Tensor
    mix_location: Tensor | None
    mix_bias: Tensor
    head_weight: Tensor
    head_bias: Tensor
    recent: Tensor | None = None


class AtTime(NamedTuple):
    """The network at Q times of each of N events, before any location is known.

    `intensity` and `intensity_slope` (N, Q, K) as in `Evaluation`; `mixed` (N, Q, H) is the time's
    share in the location head.
    """

    intensity: Tensor
    intensity_slope: Tensor
    mixed: Tensor

    def score(self, mark: Tensor | None) -> Tensor:
        """Returns ∂_t log λ(t, k) - Σ_l λ(t, l), (N, Q), for marks (N, Q) (paper, eq. 5)."""
        return time_score(self.intensity, self.intensity_slope, mark)

    def mark_probability(self) -> Tensor:
        """Returns p(k | t), (N, Q, K)."""
        return mark_probability(self.intensity)


class Evaluation(NamedTuple):
    """The network at Q points of each of N events, on the z scale.

    `intensity` (N, Q, K) is λ(t, k), `intensity_slope` (N, Q, K) its derivative in t,
    `location_score` (N, Q, 2) is ∇ log p(x | t), or ∇ log p(x | t, k) of a given mark.
    """

    intensity: Tensor
    intensity_slope: Tensor
    location_score: Tensor

    def time_score(self, mark: Tensor | None) -> Tensor:
        """Returns ∂_t log λ(t, k) - Σ_l λ(t, l), (N, Q), for marks (N, Q) (paper, eq. 5)."""
        return time_score(self.intensity, self.intensity_slope, mark)

    def score(self, mark: Tensor | None) -> Tensor:
        """Returns the score of time given the mark and of location, (N, Q, 3)."""
        return torch.cat([self.time_score(mark).unsqueeze(-1), self.location_score], dim=-1)

    def mark_probability(self) -> Tensor:
        """Returns p(k | t), (N, Q, K)."""
        return mark_probability(self.intensity)


class Linears(nn.ModuleList):
    """A list of linear maps, known as such to the type checker."""

    def __iter__(self) -> Iterator[nn.Linear]:
        return cast(Iterator[nn.Linear], super().__iter__())


def time_score(intensity: Tensor, slope: Tensor, mark: Tensor | None) -> Tensor:
    """Returns ∂_t log λ(t, k) - Σ_l λ(t, l), (N, Q), of intensities and slopes (N, Q, K).

    Without marks (N, Q) the score of the time whatever the mark: ∂_t log Σ_l λ - Σ_l λ.
    """
    total = intensity.sum(-1)
    if mark is None:
        return slope.sum(-1) / (total + EPSILON) - total
    log_slope = slope / (intensity + EPSILON)
    return log_slope.gather(-1, mark.unsqueeze(-1)).squeeze(-1) - total


def mark_probability(intensity: Tensor) -> Tensor:
    """Returns p(k | t) = λ(t, k) / Σ_l λ(t, l) of intensities (..., K) (paper, eq. 8)."""
    return intensity / (intensity.sum(-1, keepdim=True) + EPSILON)


class ScoreNet(nn.Module):
    """Intensity λ(t, k) and location score ∇ log p(x | t) given a context.

    Two trunks of three ReLU layers, for time and for location, each taking linear maps of the
    context; the intensity reads the time trunk, the location score two mixtures of both.

    With a `base` the intensity is the base's times a factor that starts at 1, the location score
    the base's plus a residual that starts at 0, in units of 1 / σ. With `location_law: mixture`
    a density takes the place of the location score (see `smash.location_mixture`).

    `law_grid` (G,) holds the times between which the intensity of a likelihood-trained model is
    linear; None where it is trained by its score.
    """

    law_grid: Tensor | None

    def __init__(
        self,
        settings: ModelSettings,
        n_marks: int,
        base: ClimatologyBase | None = None,
        law_grid: Tensor | None = None,
    ) -> None:
        super().__init__()
        units, size = settings.num_units, settings.cond_dim
        self.cond_dim, self.n_marks = size, n_marks
        self.n_streams = 4 if n_marks > 1 else 3
        scored = settings.location_law == "score"
        # Made in this order, a seed gives the weights it gave before there was another law.
        self.time_trunk = _trunk(1, units)
        if scored:
            self.location_trunk = _trunk(2, units)
        self.time_context = Linears(nn.Linear(size, units) for _ in range(3))
        if scored:
            self.location_context = Linears(nn.Linear(size, units) for _ in range(3))
        self.joint_context = Linears(nn.Linear(size, units) for _ in range(3))
        self.intensity_head = Linears([nn.Linear(units, units), nn.Linear(units, n_marks)])
        self.location: LocationMixture | None = None
        if scored:
            self.location_head = Linears([nn.Linear(2 * units, units), nn.Linear(units, 2)])
            self.whole_context = _mlp(self.n_streams * size, units, units)
            self.time_mixture = _mlp(units, units, units, 2)
            self.location_mixture = _mlp(units, units, units, 2)
        else:
            self.location = LocationMixture(
                self.n_streams * size,
                units,
                settings.location_components,
                settings.recent_events,
            )
        self.mark_shift: nn.Embedding | None = None
        if settings.mark_in_location and n_marks > 1:
            self.mark_shift = nn.Embedding(n_marks, units)
            nn.init.zeros_(self.mark_shift.weight)
        self.base = base
        self.register_buffer("law_grid", law_grid, persistent=False)
        if base is not None:
            self._start_at_base()

    def _start_at_base(self) -> None:
        """Makes the factor 1 and the residual 0, whatever the context."""
        starts = [(self.intensity_head, SOFTPLUS_IS_ONE)]
        if self.location is None:
            starts.append((self.location_head, 0.0))
        for (_, last), start in starts:
            nn.init.zeros_(last.weight)
            nn.init.constant_(last.bias, start)

    def terms(self, context: Tensor) -> ContextTerms:
        """Returns the terms of contexts (N, C)."""
        streams, events = context.tensor_split([self.n_streams * self.cond_dim], dim=-1)
        temporal, spatial, joint, *mark = streams.split(self.cond_dim, dim=-1)
        if mark:
            temporal = temporal + mark[0]
        joint_terms = [layer(joint) for layer in self.joint_context]
        *_, time_last = self.time_trunk
        head, _ = self.intensity_head
        if self.location is None:
            location = _add_terms(self.location_context, spatial, joint_terms, self.location_trunk)
            mix_time, mix_location, mix_bias = self._mixing(self.whole_context(context))
            recent = None
        else:
            location, mix_location = (), None
            recent = events.unflatten(-1, (-1, 3))[:, None, :, 1:]
            mix_time, mix_bias = self.location.terms(context, time_last)
        return ContextTerms(
            _add_terms(self.time_context, temporal, joint_terms, self.time_trunk),
            location,
            mix_time,
            mix_location,
            mix_bias,
            head.weight @ time_last.weight,
            head(time_last.bias),
            recent,
        )

    def _mixing(self, whole: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns `mix_time`, `mix_location` and `mix_bias` of ContextTerms.

        The head's first layer reads two mixtures of the trunks side by side, α_t and α_s; its
        weight is [A B], so that the time trunk enters by α_t₁ A + α_s₁ B and the location trunk
        by α_t₂ A + α_s₂ B.
        """
        head, _ = self.location_head
        shares = torch.stack(
            [self.time_mixture(whole).softmax(-1), self.location_mixture(whole).softmax(-1)], -1
        )  # (N, trunk, mixture)
        halves = torch.stack(head.weight.chunk(2, dim=1))  # (mixture, H, H)
        matrices: list[Tensor] = []
        bias: Tensor = head.bias
        for trunk, share in zip(
            (self.time_trunk, self.location_trunk), shares.unbind(1), strict=True
        ):
            *_, last = trunk
            folded = (halves @ last.weight).mT.flatten(1)
            matrices.append((share @ folded).view(-1, *halves.shape[1:]))
            bias = bias + share @ (halves @ last.bias)
        return matrices[0], matrices[1], bias.unsqueeze(1)

    def forward(self, z: Tensor, terms: ContextTerms, mark: Tensor | None = None) -> Evaluation:
        """Returns intensity, its slope and location score at z (N, Q, 3): time, then location.

        The events' own marks (N, Q) enter the location score under `mark_in_location` alone.
        """
        at_time = self.at_time(z[..., :1], terms)
        mixed = self.with_mark(at_time.mixed, mark)
        score = self.location_score(z[..., 1:], mixed, terms)
        return Evaluation(at_time.intensity, at_time.intensity_slope, score)

    def at_time(self, t: Tensor, terms: ContextTerms) -> AtTime:
        """Returns what depends on the time t (N, Q, 1) alone."""
        hidden, slope = self._time_hidden(t, terms)
        _, last = self.intensity_head
        inner = linear(hidden, terms.head_weight, terms.head_bias).relu_()
        inner_slope = _step(inner) * linear(slope, terms.head_weight)
        logit = last(inner)
        factor = F.softplus(logit)
        factor_slope = torch.sigmoid(logit) * linear(inner_slope, last.weight)
        mixed = torch.baddbmm(terms.mix_bias, hidden, terms.mix_time)
        if self.base is None:
            return AtTime(factor, factor_slope, mixed)
        base, base_slope = self.base.intensity_with_slope(t)
        slope = base_slope * factor + base * factor_slope
        return AtTime(base * factor, slope, mixed)

    def intensity(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns λ(t, k) (N, Q, K) at times t (N, Q, 1), without what its slope costs."""
        hidden = self._hidden(t, terms)
        _, last = self.intensity_head
        inner = linear(hidden, terms.head_weight, terms.head_bias).relu_()
        factor = F.softplus(last(inner))
        return factor if self.base is None else self.base.intensity(t) * factor

    def mixed(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns the share of times t (N, Q, 1) in the location head, (N, Q, H)."""
        return torch.baddbmm(terms.mix_bias, self._hidden(t, terms), terms.mix_time)

    def with_mark(self, mixed: Tensor, mark: Tensor | None) -> Tensor:
        """Returns `mixed` (N, Q, H) with the share of the events' own marks (N, Q) added."""
        if self.mark_shift is None or mark is None:
            return mixed
        return mixed + self.mark_shift(mark)

    def location_score(self, x: Tensor, mixed: Tensor, terms: ContextTerms) -> Tensor:
        """Returns ∇ log p(x | t) (N, Q, 2) at x (N, Q, 2), with the time's share `mixed`."""
        if terms.mix_location is None:
            return self.location_density(mixed, terms).score(x)
        *trunk, _ = self.location_trunk
        hidden = x
        for layer, term in zip(trunk, terms.location, strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
        _, last = self.location_head
        score = last(torch.baddbmm(mixed, hidden, terms.mix_location).relu_())
        if self.base is None:
            return score
        return self.base.location_score(x) + score / self.base.sigma_loc

    def location_density(self, mixed: Tensor, terms: ContextTerms) -> LocationLaw:
        """Returns the laws (N, Q) of a location mixture, with the time's share `mixed`."""
        assert self.location is not None
        assert terms.recent is not None
        return self.location.law(mixed, terms.recent)

    def _hidden(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns the time trunk's last hidden layer (N, Q, H)."""
        first, *rest, _ = self.time_trunk
        hidden = (t * first.weight[:, 0]).add_(terms.time[0]).relu_()
        for layer, term in zip(rest, terms.time[1:], strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
        return hidden

    def _time_hidden(self, t: Tensor, terms: ContextTerms) -> tuple[Tensor, Tensor]:
        """Returns the time trunk's last hidden layer (N, Q, H) and its derivative in t."""
        first, *rest, _ = self.time_trunk
        hidden = (t * first.weight[:, 0]).add_(terms.time[0]).relu_()
        slope = _step(hidden) * first.weight[:, 0]
        for layer, term in zip(rest, terms.time[1:], strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
            slope = _step(hidden) * linear(slope, layer.weight)
        return hidden, slope


def _step(hidden: Tensor) -> Tensor:
    """Returns the derivative of ReLU, 0 or 1, from its output."""
    # `sign` is vectorised; products of booleans and floats are not.
    return hidden.detach().sign()


def _trunk(n_in: int, units: int) -> Linears:
    return Linears(nn.Linear(n, units) for n in (n_in, units, units, units))


def _mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _add_terms(
    linears: Linears, own: Tensor, joint_terms: list[Tensor], trunk: Linears
) -> tuple[Tensor, ...]:
    """Returns the three (N, 1, H) terms of a trunk: its own, the joint ones and its biases."""
    return tuple(
        (own_map(own) + joint + layer.bias).unsqueeze(1)
        for own_map, joint, layer in zip(linears, joint_terms, trunk, strict=False)
    )
