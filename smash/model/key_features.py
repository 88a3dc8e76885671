"""What a law that points at the past tells its network of each past event, all of it about 0 to 1.

In the order of the network's inputs: how long ago the event came, the gap before it, its rank from
the last one, its squared distances to the last event and to the one before it, and how many of the
latest events lie around it. Times are in mean gaps, squared distances in those of the kernel.
"""

import torch
from torch import Tensor

SOONEST = 0.02
"""Times are told apart down to this share of a mean gap."""
N_FEATURES, LATEST = 6, 64
"""How many there are; of how many of the last events the crowd is."""


def of_time(time: Tensor) -> Tensor:
    """Returns the feature (...) of an age or a gap (...)."""
    return (time + SOONEST).log_().div_(4)


def of_rank(rank: Tensor) -> Tensor:
    """Returns the feature (...) of how many events came after one (...)."""
    return torch.log1p(rank) / 4


def of_square(square: Tensor) -> Tensor:
    """Returns the feature (...) of a squared distance (...)."""
    return torch.log1p(square).div_(8)


def of_crowd(crowd: Tensor) -> Tensor:
    """Returns the feature (...) of a sum of `closeness` (...)."""
    return torch.log1p(crowd).div_(2)


def closeness(square: Tensor) -> Tensor:
    """Returns 1 for the same place, falling to 0 with the squared distance (...), in its place."""
    return square.add_(1).reciprocal_()
