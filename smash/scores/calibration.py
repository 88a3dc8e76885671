r"""Calibration of samples: where the truth ranks among them, and how often intervals hold it.

Both ranks put the truth and its S samples on the same footing, so that a perfect forecaster's are
uniform on (0, 1) exactly, for every S and every law: atoms, lattices and long tails included. The
interval or region of level q holds the truth when the rank is at most q, hence

    coverage(q) = mean(rank <= q),    CS = mean over levels of |coverage(q) - q|.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom

from smash.blocks import event_blocks

Floats = NDArray[np.float64]

RIDGE = 1e-9
"""Share of the mean variance added to each, so that points on a line keep a bandwidth."""

TIE = 1e-5
"""Densities that differ by less, relatively, are equal within the accuracy of float32."""


def randomised_pit(samples: Floats, truth: Floats, generator: torch.Generator) -> Floats:
    """Returns (N,) ranks (n_below + U (n_ties + 1)) / (S + 1) of `truth` (N,) in (N, S) samples.

    U is uniform on (0, 1); it spreads the truth over its ties. The interval [0, q-quantile] holds
    the truth when its rank is at most q.
    """
    below = (samples < truth[:, None]).sum(axis=1)
    ties = (samples == truth[:, None]).sum(axis=1)
    return _randomised_rank(below, ties, samples.shape[1], generator)


def region_level(location: Floats, truth: Floats, generator: torch.Generator) -> Floats:
    """Returns (N,) the levels of the smallest density regions that hold `truth` (N, 2).

    A Gaussian kernel density is put on the S samples (N, S, 2) and the truth together, its
    bandwidth Scott's for these S + 1 points, and each point is given the density of the S others.
    The level is the share of points that lie denser than the truth, ties being randomised. As the
    truth is treated like any sample, the rank is uniform for a perfect forecaster; ranking it by
    the density of the samples alone is biased, each sample sitting on a kernel of its own.
    """
    n_events, n_samples = location.shape[:2]
    denser = np.zeros(n_events, dtype=np.int64)
    ties = np.zeros(n_events, dtype=np.int64)
    for block in event_blocks(n_events, (n_samples + 1) ** 2):
        points = np.concatenate([location[block], truth[block, None]], axis=1)
        density = _leave_one_out_density(_whitened(torch.from_numpy(points)))
        others, own = density[:, :-1], density[:, -1:]
        tied = (others - own).abs() <= TIE * own
        denser[block] = ((others > own) & ~tied).sum(1).numpy()
        ties[block] = tied.sum(1).numpy()
    return _randomised_rank(denser, ties, n_samples, generator)


def coverage(ranks: Floats, levels: Sequence[float]) -> Floats:
    """Returns (Q,) the shares of `ranks` (N,) that are at most each of the Q levels."""
    return (ranks[:, None] <= np.asarray(levels)).mean(axis=0)


def calibration_score(ranks: Floats, levels: Sequence[float]) -> float:
    """Returns CS, the mean over levels of |coverage - level|, as a fraction."""
    return float(np.abs(coverage(ranks, levels) - np.asarray(levels)).mean())


def cs_floor(n_events: int, levels: Sequence[float]) -> float:
    """Returns the CS that a perfect forecaster has on average over `n_events` independent events.

    The mean absolute deviation of a binomial share, exact by de Moivre's formula (P. Diaconis,
    S. Zabell, Statistical Science 6 (1991) 284-302): with k = floor(n q) + 1,

        E|Bin(n, q) / n - q| = 2 k C(n, k) q^k (1 - q)^(n - k + 1) / n.
    """
    q = np.asarray(levels, dtype=np.float64)
    k = np.floor(n_events * q) + 1
    # log of C(n, k) q^k (1 - q)^(n - k), with one more factor of 1 - q
    log_mass = binom.logpmf(k, n_events, q) + np.log1p(-q)
    return float(np.mean(2 * k / n_events * np.exp(log_mass)))


def cs_critical(
    n_events: int,
    levels: Sequence[float],
    generator: np.random.Generator,
    probability: float = 0.95,
    draws: int = 4000,
) -> float:
    """Returns the CS that a perfect forecaster stays below with `probability`, by simulation.

    Its ranks of `n_events` independent events are uniform, so the events between neighbouring
    levels are multinomial.
    """
    q = np.sort(np.asarray(levels, dtype=np.float64))
    counts = generator.multinomial(n_events, np.diff(q, prepend=0.0, append=1.0), size=draws)
    covered = counts[:, :-1].cumsum(axis=1) / n_events
    return float(np.quantile(np.abs(covered - q).mean(axis=1), probability))


def _randomised_rank(
    before: NDArray[np.int64], ties: NDArray[np.int64], n_samples: int, generator: torch.Generator
) -> Floats:
    uniform = torch.rand(len(before), generator=generator, dtype=torch.float64).numpy()
    return (before + uniform * (ties + 1)) / (n_samples + 1)


def _whitened(points: torch.Tensor) -> torch.Tensor:
    """Returns (N, S + 1, 2) points in which the kernel is exp(-|a - b|^2), as float32.

    They are centred and whitened in float64, so that far-off coordinates cost no accuracy.
    """
    n_points = points.shape[1]
    centred = points - points.mean(1, keepdim=True)
    extent = centred.abs().amax((1, 2), keepdim=True)
    # all points equal: any extent will do, as every difference is zero
    centred = centred / torch.where(extent > 0, extent, 1.0)
    covariance = centred.transpose(1, 2) @ centred / (n_points - 1)
    variance = covariance.diagonal(dim1=1, dim2=2).mean(-1)
    ridge = torch.where(variance > 0, RIDGE * variance, 1.0)
    unit = torch.eye(2, dtype=points.dtype)
    root = torch.linalg.cholesky(covariance + ridge[:, None, None] * unit)
    white = torch.linalg.solve_triangular(root, centred.transpose(1, 2), upper=False)
    scott = n_points ** (-1 / 6)
    return (white.transpose(1, 2) / (scott * 2**0.5)).float()


def _leave_one_out_density(points: torch.Tensor) -> torch.Tensor:
    """Returns (N, S + 1) sums of exp(-|a - b|^2) over all points b but a itself."""
    x, y = points.unbind(-1)
    distance = (x[:, :, None] - x[:, None, :]).square_()
    other = y[:, :, None] - y[:, None, :]
    kernel = distance.addcmul_(other, other).neg_().exp_()
    kernel.diagonal(dim1=1, dim2=2).zero_()
    return kernel.sum(-1)
