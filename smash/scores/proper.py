"""Proper scores of samples: lower is better, and the true law has the lowest expectation.

Both are the fair estimators: the spread among samples is averaged over the S (S - 1) pairs of
different samples, so that their expectation is the score of the law behind the samples whatever
S is (C. Ferro, Quarterly Journal of the Royal Meteorological Society 140 (2014) 1917-1923).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks

Floats = NDArray[np.float64]


def fair_crps(samples: Floats, truth: Floats) -> Floats:
    """Returns (N,) E|X - y| - E|X - X'| / 2 of (N, S) samples, in their unit; NaN for S = 1.

    The estimator by probability-weighted moments equals the fair one and only sorts: the sum of
    |a - b| over pairs is that of the sorted samples, each by how many more are below than above it.
    """
    n_samples = samples.shape[1]
    if n_samples < 2:
        return np.full(len(samples), np.nan)
    below_less_above = 2.0 * np.arange(n_samples) - (n_samples - 1)
    among = np.sort(samples, axis=1) @ below_less_above
    to_truth = np.abs(samples - truth[:, None]).mean(axis=1)
    return to_truth - among / (n_samples * (n_samples - 1))


def fair_energy_score(samples: Floats, truth: Floats) -> Floats:
    """Returns (N,) E|X - y| - E|X - X'| / 2 of (N, S, D) samples with Euclidean distances.

    In the coordinates' unit; NaN for S = 1. All pairs are taken, a block of events at a time.
    """
    n_events, n_samples = samples.shape[:2]
    if n_samples < 2:
        return np.full(n_events, np.nan)
    to_truth = np.linalg.norm(samples - truth[:, None], axis=-1).mean(axis=1)
    among = np.empty(n_events)
    for block in event_blocks(n_events, n_samples**2):
        among[block] = _sum_of_distances(samples[block]).numpy()
    return to_truth - among / (2 * n_samples * (n_samples - 1))


def _sum_of_distances(points: Floats) -> torch.Tensor:
    """Returns (N,) sums of |a - b| over all ordered pairs of the points (N, S, D)."""
    # float32 is enough once the common offset, which cancels, is taken off in float64
    centred = torch.from_numpy(points - points.mean(axis=1, keepdims=True)).float()
    first, *others = centred.unbind(-1)
    distance = (first[:, :, None] - first[:, None, :]).square_()
    for coordinate in others:
        difference = coordinate[:, :, None] - coordinate[:, None, :]
        distance.addcmul_(difference, difference)
    return distance.sqrt_().sum(-1).double().sum(-1)
