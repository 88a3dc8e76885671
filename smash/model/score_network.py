"""From context to the law of the next event: a time branch and a location head side by side."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from smash.model.climatology_base import ClimatologyHazard, ClimatologyPlaces
from smash.model.history_head import HistoryHead, Plane
from smash.model.location_head import Context, Given, LocationHead, LocationTerms
from smash.model.location_mixture import LocationMixture
from smash.model.score_head import ScoreHead
from smash.model.time_branch import TimeBranch, TimeTerms, mark_probability, time_score
from smash.model.weight_names import draw_in_order, renamed
from smash.settings import ModelSettings


class ContextTerms(NamedTuple):
    """What the context adds to branch and head; computed once for all points of an event."""

    time: TimeTerms
    location: LocationTerms


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


class ScoreNet(nn.Module):
    """Intensity λ(t, k) and the location's law p(x | t, k) given a context.

    `time` gives the intensity, `location` the law of the location, by its score or by its density.
    Under `mark_in_location` an embedding of the event's own mark enters the location head's first
    layer, at first as nothing.

    `law_grid` (G,) holds the times between which the intensity of a likelihood-trained model is
    linear; None where it is trained by its score. `law_growth` says what lies beyond the grid (see
    `smash.model.time_law.TimeLaw`).
    """

    law_grid: Tensor | None
    location: LocationHead

    def __init__(
        self,
        settings: ModelSettings,
        n_marks: int,
        hazard: ClimatologyHazard | None = None,
        plane: Plane | None = None,
        law_grid: Tensor | None = None,
        law_growth: float | None = None,
    ) -> None:
        """Takes sizes, K, the hazard that intensities start at and the grid of a likelihood.

        `plane`: of `location_law: history`, how z becomes time and place.
        """
        super().__init__()
        units, size = settings.num_units, settings.cond_dim
        self.cond_dim, self.n_marks, self.law_growth = size, n_marks, law_growth
        self.n_streams = 4 if n_marks > 1 else 3
        state = torch.get_rng_state()
        self.time = TimeBranch(size, n_marks, units, hazard)
        self.location = location_head(settings, n_marks, plane)
        if settings.location_law == "score":
            draw_in_order(self, state)
        self.mark_shift: nn.Embedding | None = None
        if settings.mark_in_location and n_marks > 1:
            self.mark_shift = nn.Embedding(n_marks, units)
            nn.init.zeros_(self.mark_shift.weight)
        if hazard is not None:
            self.time.start_at_base()
            self.location.start_at_base()
        self.register_buffer("law_grid", law_grid, persistent=False)
        self.register_load_state_dict_pre_hook(renamed)

    def terms(self, context: Tensor) -> ContextTerms:
        """Returns the terms of contexts (N, C)."""
        parts = self._parts(context)
        joint_terms = self.time.joint_terms(parts.joint)
        return ContextTerms(
            self.time.terms(parts.temporal, joint_terms),
            self.location.terms(parts, joint_terms, self.time.last),
        )

    def _parts(self, context: Tensor) -> Context:
        """Returns the parts of contexts (N, C)."""
        streams, events = context.tensor_split([self.n_streams * self.cond_dim], dim=-1)
        temporal, spatial, joint, *mark = streams.split(self.cond_dim, dim=-1)
        return Context(context, temporal + mark[0] if mark else temporal, spatial, joint, events)

    def forward(self, z: Tensor, terms: ContextTerms, mark: Tensor | None = None) -> Evaluation:
        """Returns intensity, its slope and location score at z (N, Q, 3): time, then location.

        The events' own marks (N, Q) enter the location score under `mark_in_location` alone.
        """
        time, location = z[..., :1], z[..., 1:]
        at_time = self.at_time(time, terms)
        given = self.given(time, at_time.mixed, mark)
        score = self.location.score(location, given, terms.location)
        return Evaluation(at_time.intensity, at_time.intensity_slope, score)

    def at_time(self, t: Tensor, terms: ContextTerms) -> AtTime:
        """Returns what depends on the time t (N, Q, 1) alone."""
        rate = self.time(t, terms.time)
        return AtTime(rate.intensity, rate.slope, _mixed(rate.hidden, terms.location))

    def intensity(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns λ(t, k) (N, Q, K) at times t (N, Q, 1), without what its slope costs."""
        return self.time.intensity(t, terms.time)

    def mixed(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns the share of times t (N, Q, 1) in the location head, (N, Q, H)."""
        return _mixed(self.time.hidden(t, terms.time), terms.location)

    def given(self, t: Tensor, mixed: Tensor, mark: Tensor | None) -> Given:
        """Returns what locations at times t (N, Q, 1) and of marks (N, Q) are conditioned on.

        `mixed` (N, Q, H) is the times' share in the location head.
        """
        if self.mark_shift is not None and mark is not None:
            mixed = mixed + self.mark_shift(mark)
        return Given(t, mixed)


def location_head(
    settings: ModelSettings, n_marks: int, plane: Plane | None = None
) -> LocationHead:
    """Returns the untrained location head that settings ask for."""
    size, units, n_streams = settings.cond_dim, settings.num_units, 4 if n_marks > 1 else 3
    n_encoded, n_recent = n_streams * size, settings.n_recent
    if settings.location_law == "mixture":
        return LocationMixture(n_encoded, units, settings.location_components, n_recent)
    if settings.location_law == "history":
        assert plane is not None
        return HistoryHead(n_encoded, units, n_recent, n_marks, plane)
    base = ClimatologyPlaces(settings.sigma_loc) if settings.base == "climatology" else None
    return ScoreHead(size, n_streams, units, base)


def _mixed(hidden: Tensor, terms: LocationTerms) -> Tensor:
    """Returns the share (N, Q, H) of the time branch's hidden layer in the location head."""
    return torch.baddbmm(terms.bias, hidden, terms.weight)
