"""From context to the law of the next event: a time branch and a location head side by side."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from smash.model.climatology_base import ClimatologyPlaces
from smash.model.encoder import count_streams
from smash.model.grid_time_law import GridTimeLaw
from smash.model.hazard_base import HazardBase
from smash.model.history_head import HistoryHead
from smash.model.location_head import Context, Given, LocationHead, LocationTerms
from smash.model.location_mixture import LocationMixture
from smash.model.mixture_branch import MixtureBranch
from smash.model.no_places_head import NoPlacesHead
from smash.model.noise_levels import LevelScoreHead, noise_levels
from smash.model.plane import Plane
from smash.model.score_head import ScoreHead
from smash.model.self_exciting_head import SelfExcitingHead
from smash.model.time_branch import TimeBranch, mark_probability, time_score
from smash.model.time_law import TimeLaw
from smash.model.time_trunk import TimeTerms, TimeTrunk
from smash.model.weight_names import draw_in_order, renamed
from smash.settings import ModelSettings

LAW_REACH = 1.1
"""How far a likelihood reaches on the z scale: events somewhat beyond training's gaps count."""


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


class AtCleanTime(NamedTuple):
    """Q times, of each of N events, of a law that is no intensity: `AtTime` for samplers.

    `log_mark` (N, Q, K) is log p(k | t); `mixed` (N, Q, H) as in `AtTime`.
    """

    log_mark: Tensor
    mixed: Tensor

    def score(self, mark: Tensor | None) -> Tensor:
        """Returns zeros (N, Q): such times carry no noise that a score would take away."""
        return torch.zeros_like(self.log_mark[..., 0])

    def mark_probability(self) -> Tensor:
        """Returns p(k | t), (N, Q, K)."""
        return self.log_mark.exp()


class Evaluation(NamedTuple):
    """The network at Q points of each of N events, on the z scale.

    `intensity` (N, Q, K) is λ(t, k), `intensity_slope` (N, Q, K) its derivative in t,
    `location_score` (N, Q, D) is ∇ log p(x | t), or ∇ log p(x | t, k) of a given mark.
    """

    intensity: Tensor
    intensity_slope: Tensor
    location_score: Tensor

    def time_score(self, mark: Tensor | None) -> Tensor:
        """Returns ∂_t log λ(t, k) - Σ_l λ(t, l), (N, Q), for marks (N, Q) (paper, eq. 5)."""
        return time_score(self.intensity, self.intensity_slope, mark)

    def score(self, mark: Tensor | None) -> Tensor:
        """Returns the score of time given the mark and of location, (N, Q, 1 + D)."""
        return torch.cat([self.time_score(mark).unsqueeze(-1), self.location_score], dim=-1)

    def mark_probability(self) -> Tensor:
        """Returns p(k | t), (N, Q, K)."""
        return mark_probability(self.intensity)


