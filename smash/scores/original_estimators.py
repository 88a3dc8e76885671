"""Coverage as the original implementation estimates it, for comparison with published figures.

Both estimators are biased (long-tailed gaps most of all) and say nothing of calibration by
themselves; see `smash.scores.calibration` for the ones that do. They are kernel densities with
Scott's bandwidth on grids between the samples' least and largest value. Each is stated here as the
least level whose interval or region holds the truth, so that an event has one number for every
level: covered(q) = (level <= q).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks

Floats = NDArray[np.float64]

GRID = 100
"""Grid points a coordinate."""

SAFE_EXPONENT = 300.0
"""Largest half-product of the grid's factors; twice as much still lies within float64."""


@dataclass(frozen=True)
class OriginalLevel:
    """(N,) least levels that hold the truth, infinite where none does.

    `degenerate` (N,) marks samples without a density (all equal, on a line, too few), for which
    the original implementation fails; no level holds their truth.
    """

    level: Floats
    degenerate: NDArray[np.bool_]


def time_level(gap: Floats, truth: Floats) -> OriginalLevel:
    """Returns the levels whose intervals [0, bound] hold `truth` (N,), from samples (N, S)."""
    level, degenerate = np.empty(len(gap)), np.empty(len(gap), dtype=bool)
    for block in event_blocks(len(gap), GRID * gap.shape[1]):
        grid, cumulative, degenerate[block] = _time_grid(gap[block])
        # bounds are grid points: the truth asks for the first one at or above it, and that one
        # is the bound of every level above the mass accumulated before it
        first = (grid < truth[block, None]).sum(axis=1)
        before = np.pad(cumulative, ((0, 0), (1, 0)))
        held = np.take_along_axis(before, first[:, None], axis=1)[:, 0]
        beyond = (first == GRID) | (truth[block] < 0) | degenerate[block]
        level[block] = np.where(beyond, np.inf, held)
    return OriginalLevel(level, degenerate)


def time_upper_bound(gap: Floats, levels: Sequence[float]) -> Floats:
    """Returns (N, Q) the intervals' upper bounds, in the unit of the samples (N, S).

    The first grid point where the density's running sum times the grid's step, not normalised,
    reaches the level or its own maximum. NaN for degenerate samples.
    """
    bounds = np.empty((len(gap), len(levels)))
    for block in event_blocks(len(gap), GRID * gap.shape[1]):
        grid, cumulative, degenerate = _time_grid(gap[block])
        goal = np.minimum(cumulative[:, -1:], np.asarray(levels))
        index = (cumulative[:, None, :] < goal[:, :, None]).sum(axis=-1)
        found = np.take_along_axis(grid, np.minimum(index, GRID - 1), axis=1)
        bounds[block] = np.where(degenerate[:, None], np.nan, found)
    return bounds


def location_level(location: Floats, truth: Floats) -> OriginalLevel:
    """Returns the levels whose regions hold `truth` (N, 2), from samples (N, S, 2).

    Level q's region is where the density reaches the threshold above which lie q of its sum over
    the grid; the truth's own density says how much of that sum lies above it.
    """
    level, degenerate = np.empty(len(location)), np.empty(len(location), dtype=bool)
    for block in event_blocks(len(location), GRID * max(GRID, location.shape[1])):
        kernel = _Kernel.of(location[block])
        grid = _grid_density(kernel)
        own = _density_at(kernel, torch.from_numpy(truth[block]))
        above = (grid * (grid > own[:, None])).sum(1) / grid.sum(1)
        degenerate[block] = kernel.degenerate.numpy()
        level[block] = torch.where(kernel.degenerate, torch.inf, above).numpy()
    return OriginalLevel(level, degenerate)


def location_density_level(location: Floats, levels: Sequence[float]) -> Floats:
    """Returns (N, Q) the regions' density thresholds; NaN for degenerate samples.

    The first of the grid's sorted densities at which their running sum reaches 1 - level of it.
    """
    thresholds = np.empty((len(location), len(levels)))
    share = 1 - np.asarray(levels)
    for block in event_blocks(len(location), GRID * max(GRID, location.shape[1])):
        kernel = _Kernel.of(location[block])
        ordered = np.sort(_grid_density(kernel).numpy(), axis=1)
        running = ordered.cumsum(axis=1)
        for row, (sums, densities) in enumerate(zip(running, ordered, strict=True)):
            index = np.minimum(np.searchsorted(sums, share * sums[-1]), GRID**2 - 1)
            thresholds[block.start + row] = densities[index]
        thresholds[block][kernel.degenerate.numpy()] = np.nan
    return thresholds


