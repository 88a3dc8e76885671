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
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.law.gaussian_mixtures import LOCATION_NUMBERS, LocationLaw
from smash.model.linear import linear
from smash.model.location_head import Context, DensityHead, Given, LocationTerms

LEAST_SCALE = 0.01
"""Smallest standard deviation of a component, on the z scale."""
FIRST_SCALE = 0.2


class LocationMixture(DensityHead):
    """p(x) = Σ_m w_m N(x; μ_m + f_m · x_recent, L_m L_mᵀ), M Gaussians with full covariances.

    Weights w, means μ and roots L come from context, hidden time (H) and mark by two ReLU layers.
    Contexts (N, C) are `n_encoded` numbers of the encoder's and what the last R events were, z (3)
    of each. The places of the components move with these, from not at all (f = 0) to as far as they
    do (f = 1): where one event often follows close to another, a network that has to tell the place
    from its encoding finds it slowly, and never as exactly.

    `LocationMixture(64, 32, 16, 8).law(mixed, recent)` of mixed (N, Q, 32) and recent (N, 1, 8, 2).
    """

    def __init__(self, n_encoded: int, units: int, n_components: int, n_recent: int) -> None:
        super().__init__()
        self.context = nn.Linear(n_encoded + 3 * n_recent, units)
        self.time = nn.Linear(units, units, bias=False)
        self.hidden = nn.Linear(units, units)
        self.out = nn.Linear(units, LOCATION_NUMBERS * n_components)
        self.follow = nn.Parameter(first_following(n_components, n_recent))

    def terms(
        self, context: Context, joint_terms: list[Tensor], time_last: nn.Linear
    ) -> LocationTerms:
        """Returns the terms; `own` is where the recent events were, (N, 1, R, 2)."""
        weight = (self.time.weight @ time_last.weight).mT.expand(len(context.whole), -1, -1)
        bias = (self.context(context.whole) + self.time(time_last.bias)).unsqueeze(1)
        recent = context.events.unflatten(-1, (-1, 3))[:, None, :, 1:]
        return LocationTerms(weight, bias, (recent,))

    def law(self, mixed: Tensor, recent: Tensor) -> LocationLaw:
        """Returns the laws (N, Q) for the first layer's output (N, Q, H) after events at `recent`.

        `recent` (N, 1, R, 2): on the z scale.
        """
        hidden = linear(mixed.relu(), self.hidden.weight, self.hidden.bias).relu()
        return following_gaussians(self.out, self.follow, hidden, recent)

    def score(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns ∇ log p(x | t, k) (N, Q, 2) at x (N, Q, 2)."""
        return self.law(given.mixed, *terms.own).score(x)

    def log_density(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns log p(x | t, k) (N, Q) at x (N, Q, 2)."""
        return self.law(given.mixed, *terms.own).log_density(x)

    def draw(self, given: Given, terms: LocationTerms, generator: torch.Generator) -> Tensor:
        """Returns a draw (N, Q, 2) of each law."""
        return self.law(given.mixed, *terms.own).draw(generator)

    def fit(self, train: EventSequences, scaler: Scaler) -> None:
        """Starts the components where events of `train` went."""
        start_gaussians(self.out, self.follow, train, scaler)


def first_following(n_components: int, n_recent: int) -> Tensor:
    """Returns the shares f (M, R) by which M components at first follow R events, one each."""
    share = torch.linspace(0, 1, n_components)
    whom = F.one_hot(torch.arange(n_components) % n_recent, n_recent)
    return share[:, None] * whom


def following_gaussians(
    out: nn.Linear, follow: Tensor, hidden: Tensor, recent: Tensor
) -> LocationLaw:
    """Returns the laws (N, Q) that `out` makes of hidden layers (N, Q, H) after events at `recent`.

    `recent` (N, 1, R, 2): on the z scale.
    """
    law = LocationLaw.of(linear(hidden, out.weight, out.bias), LEAST_SCALE)
    return replace(law, mean=law.mean + follow @ recent)


@torch.no_grad()
def start_gaussians(out: nn.Linear, follow: Tensor, train: EventSequences, scaler: Scaler) -> None:
    """Starts M components where events of `train` went, drawn of these.

    Events before the last one are taken to have been where it was.
    """
    place = 2 * scaler.scale_location(train.location) - 1
    last, location = place[:-1][train.is_target[1:]], place[train.is_target]
    chosen = torch.randint(len(location), (len(follow),))
    after, before = (torch.from_numpy(places)[chosen] for places in (location, last))
    start = after - follow.sum(-1, keepdim=True) * before
    _, x, y, *roots = out.bias.chunk(LOCATION_NUMBERS)
    for offset, coordinate in zip((x, y), start.T, strict=True):
        offset.copy_(coordinate)
    for root in roots[:2]:
        root.fill_(np.log(np.expm1(FIRST_SCALE)))
