"""A walk: each location is the one before it plus a displacement; gap and mark as they come."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from smash.baselines.climatology import Climatology, ClimatologySettings
from smash.baselines.draws import KernelDensity, with_marks
from smash.baselines.past_events import numpy_generator, rows_before_targets, target_groups
from smash.data.events import EventSequences
from smash.law.samples import Forecast
from smash.settings import Positive


@dataclass(frozen=True)
class WalkSettings:
    """`mark_smoothing`: as climatology's."""

    mark_smoothing: Positive = 0.5


@dataclass(frozen=True)
class Walk:
    """Gap and mark from climatology; the last location plus one of the training displacements.

    `displacement` is a kernel density on the differences between neighbours in a sequence.
    """

    climatology: Climatology
    displacement: KernelDensity

    @classmethod
    def fit(
        cls,
        train: EventSequences,
        n_marks: int,
        settings: WalkSettings = WalkSettings(),
    ) -> "Walk":
        """Returns the walk with the displacements of `train`, in raw units."""
        before = rows_before_targets(train)
        displacement = train.location[before + 1] - train.location[before]
        climatology = Climatology.fit(train, n_marks, ClimatologySettings(settings.mark_smoothing))
        return cls(climatology, KernelDensity.of(displacement))

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets, a few sequences at a time."""
        numbers = numpy_generator(generator)
        for group in target_groups(sequences):
            shape = (len(group), n_samples)
            gap = self.climatology.draw_gap(shape, numbers)
            location = sequences.location[group.last, None] + self.displacement.draw(shape, numbers)
            probability = self.climatology.mark_probabilities(len(group))
            yield Forecast(group.targets, with_marks(gap, location, probability, numbers))
