"""Climatology: the training data's own gaps, locations and marks, whatever the history."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smash.baselines.memoryless import Memoryless
from smash.data.events import EventSequences
from smash.law.fixed_marks import FixedMarks, training_shares
from smash.law.kernel_places import KernelDensity, KernelPlaces
from smash.law.log_normal_times import LogNormalTimes, kernel_times
from smash.law.next_event_law import NextEventLaw
from smash.settings import Positive


@dataclass(frozen=True)
class ClimatologySettings:
    """`mark_smoothing`: events added to each mark's count, so that no mark is impossible."""

    mark_smoothing: Positive = 0.5


@dataclass(frozen=True)
class Climatology(Memoryless):
    """Gap, location and mark independent of each other and of the past.

    `time`: a kernel density of the training targets' log gaps. `location`: one of their places.
    `mark_probability` (K,): smoothed shares of the marks; None for unmarked data.
    """

    time: LogNormalTimes
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
        probability = training_shares(train, n_marks, settings.mark_smoothing)
        return cls(kernel_times(targets.gap), KernelDensity.of(targets.location), probability)

    def law(self, n_events: int) -> NextEventLaw:
        place = KernelPlaces((self.location,), np.zeros((n_events, self.location.n_axes)))
        marks = FixedMarks.of(self.mark_probability, n_events)
        return NextEventLaw(replace(self.time, n_events=n_events), place, marks)
