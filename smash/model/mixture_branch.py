"""Time and mark outright from the context, as a mixture of log-normals for each mark.

After Shchur, Biloš, Günnemann (ICLR 2020, arXiv 1909.12127). Where an intensity has to be asked
at every point of a grid, one pass gives the whole law.
"""

import numpy as np
import torch
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.law.fixed_marks import frequencies
from smash.law.gaussian_mixtures import GAP_NUMBERS, NormalMixture
from smash.model.layers import mlp
from smash.model.linear import linear
from smash.model.location_head import Context
from smash.model.mixture_time_law import MixtureTimeLaw
from smash.model.time_trunk import TimeTerms, TimeTrunk

COMPONENTS = 16
"""Normals of each mark's mixture."""
LEAST_SCALE = 0.01
"""Smallest standard deviation of a component, on the z scale."""
BANDWIDTH = 0.05
"""What the components' first standard deviations have beside the spread of their own gaps, as a
share of the spread of all."""
SMOOTHING = 0.5
"""Events added to each mark's count, so that no mark is impossible."""


class MixtureBranch(TimeTrunk):
    """p(k | context) and p(t | k, context), each by one hidden layer over the encoding.

    `fit` starts both at the training data's own law, whatever the context. `own` of its terms is
    what `law` gives, as tensors: log p(k) (N, K), then of the components (N, K, M) the log
    weights, means and standard deviations.

    `MixtureBranch(16, 3, 32, 64, None)` for streams of width 16, K = 3, H = 32 and 64 encoded
    numbers a context, without an atom (see `MixtureTimeLaw`).
    """

    def __init__(
        self, size: int, n_marks: int, units: int, n_encoded: int, atom: float | None
    ) -> None:
        super().__init__(size, units)
        self.n_encoded, self.atom = n_encoded, atom
        self.share = mlp(n_encoded, units, n_marks)
        self.context = nn.Linear(n_encoded, units)
        self.mark = nn.Embedding(n_marks, units)
        self.out = nn.Linear(units, GAP_NUMBERS * COMPONENTS)

    def own_terms(self, context: Context) -> tuple[Tensor, ...]:
        encoded = context.whole[:, : self.n_encoded]
        hidden = (self.context(encoded).unsqueeze(1) + self.mark.weight).relu()
        law = NormalMixture.of(linear(hidden, self.out.weight, self.out.bias), LEAST_SCALE)
        share = self.share(encoded).log_softmax(-1)
        return share, law.log_weight, law.mean, law.scale

    def law(self, terms: TimeTerms) -> MixtureTimeLaw:
        """Returns the laws of N contexts."""
        share, *parts = terms.own
        return MixtureTimeLaw(share, NormalMixture(*parts), self.atom)

    @torch.no_grad()
    def fit(self, train: EventSequences, scaler: Scaler, sigma_time: float) -> None:
        """Starts at the training targets' gaps and marks; times are never noised here."""
        targets = train.targets()
        z = np.sort(2 * scaler.scale_gap(targets.gap) - 1)
        parts = [z[part] for part in np.array_split(np.arange(len(z)), COMPONENTS) if len(part)]
        mean, spread = (np.array([of(p) for p in parts]) for of in (np.mean, np.std))
        scale = np.maximum(np.hypot(spread, BANDWIDTH * float(z.std())), 2 * LEAST_SCALE)
        nn.init.zeros_(self.out.weight)
        _, means, raw_scales = self.out.bias.zero_().chunk(GAP_NUMBERS)
        means.copy_(torch.from_numpy(np.resize(mean, COMPONENTS)))
        raw_scale = np.log(np.expm1(np.resize(scale, COMPONENTS) - LEAST_SCALE))
        raw_scales.copy_(torch.from_numpy(raw_scale))
        if targets.mark is not None and isinstance(self.share[-1], nn.Linear):
            share = frequencies(targets.mark, len(self.mark.weight), SMOOTHING)
            nn.init.zeros_(self.share[-1].weight)
            self.share[-1].bias.copy_(torch.from_numpy(np.log(share)))
