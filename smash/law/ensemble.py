"""Several forecasters as one: their laws mixed in equal parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.errors import SpecError
from smash.law.forecaster import Forecaster
from smash.law.log_density import LogDensity, mixed
from smash.law.samples import Forecast, Samples


@dataclass(frozen=True)
class Ensemble(Forecaster):
    """Forecasters whose forecasts are mixed.

    Models that differ in their seeds alone err apart, and the mixture is as wide as their
    disagreement asks for (deep ensembles: Lakshminarayanan, Pritzel, Blundell, NeurIPS 2017).
    """

    members: tuple[Forecaster, ...]

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets, `n_samples` draws shared out among the members.

        Raises:
            SpecError: when there are fewer draws than members.
        """
        if n_samples < len(self.members):
            raise SpecError(
                f"sampling.total_samples: {n_samples} is too few for {len(self.members)} models, "
                "each of which gives its share; ask for more"
            )
        edges = np.linspace(0, n_samples, len(self.members) + 1).astype(int)
        forecasts = [
            member.forecast(sequences, int(share), generator)
            for member, share in zip(self.members, np.diff(edges), strict=True)
        ]
        for parts in zip(*forecasts, strict=True):
            yield replace(parts[0], samples=pooled([part.samples for part in parts]))

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        """Returns the log densities of all targets under the mixture, where all members have them.

        In equal parts, though the draws of few samples are shared out almost equally alone.
        """
        return mixed([member.log_densities(sequences) for member in self.members])


def pooled(parts: list[Samples]) -> Samples:
    """Returns the draws (N, S_i) of several forecasts of the same N events as one (N, Σ S_i)."""
    probability: NDArray[np.float64] | None = None
    if all(part.mark_probability is not None for part in parts):
        weight = [part.gap.shape[1] for part in parts]
        probability = np.average([part.mark_probability for part in parts], 0, weights=weight)
    return Samples(
        np.concatenate([part.gap for part in parts], 1),
        np.concatenate([part.location for part in parts], 1),
        mark=_side_by_side([part.mark for part in parts]),
        mark_mode=_side_by_side([part.mark_mode for part in parts]),
        mark_probability=probability,
    )


def _side_by_side(parts: list[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present, 1) if len(present) == len(parts) else None
