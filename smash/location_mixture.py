"""The location as a density given context, time and mark: a mixture of Gaussians.

In place of a score that a chain has to follow, the network gives the law itself. Its likelihood
weighs places that lie far apart against each other, which the score of noised locations hardly
tells (between two modes there are no data), and it is drawn without steps. After mixture density
networks (Bishop 1994).
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from smash.linear import linear
from smash.mixture_laws import LOCATION_NUMBERS, LocationLaw

LEAST_SCALE = 0.01
"""Smallest standard deviation of a component, on the z scale."""
FIRST_SCALE = 0.2


class LocationMixture(nn.Module):
    """M Gaussians with full covariances from context, hidden time (H) and mark.

    Contexts (N, C) are `n_encoded` numbers of the encoder's and what the last R events were, z (3)
    of each. The places of the components move with these, from not at all to as far as they do:
    where one event often follows close to another, a network that has to tell the place from its
    encoding finds it slowly, and never as exactly.
    """

    def __init__(self, n_encoded: int, units: int, n_components: int, n_recent: int) -> None:
        super().__init__()
        self.context = nn.Linear(n_encoded + 3 * n_recent, units)
        self.time = nn.Linear(units, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.out = nn.Linear(units, LOCATION_NUMBERS * n_components)
        share = torch.linspace(0, 1, n_components)
        whom = F.one_hot(torch.arange(n_components) % n_recent, n_recent)
        self.follow = nn.Parameter(share[:, None] * whom)

    def terms(self, context: Tensor, time_last: nn.Linear) -> tuple[Tensor, Tensor]:
        """Returns what leads from the time trunk's last hidden layer to `law`'s argument.

        The weight (N, H, H; inputs by outputs), the same for all, and the bias (N, 1, H) of
        contexts (N, C), with the trunk's own last map `time_last` folded in.
        """
        weight = (self.time.weight @ time_last.weight).mT.expand(len(context), -1, -1)
        return weight, (self.context(context) + self.time(time_last.bias)).unsqueeze(1)

    def law(self, mixed: Tensor, recent: Tensor) -> LocationLaw:
        """Returns the laws (N, Q) for the first layer's output (N, Q, H) after events at `recent`.

        `recent` (N, 1, R, 2): on the z scale.
        """
        hidden = linear(mixed.relu(), self.hidden.weight, self.hidden.bias).relu()
        law = LocationLaw.of(linear(hidden, self.out.weight, self.out.bias), LEAST_SCALE)
        return replace(law, mean=law.mean + self.follow @ recent)

    @torch.no_grad()
    def spread_over(self, last: NDArray[np.float64], location: NDArray[np.float64]) -> None:
        """Starts the components where events went, `location` after `last` (E, 2), drawn of these.

        Both on the z scale; events before the last one are taken to have been where it was.
        """
        chosen = torch.randint(len(location), (len(self.follow),))
        after, before = (torch.from_numpy(places)[chosen] for places in (location, last))
        place = after - self.follow.sum(-1, keepdim=True) * before
        _, x, y, *roots = self.out.bias.chunk(LOCATION_NUMBERS)
        for offset, coordinate in zip((x, y), place.T, strict=True):
            offset.copy_(coordinate)
        for root in roots[:2]:
            root.fill_(np.log(np.expm1(FIRST_SCALE)))
