"""The location as a score, by a trunk of its own and two mixtures of it with the time trunk."""

import torch
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.model.climatology_base import ClimatologyPlaces
from smash.model.layers import Linears, context_maps, layer_terms, mlp, trunk
from smash.model.linear import linear
from smash.model.location_head import Context, Given, LocationHead, LocationTerms


class ScoreHead(LocationHead):
    """∇ log p(x | t, context) (paper, section 4.1 and appendix A).

    A trunk of x as `smash.model.time_branch` has one of t, with terms of the joint and the spatial
    context; with time trunk τ and location trunk ξ the head reads [a₁ τ + a₂ ξ, b₁ τ + b₂ ξ], by
    two softmax pairs a, b of the whole context: s(x) = Linear ReLU Linear of it. With a `base` the
    score is the base's plus s(x) / σ, which then starts at 0.

    `ScoreHead(16, 4).score(x, given, terms)` of the published head with four streams of width 16.
    """

    def __init__(
        self,
        size: int,
        n_streams: int,
        units: int = 64,
        base: ClimatologyPlaces | None = None,
    ) -> None:
        """Takes width and number of a context's streams, H and what the score starts at."""
        super().__init__()
        self.trunk = trunk(2, units)
        self.spatial = context_maps(size, units)
        self.head = Linears([nn.Linear(2 * units, units), nn.Linear(units, 2)])
        self.whole = mlp(n_streams * size, units, units)
        self.first_share = mlp(units, units, units, 2)
        self.second_share = mlp(units, units, units, 2)
        self.base = base

    def start_at_base(self) -> None:
        """Makes the residual 0 whatever the context; of a head without a base, the score."""
        _, last = self.head
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def terms(
        self, context: Context, joint_terms: list[Tensor], time_last: nn.Linear
    ) -> LocationTerms:
        """Returns the terms; `own` are those of the trunk's layers and its weight (N, H, H)."""
        layers = layer_terms(self.spatial, context.spatial, joint_terms, self.trunk)
        of_time, of_location, bias = self._mixing(self.whole(context.whole), time_last)
        return LocationTerms(of_time, bias, (*layers, of_location))

    def _mixing(self, whole: Tensor, time_last: nn.Linear) -> tuple[Tensor, Tensor, Tensor]:
        """Returns what leads from either trunk to the head's first layer, and its bias.

        The layer's weight is [A B], so that the time trunk enters by a₁ A + b₁ B and the location
        trunk by a₂ A + b₂ B, the trunks' last maps folded in.
        """
        head, _ = self.head
        shares = torch.stack(
            [self.first_share(whole).softmax(-1), self.second_share(whole).softmax(-1)], -1
        )  # (N, trunk, mixture)
        halves = torch.stack(head.weight.chunk(2, dim=1))  # (mixture, H, H)
        *_, location_last = self.trunk
        matrices: list[Tensor] = []
        bias: Tensor = head.bias
        for last, share in zip((time_last, location_last), shares.unbind(1), strict=True):
            folded = (halves @ last.weight).mT.flatten(1)
            matrices.append((share @ folded).view(-1, *halves.shape[1:]))
            bias = bias + share @ (halves @ last.bias)
        return matrices[0], matrices[1], bias.unsqueeze(1)

    def score(self, x: Tensor, given: Given, terms: LocationTerms) -> Tensor:
        """Returns ∇ log p(x | t) (N, Q, 2) at x (N, Q, 2)."""
        score = self.residual(x, given, terms)
        if self.base is None:
            return score
        return self.base.score_at(x) + score / self.base.sigma_loc

    def residual(
        self, x: Tensor, given: Given, terms: LocationTerms, shift: Tensor | None = None
    ) -> Tensor:
        """Returns what the network gives (N, Q, 2) at x (N, Q, 2).

        `shift` (Q, H) or (1, H) is added in the trunk's first layer.
        """
        first, *trunk, _ = self.trunk
        first_term, *layers, weight = terms.own
        hidden = linear(x, first.weight).add_(first_term)
        hidden = (hidden if shift is None else hidden.add_(shift)).relu_()
        for layer, term in zip(trunk, layers, strict=True):
            hidden = linear(hidden, layer.weight).add_(term).relu_()
        _, last = self.head
        score: Tensor = last(torch.baddbmm(given.mixed, hidden, weight).relu_())
        return score

    def draw_start(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor | None:
        """Returns places (N, S, 2) of the base; None without one."""
        return None if self.base is None else self.base.draw(shape, generator)

    def fit(self, train: EventSequences, scaler: Scaler) -> None:
        """Fits the base, if there is one, to training data."""
        if self.base is not None:
            self.base.fit(train, scaler)
