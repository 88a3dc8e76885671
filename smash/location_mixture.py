"""The location as a density given context, time and mark: a mixture of Gaussians.

In place of a score that a chain has to follow, the network gives the law itself. Its likelihood
weighs places that lie far apart against each other, which the score of noised locations hardly
tells (between two modes there are no data), and it is drawn without steps. After mixture density
networks (Bishop 1994).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smash.mixture_laws import LOCATION_NUMBERS, LocationLaw

LEAST_SCALE = 0.01
"""Smallest standard deviation of a component, on the z scale."""
FIRST_SCALE = 0.2


class LocationMixture(nn.Module):
    """M Gaussians with full covariances from context (C), hidden time (H) and mark."""

    def __init__(self, n_context: int, units: int, n_components: int) -> None:
        super().__init__()
        self.context = nn.Linear(n_context, units)
        self.time = nn.Linear(units, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.out = nn.Linear(units, LOCATION_NUMBERS * n_components)

    def terms(self, context: Tensor, time_last: nn.Linear) -> tuple[Tensor, Tensor]:
        """Returns what leads from the time trunk's last hidden layer to `law`'s argument.

        The weight (N, H, H; inputs by outputs), the same for all, and the bias (N, 1, H) of
        contexts (N, C), with the trunk's own last map `time_last` folded in.
        """
        weight = (self.time.weight @ time_last.weight).mT.expand(len(context), -1, -1)
        return weight, (self.context(context) + self.time(time_last.bias)).unsqueeze(1)

    def law(self, mixed: Tensor) -> LocationLaw:
        """Returns the laws of shape (N, Q) for the first layer's output (N, Q, H)."""
        return LocationLaw.of(self.out(self.hidden(mixed.relu()).relu()), LEAST_SCALE)

    @torch.no_grad()
    def spread_over(self, location: NDArray[np.float64]) -> None:
        """Starts the components around places drawn from `location` (E, 2), on the z scale."""
        n_components = self.out.out_features // LOCATION_NUMBERS
        chosen = torch.randint(len(location), (n_components,))
        _, x, y, *roots = self.out.bias.chunk(LOCATION_NUMBERS)
        for place, coordinate in zip((x, y), location[chosen.numpy()].T, strict=True):
            place.copy_(torch.from_numpy(coordinate))
        for root in roots[:2]:
            root.fill_(np.log(np.expm1(FIRST_SCALE)))
