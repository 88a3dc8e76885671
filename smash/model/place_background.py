"""Where events come that no past event of the window points at: an adaptive kernel density.

b(x) = Σ_s u_s Σ_j v_j N(x; x_j, h_sj² I) over the distinct events of the training data. h_sj is a
share of the distance to the event's 2nd, 5th, 20th or 80th neighbour (Breiman, Meisel, Purcell
1977), or half the least distance of two places, which knows addresses that come again; v_j is less
by half for every so many later events. The half-life and the shares u_s are those that forecast the
last fifth of the training data best from the others; `one_scale` has the best scale alone, which is
the better guess where the last fifth is unlike what follows. Beside b stands a wide law, uniform
over the training data's box with a heavy tail beyond, so that no place is impossible.

A training event must not find itself in b, nor what it set off: in training, b at the place of a
training event is without that event and its neighbours in time, tabulated once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor, nn

from smash.blocks import slices
from smash.data.events import EventSequences
from smash.data.groups import lay_out
from smash.data.resolution import least_distance
from smash.model.place_kernels import heavy_log_density, heavy_radius, on_circle

Floats = NDArray[np.float64]

MOST_PLACES = 30_000
"""Kernels at most; of more training events an even share is kept."""
NEIGHBOURS, FACTORS = (2, 5, 20, 80), (0.25, 0.5, 1.0)
"""Bandwidths of the scales: distances to neighbours, and shares of these."""
TYPICAL = NEIGHBOURS.index(20) * len(FACTORS) + FACTORS.index(0.5)
"""The scale that is taken where none can be tried."""
HALF_LIVES = (math.inf, 1.0, 0.5, 0.25, 0.12)
"""Half-lives of kernels' weights that are tried, as shares of the training data."""
LEAST_BANDWIDTH, LEAST_ADDRESS = 5e-4, 1e-5
"""Smallest bandwidth of neighbours and of addresses, as shares of half the box's diagonal."""
LEAST_SHARE = 0.03
"""A scale that would have less is left out."""
TURNS = 100
"""Of expectation and maximisation."""
WIDE_SHARE = 0.05
"""Of the wide law beside b, while b's numbers are tried."""
HELD_OUT = 0.2
MOST_TRIED = 1000
BLOCK, ROWS = 2**17, 32
"""Distances taken at a time, and of how many places these are."""
TAIL, TAIL_EXPONENT = 0.1, 2.0
"""Share and exponent of the wide law's tail, a kernel as wide as half the box's diagonal."""
MOST_KEPT = 64
"""Blocks of places whose densities are kept."""
LEAST = 1e-37
FARTHEST = -60.0
"""Least exponent of a kernel: numbers too small for float32 take fifty times as long."""


