"""Point forecasts from samples: the published means, and what is optimal for the error reported.

The mean absolute error is least at the median of the gap and at the geometric median of the
location; the means are least for squared errors, which nobody reports here.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import event_blocks

Floats = NDArray[np.float64]

STEPS = 200
WORKING_ARRAYS = 8
PRECISION = 1e-6
"""Weiszfeld's iteration stops for an event once a step is below this share of its spread."""


def geometric_median(location: Floats) -> Floats:
    """Returns (N, 2) the points with the least mean distance to the samples (N, S, 2).

    Weiszfeld's iteration as completed by Y. Vardi and C.-H. Zhang (PNAS 97 (2000) 1423-1426), so
    that it leaves a sample it meets unless that sample is the median.
    """
    medians = np.empty((len(location), location.shape[2]))
    for block in event_blocks(len(location), WORKING_ARRAYS * location.shape[1]):
        medians[block] = _weiszfeld(torch.from_numpy(location[block])).numpy()
    return medians


def distance(location: Floats, truth: Floats) -> Floats:
    """Returns (N,) Euclidean distances between (N, 2) points."""
    return np.linalg.norm(location - truth, axis=-1)


def _weiszfeld(points: torch.Tensor) -> torch.Tensor:
    """Returns (N, 2) geometric medians of (N, S, 2), started at the medians by coordinate."""
    median = points.median(dim=1).values
    spread = (points - median[:, None]).norm(dim=-1).mean(1)
    x, y = (column.contiguous() for column in points.unbind(-1))
    # an event that has arrived stays put, so that its median does not depend on its block
    moving = torch.ones(len(points), dtype=torch.bool)
    for _ in range(STEPS):
        step = _weiszfeld_step(x, y, median, spread)
        median = torch.where(moving[:, None], median + step, median)
        moving &= step.norm(dim=-1) > PRECISION * spread
        if not moving.any():
            break
    return median


def _weiszfeld_step(
    x: torch.Tensor, y: torch.Tensor, median: torch.Tensor, spread: torch.Tensor
) -> torch.Tensor:
    """Returns (N, 2) the step from `median`: the pull of the samples, held back by those met.

    With weights w = 1 / distance over the samples not met, the pull's length |R| and the number
    m of samples met, the step is (1 - m / |R|)+ R / sum(w).
    """
    dx, dy = x - median[:, :1], y - median[:, 1:]
    apart = torch.hypot(dx, dy)
    met = apart <= 1e-12 * spread[:, None]
    weight = torch.where(met, 0.0, 1 / apart.clamp_min(torch.finfo(apart.dtype).tiny))
    pull = torch.stack([(weight * dx).sum(1), (weight * dy).sum(1)], dim=-1)
    # all samples met: the pull and the weights are zero, and so must be the step
    length = pull.norm(dim=-1).clamp_min(torch.finfo(apart.dtype).tiny)
    free = (1 - met.sum(1) / length).clamp_min(0.0)
    total = weight.sum(1).clamp_min(torch.finfo(apart.dtype).tiny)
    return (free / total)[:, None] * pull
