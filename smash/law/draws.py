"""What every law draws with: NumPy's generator from PyTorch's, and choices by weights."""

import numpy as np
import torch
from numpy.typing import NDArray


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """Returns a NumPy generator seeded by a draw from `generator`, on whatever device."""
    seed = torch.randint(2**62, (1,), generator=generator, device=generator.device)
    return np.random.default_rng(int(seed))


def chosen_places(weight: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns (N, S) places drawn by `uniform` (N, S) in proportion to weights (N, M)."""
    n, m = weight.shape
    row = np.arange(n)[:, None]
    cumulative = weight.cumsum(axis=1)
    cumulative = cumulative / cumulative[:, -1:]
    # Rows side by side on one axis, so that one search serves all.
    place = np.searchsorted((cumulative + row).ravel(), uniform + row, side="right") - m * row
    return np.minimum(place, m - 1)
