"""The training data's own law of gap, mark and location, as a start for a network to correct.

A model whose intensity and location score are climatology's has skill zero before it is trained,
so that training can only learn what history adds. On a log-gap axis a hazard climbs over orders
of magnitude, which a plain network learns slowly.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.model.hazard_base import HazardBase

Floats = NDArray[np.float64]

PLACES = 200
"""Places of the location table in each direction."""
REACH = 4.0
"""How far, in σ, tables of noised laws reach beyond [-1, 1]."""
POSITIONS = 8
"""Positions drawn in each value's cell, where values have cells."""
BROAD = 0.5
"""Standard deviation, on the z scale, of the one pseudo-event's location."""


def base_grid(sigma_time: float, n_points: int = 512) -> Tensor:
    """Returns the grid (G,) of a noised law's hazard."""
    reach = 1 + REACH * sigma_time
    return torch.linspace(-reach, reach, n_points)


class ClimatologyHazard(HazardBase):
    """Climatology's intensity h(t) q_k, tabulated.

    `hazard` (G,) on an even grid of times, linear between them, constant beyond; `frequency` (K,)
    of the marks. One pseudo-event is spread over every mark and time, so that none is impossible.
    """

    hazard: Tensor
    frequency: Tensor

    def __init__(self, n_marks: int, grid: Tensor) -> None:
        """Takes the grid (G,) of the hazard; `fit` or a checkpoint fills the tables."""
        super().__init__()
        self.start, self.step = float(grid[0]), float((grid[-1] - grid[0]) / (len(grid) - 1))
        self.register_buffer("hazard", torch.ones(len(grid)))
        self.register_buffer("frequency", torch.full((n_marks,), 1 / n_marks))

    def intensity(self, t: Tensor, *known: Tensor) -> Tensor:
        """Returns h(t) q_k (N, Q, K) at times t (N, Q, 1)."""
        cell, share = self._cell(t)
        return torch.lerp(self.hazard[cell], self.hazard[cell + 1], share) * self.frequency

    def intensity_with_slope(self, t: Tensor, *known: Tensor) -> tuple[Tensor, Tensor]:
        """Returns h(t) q_k and its derivative in t, (N, Q, K) each."""
        cell, share = self._cell(t)
        low, high = self.hazard[cell], self.hazard[cell + 1]
        slope = (high - low) / self.step
        return torch.lerp(low, high, share) * self.frequency, slope * self.frequency

    def fit(self, train: EventSequences, scaler: Scaler, sigma_time: float) -> None:
        """Fills the tables with the law of the targets of `train`, on the z scale.

        With `sigma_time` 0 the hazard is the plain law's; else that of gaps with noise added.
        """
        rows, position = _positions(train, scaler)
        gap = 2 * scaler.scale_gap(train.gap[rows], position[:, 0]) - 1
        n_events = int(train.is_target.sum())
        grid = self.start + self.step * np.arange(len(self.hazard), dtype=np.float64)
        if sigma_time:
            hazard = noised_hazard(gap, grid, sigma_time)
        else:
            hazard = plain_hazard(gap, grid, n_events)
        self.hazard.copy_(torch.from_numpy(hazard))
        if train.mark is not None:
            n_marks = len(self.frequency)
            counts = np.bincount(train.mark[train.is_target], minlength=n_marks) + 1 / n_marks
            self.frequency.copy_(torch.from_numpy(counts / counts.sum()))

    def _cell(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the cell of the hazard's grid that holds each t, and how far into it t lies."""
        position = ((t - self.start) / self.step).clamp(0, len(self.hazard) - 1)
        cell = position.long().clamp_max(len(self.hazard) - 2)
        return cell, position - cell


class ClimatologyPlaces(nn.Module):
    """The score of climatology's noised locations, and draws of them, tabulated.

    `score` (2, P, P) and `cumulative` (P²,), row by row from low y; linear between places, constant
    beyond. One pseudo-event is spread over every place, so that none is impossible.
    """

    score: Tensor
    cumulative: Tensor

    def __init__(self, sigma_loc: float) -> None:
        """Takes the noise on the z scale; `fit` or a checkpoint fills the tables."""
        super().__init__()
        self.sigma_loc, self.reach = sigma_loc, 1 + REACH * sigma_loc
        self.register_buffer("score", torch.zeros(2, PLACES, PLACES))
        self.register_buffer("cumulative", torch.linspace(0, 1, PLACES**2))

    def score_at(self, x: Tensor) -> Tensor:
        """Returns the score (N, Q, 2) of the noised locations at x (N, Q, 2)."""
        score = F.grid_sample(
            self.score[None], x[None] / self.reach, padding_mode="border", align_corners=True
        )
        return score[0].permute(1, 2, 0)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Returns noised locations (*shape, 2)."""
        device = self.cumulative.device
        place = torch.searchsorted(
            self.cumulative, torch.rand(shape, generator=generator, device=device)
        ).clamp_max(PLACES**2 - 1)
        within = torch.rand((*shape, 2), generator=generator, device=device) - 0.5
        corner = torch.stack([place % PLACES, place // PLACES], dim=-1)
        return (corner + within) * (2 * self.reach / (PLACES - 1)) - self.reach

    def fit(self, train: EventSequences, scaler: Scaler) -> None:
        """Fills the tables with the law of the targets of `train`, on the z scale."""
        rows, position = _positions(train, scaler)
        location = 2 * scaler.scale_location(train.location[rows], position[:, 1:]) - 1
        n_events = int(train.is_target.sum())
        density, score = noised_location(location, self.sigma_loc, self.reach, n_events)
        self.score.copy_(torch.from_numpy(score))
        self.cumulative.copy_(torch.from_numpy(density.cumsum() / density.sum()))


def _positions(train: EventSequences, scaler: Scaler) -> tuple[NDArray[np.int64], Floats]:
    """Returns rows (P,) of the targets of `train` and positions (P, 3) of each in its cells."""
    numbers = np.random.default_rng(0)
    rows = np.repeat(np.flatnonzero(train.is_target), POSITIONS if scaler.has_cells else 1)
    gap, place = numbers.random(len(rows)), numbers.random((len(rows), 2))
    return rows, np.column_stack([gap, place])


def plain_hazard(gap: Floats, grid: Floats, n_events: int) -> Floats:
    """Returns the hazard (G,) of gaps (P,), the draws of `n_events` events.

    Linear between grid points, it has the gaps' own survival but for averaging over a cell to
    either side.
    """
    # Gaps beyond the grid count as its ends.
    before = np.searchsorted(np.sort(gap), grid) / len(gap)
    survival = (n_events * (1 - before) + np.linspace(1, 0, len(grid))) / (n_events + 1)
    rate = -np.diff(np.log(survival[:-1])) / np.diff(grid[:-1])
    # Nothing survives the last cell; its rate is the one before.
    rate = np.concatenate([rate[:1], rate, rate[-1:], rate[-1:]])
    return (rate[:-1] + rate[1:]) / 2


def noised_hazard(gap: Floats, grid: Floats, sigma: float) -> Floats:
    """Returns the hazard (G,) of gaps (P,) with noise N(0, σ²) added."""
    counts, edges = np.histogram(gap, bins=4 * len(grid))
    middle = (edges[1:] + edges[:-1]) / 2
    weight = counts / counts.sum()
    away = (grid[:, None] - middle) / sigma
    density = np.exp(-(away**2) / 2) / (sigma * math.sqrt(2 * math.pi))
    return (density @ weight) / (ndtr(-away) @ weight)


def noised_location(
    location: Floats, sigma: float, reach: float, n_events: int
) -> tuple[Floats, Floats]:
    """Returns the density (P, P), row by row from low y, and score (2, P, P) of noised locations.

    The locations (D, 2) stand for `n_events` events.
    """
    places = np.linspace(-reach, reach, PLACES)
    edges = np.linspace(-1, 1, 4 * PLACES + 1)
    x, y = np.clip(location, -1, 1).T
    counts, _, _ = np.histogram2d(y, x, bins=[edges, edges])
    weight = counts / counts.sum() * n_events / (n_events + 1)
    away = places[:, None] - (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-((away / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    slope = -away / sigma**2 * kernel
    broad = np.exp(-((places / BROAD) ** 2) / 2) / (BROAD * math.sqrt(2 * math.pi))
    broad_slope = -places / BROAD**2 * broad
    share = 1 / (n_events + 1)
    density = kernel @ weight @ kernel.T + share * np.outer(broad, broad)
    by_x = kernel @ weight @ slope.T + share * np.outer(broad, broad_slope)
    by_y = slope @ weight @ kernel.T + share * np.outer(broad_slope, broad)
    return density, np.stack([by_x, by_y]) / density
