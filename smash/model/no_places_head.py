"""The location head of events without places."""

import torch
from torch import Tensor, nn

from smash.model.location_head import Context, DensityHead, Given, LocationTerms


class NoPlacesHead(DensityHead):
    """Places (N, Q, 0), which tell nothing: log densities of 0, no weights and no numbers kept."""

    def terms(
        self, context: Context, joint_terms: list[Tensor], time_last: nn.Linear
    ) -> LocationTerms:
        whole, units = context.whole, time_last.in_features
        nothing = whole.new_empty(len(whole), 1, 0)
        return LocationTerms(whole.new_empty(len(whole), units, 0), nothing, ())

    def score(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        return x

    def log_density(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        return x.sum(-1)

    def draw(self, given: Given, terms: LocationTerms, generator: torch.Generator) -> Tensor:
        return given.time[..., :0]
