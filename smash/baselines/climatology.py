"""Climatology: the training data's own gaps, locations and marks, whatever the history."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smash.baselines.past_events import target_groups
from smash.data.events import EventSequences, Targets
from smash.law.fixed_marks import FixedMarks, training_shares
from smash.law.forecaster import Forecaster
from smash.law.kernel_places import KernelDensity, KernelPlaces
from smash.law.log_normal_times import LogNormalTimes, kernel_times
from smash.law.next_event_law import NextEventLaw
from smash.settings import Positive


@dataclass(frozen=True)
class ClimatologySettings:
    """`mark_smoothing`: events added to each mark's count, so that no mark is impossible."""

    mark_smoothing: Positive = 0.5


@dataclass(frozen=True)
class Climatology(Forecaster):
    """Gap, location and mark independent of each other and of the past.

    `time`: a kernel density of the training targets' log gaps. `location`: one of their places.
    `mark_probability` (K,): smoothed shares of the marks; None for unmarked data.
    """

    time: LogNormalTimes
    location: KernelDensity
    mark_probability: NDArray[np.float64] | None

    @property
    def n_marks(self) -> int:
        return 1 if self.mark_probability is None else len(self.mark_probability)

    @classmethod
    def fit(
        cls,
        train: EventSequences,
        n_marks: int,
        settings: ClimatologySettings = ClimatologySettings(),
    ) -> "Climatology":
        """Returns the marginals of the targets of `train`, in raw units."""
        targets = train.targets()
        probability = training_shares(train, n_marks, settings.mark_smoothing)
        return cls(kernel_times(targets.gap), KernelDensity.of(targets.location), probability)

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for group in target_groups(sequences):
            yield group.targets, self.law(len(group))

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self.law(len(histories))

    def law(self, n_events: int) -> NextEventLaw:
        """Returns the law of the next event for each of `n_events` histories."""
        place = KernelPlaces((self.location,), np.zeros((n_events, 2)))
        marks = FixedMarks.of(self.mark_probability, n_events)
        return NextEventLaw(replace(self.time, n_events=n_events), place, marks)