def _time_grid(gap: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Returns the grid (N, 100), the density's running sum times the step, and the degenerate."""
    samples = torch.from_numpy(gap)
    n_samples = gap.shape[1]
    low, high = samples.amin(1, keepdim=True), samples.amax(1, keepdim=True)
    # equal samples may have a variance of a rounding error, and no density
    spread = samples.std(1, keepdim=True) if n_samples > 1 else torch.zeros_like(low)
    degenerate = ((low == high) | (spread == 0))[:, 0]
    width = torch.where(degenerate[:, None], 1.0, spread) * n_samples ** (-1 / 5)
    grid = low + (high - low) * torch.linspace(0, 1, GRID, dtype=torch.float64)
    grid[:, -1:] = high
    scaled_grid, scaled = (grid - low) / width, (samples - low) / width
    kernels = (scaled_grid[:, :, None] - scaled[:, None, :]).square_().mul_(-0.5).exp_()
    density = kernels.mean(-1) / (width * (2 * torch.pi) ** 0.5)
    step = grid[:, 1:2] - grid[:, :1]
    return grid.numpy(), (density.cumsum(1) * step).numpy(), degenerate.numpy()


@dataclass(frozen=True)
class _Kernel:
    """Gaussian kernels on samples: x, y (N, S) from the middle of their range, float64.

    `origin` (N, 2) is that middle, `half` (N, 2) half the range, and [[a, b], [b, c]] (N,) the
    precision of one kernel. Degenerate clouds are given the unit matrix.
    """

    x: torch.Tensor
    y: torch.Tensor
    origin: torch.Tensor
    half: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    c: torch.Tensor
    degenerate: torch.Tensor

    @classmethod
    def of(cls, location: Floats) -> "_Kernel":
        points = torch.from_numpy(location)
        n_samples = points.shape[1]
        low, high = points.amin(1), points.amax(1)
        origin, half = (low + high) / 2, (high - low) / 2
        centred = points - points.mean(1, keepdim=True)
        scott = n_samples ** (-1 / 3) / max(1, n_samples - 1)
        xx, xy, yy = (
            (centred[..., i] * centred[..., j]).sum(1) * scott for i, j in ((0, 0), (0, 1), (1, 1))
        )
        determinant = xx * yy - xy * xy
        degenerate = (half == 0).any(-1) | ~(determinant > 1e-13 * xx * yy)
        determinant = torch.where(degenerate, 1.0, determinant)
        x, y = (points - origin[:, None]).unbind(-1)
        a, c = (torch.where(degenerate, 1.0, v / determinant) for v in (yy, xx))
        b = torch.where(degenerate, 0.0, -xy / determinant)
        return cls(x.contiguous(), y.contiguous(), origin, half, a, b, c, degenerate)

    def select(self, rows: torch.Tensor) -> "_Kernel":
        return _Kernel(*(value[rows] for value in vars(self).values()))

    @property
    def normaliser(self) -> torch.Tensor:
        """(N,) factor that makes the sum over samples a density."""
        determinant = self.a * self.c - self.b * self.b
        return determinant.sqrt() / (2 * torch.pi * self.x.shape[1])

    @property
    def axes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 100) grid points of each coordinate, from the middle of the range."""
        unit = torch.linspace(-1, 1, GRID, dtype=torch.float64)
        return self.half[:, :1] * unit, self.half[:, 1:] * unit


def _density_at(kernel: _Kernel, truth: torch.Tensor) -> torch.Tensor:
    """Returns (N,) densities at `truth` (N, 2)."""
    point = truth - kernel.origin
    dx, dy = point[:, :1] - kernel.x, point[:, 1:] - kernel.y
    a, b, c = (v[:, None] for v in (kernel.a, kernel.b, kernel.c))
    exponent = a * dx * dx + 2 * b * dx * dy + c * dy * dy
    return (-0.5 * exponent).exp().sum(1) * kernel.normaliser


def _grid_density(kernel: _Kernel) -> torch.Tensor:
    """Returns (N, 10000) densities on the grid, by a matrix product where exponents allow."""
    density = torch.empty(len(kernel.x), GRID**2, dtype=torch.float64)
    safe = kernel.b.abs() * kernel.half.prod(-1) <= SAFE_EXPONENT
    density[safe] = _factorised(kernel.select(safe))
    for row in torch.nonzero(~safe)[:, 0]:
        density[row] = _direct(kernel.select(row[None]))
    return density * kernel.normaliser[:, None]


def _factorised(kernel: _Kernel) -> torch.Tensor:
    """Returns (N, 10000) sums of kernels over samples s, one (100, S) x (S, 100) product an event.

    With u = x_i - x_s and v = y_j - y_s the kernel's cross term splits, as
    u v = x_i y_j - u y_s - x_s y_j, into a factor of (i, j), one of (i, s) and one of (s, j).
    """
    a, b, c = (v[:, None, None] for v in (kernel.a, kernel.b, kernel.c))
    grid_x, grid_y = kernel.axes
    u = grid_x[:, :, None] - kernel.x[:, None, :]
    v = grid_y[:, None, :] - kernel.y[:, :, None]
    left = ((-0.5 * a * u + b * kernel.y[:, None, :]) * u).exp_()
    right = (-0.5 * c * v * v + b * kernel.x[:, :, None] * grid_y[:, None, :]).exp_()
    both = (-b * grid_x[:, :, None] * grid_y[:, None, :]).exp_()
    return ((left @ right) * both).flatten(1)


def _direct(kernel: _Kernel) -> torch.Tensor:
    """Returns (1, 10000) sums of kernels over samples, for an event with strong correlation."""
    grid_x, grid_y = (axis[0] for axis in kernel.axes)
    u, v = grid_x[:, None] - kernel.x, grid_y[:, None] - kernel.y
    rows = [
        (-0.5 * (kernel.a * x * x + (2 * kernel.b * x + kernel.c * v) * v)).exp_().sum(1) for x in u
    ]
    return torch.stack(rows).flatten()[None]