class PlaceBackground(nn.Module):
    """log b(x) and draws of it, in the plane's own units (`smash.model.plane`).

    `place` (M, 2), `bandwidth` (M,) and `share` (M,) of the kernels, the shares summing to 1, those
    around one event in a row; `known` (V,), increasing, tells the places of training events,
    `left_out` (V,) is log b there without these and their neighbours. Empty until `fit` or a
    checkpoint fills them.
    """

    growing = ("place", "bandwidth", "share", "known", "left_out")
    """Tables whose number of rows is the training data's."""
    place: Tensor
    bandwidth: Tensor
    share: Tensor
    known: Tensor
    left_out: Tensor

    def __init__(
        self, half_sides: tuple[float, float], cell: tuple[float, float], one_scale: bool = False
    ) -> None:
        """Takes half the box's sides and the lattice's cells (0: none) in the plane's units."""
        super().__init__()
        self.half_sides, self.cell, self.one_scale = half_sides, cell, one_scale
        self.register_buffer("place", torch.zeros(0, 2))
        self.register_buffer("bandwidth", torch.zeros(0))
        self.register_buffer("share", torch.zeros(0))
        self.register_buffer("known", torch.zeros(0, dtype=torch.long))
        self.register_buffer("left_out", torch.zeros(0))
        self._kept: dict[bytes, Tensor] = {}

    @property
    def reach(self) -> float:
        """Half the box's diagonal."""
        return math.hypot(*self.half_sides)

    def log_density(self, x: Tensor) -> Tensor:
        """Returns log b (...) at x (..., 2); in training, without the event that lies there."""
        flat = x.reshape(-1, 2)
        if not self.training or not len(self.known):
            return self._log_kernels_again(flat).view(x.shape[:-1])
        key = self._keys(flat)
        row = torch.searchsorted(self.known, key).clamp_max(len(self.known) - 1)
        found = self.known[row] == key
        log_density = self.left_out[row]
        if not found.all():
            log_density = log_density.clone()
            log_density[~found] = self._log_kernels(flat[~found])
        return log_density.view(x.shape[:-1])

    def score(self, x: Tensor) -> Tensor:
        """Returns ∇ log b (..., 2) at x (..., 2)."""
        flat = x.reshape(-1, 2)
        towards, total = torch.zeros_like(flat), torch.zeros_like(flat[:, :1])
        for rows, tile, weight in self._weights(flat):
            total[rows] += weight.sum(-1, keepdim=True)
            pull = weight / self.bandwidth[tile].square()
            towards[rows] += pull @ self.place[tile] - pull.sum(-1, keepdim=True) * flat[rows]
        return (towards / total.clamp_min(LEAST)).view(x.shape)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Returns draws (*shape, 2) of b."""
        device = self.place.device
        uniform = torch.rand(shape, generator=generator, device=device)
        chosen = torch.searchsorted(self.share.cumsum(0), uniform).clamp_max(len(self.share) - 1)
        noise = torch.randn((*shape, 2), generator=generator, device=device)
        return self.place[chosen] + self.bandwidth[chosen].unsqueeze(-1) * noise

    def wide_log_density(self, x: Tensor) -> Tensor:
        """Returns the wide law's log density (...) at x (..., 2)."""
        a, b = self.half_sides
        inside = ((x.abs() - x.new_tensor(self.half_sides)) <= 0).all(-1)
        uniform = torch.where(inside, math.log((1 - TAIL) / (4 * a * b)), -math.inf)
        log_scale, exponent = x.new_tensor(math.log(self.reach)), x.new_tensor(TAIL_EXPONENT)
        tail = heavy_log_density(x.square().sum(-1), log_scale, exponent) + math.log(TAIL)
        return torch.logaddexp(uniform, tail)

    def wide_score(self, x: Tensor) -> Tensor:
        """Returns the gradient (..., 2) of the wide law's log density at x (..., 2)."""
        square = x.square().sum(-1)
        tail = heavy_log_density(
            square, x.new_tensor(math.log(self.reach)), x.new_tensor(TAIL_EXPONENT)
        )
        share = (tail + math.log(TAIL) - self.wide_log_density(x)).exp()
        return (-2 * TAIL_EXPONENT * share / (square + self.reach**2)).unsqueeze(-1) * x

    def draw_wide(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Returns draws (*shape, 2) of the wide law."""
        device = self.place.device
        uniform = torch.rand((*shape, 4), generator=generator, device=device)
        box = (2 * uniform[..., :2] - 1) * uniform.new_tensor(self.half_sides)
        reach, exponent = uniform.new_tensor(self.reach), uniform.new_tensor(TAIL_EXPONENT)
        tail = on_circle(heavy_radius(uniform[..., 0], reach, exponent), uniform[..., 1])
        return torch.where(uniform[..., 2:3] < TAIL, tail, box)

    def fit(self, train: EventSequences, place: Tensor, neighbours: int) -> float:
        """Fills the tables from the events of `train` at `place` (E, 2) in the plane's units.

        `neighbours`: how many events before and after an event its left-out density is without.
        Returns the logarithm of a typical bandwidth h_j.
        """
        self._kept.clear()
        events = _Distinct.of(train, place)
        scales = self._scales(events.place)
        shares, half_life = self._chosen(events, scales)
        kept, used = events.kept(), shares.nonzero()[:, 0]
        weight = 0.5 ** ((1 - events.position[kept]) / half_life)
        self.place = events.place[kept].repeat_interleave(len(used), 0).to(self.place)
        self.bandwidth = scales[kept][:, used].flatten().to(self.place)
        self.share = (weight / weight.sum()).outer(shares[used]).flatten().to(self.place)
        around = kept.repeat_interleave(len(used))
        log_density = self._without_neighbours(events, around, neighbours)
        self.known, which = self._keys(events.place.float()).unique(return_inverse=True)
        total = torch.zeros(len(self.known)).index_add_(0, which, log_density.exp())
        self.left_out = (total / torch.bincount(which)).clamp_min(LEAST).log().to(self.place)
        return float(scales[:, TYPICAL].log().mean())

    def _scales(self, place: Tensor) -> Tensor:
        """Returns the bandwidths (D, S) of all scales around places (D, 2)."""
        cell = max(self.cell) / 2
        address = max(LEAST_ADDRESS * self.reach, cell, least_distance(place.numpy()) / 2)
        distance = _neighbour_distances(place).clamp_min(max(LEAST_BANDWIDTH * self.reach, address))
        return torch.cat([distance, torch.full_like(distance[:, :1], address)], -1)

    def _chosen(self, events: "_Distinct", scales: Tensor) -> tuple[Tensor, float]:
        """Returns the shares (S,) and the half-life under which the others forecast the last fifth
        best: the half-life for one scale, so that it does not make up for wrong scales.
        """
        late = events.position > 1 - HELD_OUT
        if late.all() or not late.any():
            return torch.eye(scales.shape[1], dtype=torch.double)[TYPICAL], math.inf
        kernels, tried = _spread((~late).nonzero()[:, 0], MOST_PLACES), late.nonzero()[:, 0]
        x = events.place[_spread(tried, MOST_TRIED)].float()
        age = (1 - HELD_OUT) - events.position[kernels]
        weight = torch.stack([0.5 ** (age / half_life) for half_life in HALF_LIVES], -1)
        weight = (weight / weight.sum(0)).float()
        self.place, self.share = events.place[kernels].float(), torch.ones(len(kernels))
        found = []
        for bandwidth in scales[kernels].float().unbind(-1):
            self.bandwidth = bandwidth
            found.append(torch.zeros(len(x), len(HALF_LIVES)))
            for rows, tile, kernels_there in self._weights(x):
                found[-1][rows] += kernels_there @ weight[tile]
        density = (1 - WIDE_SHARE) * torch.stack(found, 1).double()
        wide = WIDE_SHARE * self.wide_log_density(x).exp().double()
        alone = (density + wide[:, None, None]).log().mean(0)
        scale, which = divmod(int(alone.argmax()), len(HALF_LIVES))
        if self.one_scale:
            return torch.eye(scales.shape[1], dtype=torch.double)[scale], HALF_LIVES[which]
        return _likeliest(density[..., which], wide), HALF_LIVES[which]

    def _without_neighbours(self, events: "_Distinct", kept: Tensor, neighbours: int) -> Tensor:
        """Returns log b (D,) at all distinct events, without those up to so many ranks away."""
        x, rank = events.place.float(), torch.arange(len(events.place))
        total, left = torch.zeros(len(x)), torch.ones(len(x))
        for rows, tile, weight in self._weights(x):
            # Events stand in order, so that all neighbours of a block lie in a band of kernels.
            first, last = int(rank[rows][0]) - neighbours, int(rank[rows][-1]) + neighbours
            if last >= kept[tile][0] and first <= kept[tile][-1]:
                near = (rank[rows, None] - kept[tile]).abs() <= neighbours
                near &= events.group[rows, None] == events.group[kept[tile]]
                weight.masked_fill_(near, 0)
                left[rows] -= (near * self.share[tile]).sum(-1)
            total[rows] += weight.sum(-1)
        return (total / left.clamp_min(LEAST)).clamp_min(LEAST).log()

    def _log_kernels_again(self, x: Tensor) -> Tensor:
        """Returns `_log_kernels`, kept a while: maps ask for the same places by mark and time."""
        key = x.double().cpu().numpy().tobytes()
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            found = self._kept[key] = self._log_kernels(x)
        return found.to(x, copy=True)

    def _log_kernels(self, x: Tensor) -> Tensor:
        """Returns log b (N,) at x (N, 2), all kernels included."""
        total = torch.zeros(len(x)).to(x)
        for rows, _, weight in self._weights(x):
            total[rows] += weight.sum(-1)
        return total.clamp_min(LEAST).log()

    @torch.no_grad()
    def _weights(self, x: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
        """Yields rows of x (N, 2), some kernels, and v_j N(x; x_j, h_j²) (n, m) of these there.

        As many at a time as the processor's cache holds: of tens of thousands of kernels each row
        alone would go through memory.
        """
        variance = self.bandwidth.square()
        exponent, scale = -0.5 / variance, self.share / (2 * math.pi * variance)
        for rows in slices(len(x), ROWS):
            first, second = x[rows, :, None].unbind(1)
            for tile in slices(len(self.place), BLOCK // ROWS):
                squares = (first - self.place[tile, 0]).square_()
                squares.add_((second - self.place[tile, 1]).square_())
                density = squares.mul_(exponent[tile]).clamp_min_(FARTHEST).exp_()
                yield rows, tile, density.mul_(scale[tile])

    def _keys(self, x: Tensor) -> Tensor:
        """Returns a number (N,) of each of the places x (N, 2), float32, the same in a cell."""
        parts = []
        for coordinate, half, cell in zip(x.unbind(-1), self.half_sides, self.cell, strict=True):
            if cell:
                parts.append(((coordinate + half) / cell).floor().long())
            else:
                parts.append(coordinate.contiguous().view(torch.int32).long())
        return parts[0] * 2**32 + parts[1] % 2**32

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Makes room for the tables of a checkpoint, whose sizes only it knows."""
        self._kept.clear()
        for name, table in list(self.named_buffers(recurse=False)):
            saved = state_dict.get(prefix + name)
            if saved is not None:
                setattr(self, name, table.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


@dataclass(frozen=True)
class _Distinct:
    """The distinct events of a training set, overlapping windows seen through.

    In order of `group` (D,), which events lie on one axis of time, and of time there. `place`
    (D, 2); `position` (D,): how far into the training data an event first stands, in (0, 1].
    """

    place: Tensor
    position: Tensor
    group: Tensor

    @classmethod
    def of(cls, train: EventSequences, place: Tensor) -> "_Distinct":
        layout = lay_out(train)
        _, first = np.unique(layout.event, return_index=True)
        group = layout.group[train.sequence][first]
        time = (layout.start[train.sequence] + train.relative_time)[first]
        order = np.lexsort((time, group))
        rows = first[order]
        position = (rows + 1) / train.n_events
        return cls(
            place[torch.from_numpy(rows)].double(),
            torch.from_numpy(position),
            torch.from_numpy(group[order]),
        )

    def kept(self) -> Tensor:
        """Returns which events (M,) become kernels."""
        return _spread(torch.arange(len(self.place)), MOST_PLACES)


def _spread(rows: Tensor, most: int) -> Tensor:
    """Returns at most so many of `rows` (R,), evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most, dtype=torch.double).round().long()]


def _neighbour_distances(place: Tensor) -> Tensor:
    """Returns all factors of the distances of places (D, 2) to all neighbours, or the last ones."""
    k = sorted({min(neighbour, len(place) - 1) + 1 for neighbour in NEIGHBOURS})
    distance, _ = cKDTree(place.numpy()).query(place.numpy(), k=k)
    which = [k.index(min(neighbour, len(place) - 1) + 1) for neighbour in NEIGHBOURS]
    found = torch.from_numpy(np.asarray(distance, dtype=np.float64)[:, which])
    return (found.unsqueeze(-1) * torch.tensor(FACTORS, dtype=torch.double)).flatten(1)


def _likeliest(density: Tensor, wide: Tensor) -> Tensor:
    """Returns the shares (S,) that make densities (N, S), beside a given one (N,), likeliest."""
    share = torch.full((density.shape[1],), 1 / density.shape[1], dtype=torch.double)
    for _ in range(TURNS):
        together = (density @ share + wide).clamp_min(LEAST)
        share = share * (density / together.unsqueeze(-1)).mean(0)
        share = share / share.sum().clamp_min(LEAST)
    share = share * (share >= LEAST_SHARE)
    return share / share.sum()