class ScoreNet(nn.Module):
    """Intensity λ(t, k) and the location's law p(x | t, k) given a context.

    `time` gives the law of time and mark, by an intensity or, under `time_law: mixture`, outright;
    `location` the law of the location, by its score or by its density. Under `mark_in_location` an
    embedding of the event's own mark enters the location head's first layer, at first as nothing.

    `law_grid` (G,) holds the times between which the intensity of a likelihood-trained model is
    linear; None where it is trained by its score, or has none. `law_growth` says what lies beyond
    the grid (see `smash.model.grid_time_law.GridTimeLaw`).
    """

    law_grid: Tensor | None
    time: TimeTrunk
    location: LocationHead

    def __init__(
        self,
        settings: ModelSettings,
        n_marks: int,
        hazard: HazardBase | None = None,
        plane: Plane | None = None,
        law_grid: Tensor | None = None,
        law_growth: float | None = None,
        atom: float | None = None,
        n_axes: int = 2,
    ) -> None:
        """Takes sizes, K, the hazard that intensities start at and the grid of a likelihood.

        `plane`: of laws that point at the past, how z becomes time and place. `atom`: of `time_law:
        mixture`, the z below which all times are a gap of 0. `n_axes`: D, 0 without places.
        """
        super().__init__()
        units, size = settings.num_units, settings.cond_dim
        self.cond_dim, self.n_marks, self.law_growth = size, n_marks, law_growth
        self.units = units
        self.n_axes, self.n_streams = n_axes, count_streams(n_marks, n_axes)
        state = torch.get_rng_state()
        if settings.time_law == "mixture":
            self.time = MixtureBranch(size, n_marks, units, self.n_streams * size, atom)
        else:
            self.time = TimeBranch(size, n_marks, units, hazard)
        self.location = location_head(settings, n_marks, plane) if n_axes else NoPlacesHead()
        if settings.location_law == "score" and n_axes:
            draw_in_order(self, state)
        self.mark_shift: nn.Embedding | None = None
        if settings.mark_in_location and n_marks > 1 and n_axes:
            self.mark_shift = nn.Embedding(n_marks, units)
            nn.init.zeros_(self.mark_shift.weight)
        if settings.base != "none":
            self.location.start_at_base()
            if isinstance(self.time, TimeBranch):
                self.time.start_at_base()
        self.register_buffer("law_grid", law_grid, persistent=False)
        self.register_load_state_dict_pre_hook(renamed)

    def terms(self, context: Tensor, own: tuple[Tensor, ...] | None = None) -> ContextTerms:
        """Returns the terms of contexts (N, C).

        `own`: what `LocationHead.remembered` knows of contexts that do not tell of past events.
        """
        parts = self._parts(context)
        joint_terms = self.time.joint_terms(parts.joint)
        location = self.location.terms(parts, joint_terms, self.time.last)
        if own is not None:
            location = location._replace(own=own)
        return ContextTerms(self.time.terms(parts, joint_terms), location)

    def _parts(self, context: Tensor) -> Context:
        """Returns the parts of contexts (N, C)."""
        streams, events = context.tensor_split([self.n_streams * self.cond_dim], dim=-1)
        temporal, *others = streams.split(self.cond_dim, dim=-1)
        spatial = others.pop(0) if self.n_axes else temporal[:, :0]
        joint, *mark = others
        return Context(context, temporal + mark[0] if mark else temporal, spatial, joint, events)

    def forward(self, z: Tensor, terms: ContextTerms, mark: Tensor | None = None) -> Evaluation:
        """Returns intensity, its slope and location score at z (N, Q, 1 + D): time, then location.

        The events' own marks (N, Q) enter the location score under `mark_in_location` alone.
        """
        time, location = z[..., :1], z[..., 1:]
        at_time = self.at_time(time, terms)
        given = self.given(time, at_time.mixed, mark)
        score = self.location.score(location, given, terms.location)
        return Evaluation(at_time.intensity, at_time.intensity_slope, score)

    def at_time(self, t: Tensor, terms: ContextTerms) -> AtTime:
        """Returns what depends on the time t (N, Q, 1) alone."""
        rate = self._intensities(t, terms.time)
        return AtTime(rate.intensity, rate.slope, _mixed(rate.hidden, terms.location))

    def intensity(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns λ(t, k) (N, Q, K) at times t (N, Q, 1), without what its slope costs."""
        return self._intensities.intensity(t, terms.time)

    @property
    def _intensities(self) -> TimeBranch:
        """The time branch, where it is one of intensities."""
        assert isinstance(self.time, TimeBranch)
        return self.time

    @property
    def hazard(self) -> HazardBase | None:
        """What intensities start at, if at anything."""
        return self.time.base if isinstance(self.time, TimeBranch) else None

    @property
    def gives_law(self) -> bool:
        """True where the law of time and mark is given outright, not by an intensity."""
        return isinstance(self.time, MixtureBranch)

    def time_law(self, terms: ContextTerms, n_events: int) -> TimeLaw:
        """Returns the law of time and mark of N contexts with a likelihood-trained network."""
        if isinstance(self.time, MixtureBranch):
            return self.time.law(terms.time)
        grid = self.law_grid
        assert grid is not None
        intensity = self.intensity(grid.expand(n_events, -1).unsqueeze(-1), terms)
        return GridTimeLaw(grid, intensity, self.law_growth)

    def within_reach(self, t: Tensor) -> Tensor:
        """Returns times t, those beyond a likelihood's reach as its ends."""
        if isinstance(self.time, MixtureBranch):
            return t.clamp(-LAW_REACH, LAW_REACH)
        return t if self.law_grid is None else t.clamp(self.law_grid[0], self.law_grid[-1])

    def mixed(self, t: Tensor, terms: ContextTerms) -> Tensor:
        """Returns the share of times t (N, Q, 1) in the location head, (N, Q, H)."""
        return _mixed(self.time.hidden(t, terms.time), terms.location)

    def given(self, t: Tensor, mixed: Tensor, mark: Tensor | None) -> Given:
        """Returns what locations at times t (N, Q, 1) and of marks (N, Q) are conditioned on.

        `mixed` (N, Q, H) is the times' share in the location head.
        """
        if self.mark_shift is None or mark is None:
            return Given(t, mixed)
        return Given(t, mixed + self.mark_shift(mark), mark)


def location_head(
    settings: ModelSettings, n_marks: int, plane: Plane | None = None
) -> LocationHead:
    """Returns the untrained location head that settings ask for, of places of two coordinates."""
    size, units, n_streams = settings.cond_dim, settings.num_units, count_streams(n_marks, 2)
    n_encoded, n_recent = n_streams * size, settings.n_recent
    if settings.location_law == "mixture":
        return LocationMixture(n_encoded, units, settings.location_components, n_recent)
    if settings.location_law == "history":
        assert plane is not None
        if settings.base == "self_exciting":
            return SelfExcitingHead(n_encoded, units, n_recent, n_marks, plane)
        one_scale = settings.place_scales == "one"
        components = settings.location_components
        return HistoryHead(n_encoded, units, n_recent, n_marks, plane, components, one_scale)
    if settings.noise_levels > 1:
        levels = noise_levels(settings.sigma_loc, settings.noise_levels)
        return LevelScoreHead(size, n_streams, units, levels)
    base = ClimatologyPlaces(settings.sigma_loc) if settings.base == "climatology" else None
    return ScoreHead(size, n_streams, units, base)


def _mixed(hidden: Tensor, terms: LocationTerms) -> Tensor:
    """Returns the share (N, Q, H) of the time branch's hidden layer in the location head."""
    return torch.baddbmm(terms.bias, hidden, terms.weight)
