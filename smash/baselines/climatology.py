"""Climatology: the training data's own gaps, locations and marks, whatever the history."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from smash.baselines.draws import KernelDensity, frequencies, with_marks
from smash.baselines.past_events import numpy_generator, target_groups
from smash.data.events import EventSequences
from smash.law.samples import Forecast
from smash.settings import Positive


@dataclass(frozen=True)
class ClimatologySettings:
    """`mark_smoothing`: events added to each mark's count, so that no mark is impossible."""

    mark_smoothing: Positive = 0.5


@dataclass(frozen=True)
class Climatology:
    """Gap, location and mark drawn independently from their marginals over training targets.

    `gap` (P,): the gaps, drawn as they are. `location`: a kernel density on the locations.
    `mark_probability` (K,): smoothed shares of the marks; None for unmarked data.
    """

    gap: NDArray[np.float64]
    location: KernelDensity
    mark_probability: NDArray[np.float64] | None

    @classmethod
    def fit(
        cls,
        train: EventSequences,
        n_marks: int,
        settings: ClimatologySettings = ClimatologySettings(),
    ) -> "Climatology":
        """Returns the marginals of the targets of `train`, in raw units."""
        targets = train.targets()
        probability = None
        if targets.mark is not None:
            probability = frequencies(targets.mark, n_marks, settings.mark_smoothing)
        return cls(targets.gap, KernelDensity.of(targets.location), probability)

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets, a few sequences at a time."""
        numbers = numpy_generator(generator)
        for group in target_groups(sequences):
            shape = (len(group), n_samples)
            gap = self.draw_gap(shape, numbers)
            location = self.location.draw(shape, numbers)
            probability = self.mark_probabilities(len(group))
            yield Forecast(group.targets, with_marks(gap, location, probability, numbers))

    def draw_gap(self, shape: tuple[int, ...], numbers: Generator) -> NDArray[np.float64]:
        """Returns training gaps (*shape) drawn with replacement."""
        return self.gap[numbers.integers(len(self.gap), size=shape)]

    def mark_probabilities(self, n_events: int) -> NDArray[np.float64] | None:
        """Returns (N, K) the same shares for each of `n_events` events; None if unmarked."""
        if self.mark_probability is None:
            return None
        return np.tile(self.mark_probability, (n_events, 1))
