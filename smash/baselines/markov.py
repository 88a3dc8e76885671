"""First-order Markov: gap, location and mark given the mark of the event before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.baselines.climatology import Climatology
from smash.baselines.past_events import known_marks, last_rows, rows_before_targets, target_groups
from smash.data.events import EventSequences, Targets
from smash.law.fixed_marks import FixedMarks, frequencies
from smash.law.forecaster import Forecaster
from smash.law.kernel_places import KernelDensity, KernelPlaces
from smash.law.log_normal_times import LogNormalTimes, kernel_times, stacked
from smash.law.next_event_law import NextEventLaw
from smash.settings import Count, Positive


@dataclass(frozen=True)
class MarkovSettings:
    """`mark_smoothing`: events added to each count of a mark after a mark.

    `least_events`: after a mark that fewer training targets follow, gap and location are
    climatology's.
    """

    mark_smoothing: Positive = 0.5
    least_events: Count = 30


@dataclass(frozen=True)
class Markov(Forecaster):
    """Climatology given the last mark: independent of the rest of the history.

    Row k of `time` (K + 1 laws), `location` (K + 1 densities) and `transition` (K + 1, K) is what
    followed mark k, the last row what follows anything, which is the law of first events.
    `transition` is None for unmarked data, where this is climatology.
    """

    time: LogNormalTimes
    location: tuple[KernelDensity, ...]
    transition: NDArray[np.float64] | None

    @property
    def n_marks(self) -> int:
        return 1 if self.transition is None else self.transition.shape[1]

    @classmethod
    def fit(
        cls, train: EventSequences, n_marks: int, settings: MarkovSettings = MarkovSettings()
    ) -> "Markov":
        """Returns the laws of the targets of `train` by the mark before them."""
        everything = Climatology.fit(train, n_marks)
        if train.mark is None:
            return cls(everything.time, (everything.location,), None)
        targets, last = train.targets(), train.mark[rows_before_targets(train)]
        assert targets.mark is not None
        assert everything.mark_probability is not None
        time, location, transition = [], [], []
        for k in range(n_marks):
            after = last == k
            transition.append(frequencies(targets.mark[after], n_marks, settings.mark_smoothing))
            enough = after.sum() >= settings.least_events and (targets.gap[after] > 0).any()
            time.append(kernel_times(targets.gap[after]) if enough else everything.time)
            places = KernelDensity.of(targets.location[after]) if enough else everything.location
            location.append(places)
        return cls(
            stacked([*time, everything.time]),
            (*location, everything.location),
            np.stack([*transition, everything.mark_probability]),
        )

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for group in target_groups(sequences):
            yield group.targets, self._law(sequences, group.last)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self._law(histories, last_rows(histories))

    def _law(self, sequences: EventSequences, last: NDArray[np.int64]) -> NextEventLaw:
        """Returns the laws after the events `last` (N,), -1 for none."""
        row = np.full(len(last), len(self.location) - 1)
        if self.transition is not None and (last >= 0).any():
            mark = known_marks(sequences, self.n_marks)
            row = np.where(last >= 0, mark[np.maximum(last, 0)], row)
        marks = None if self.transition is None else FixedMarks(self.transition[row])
        place = KernelPlaces(self.location, np.zeros((len(last), self.location[0].n_axes)), row)
        return NextEventLaw(self.time.of(row), place, marks)
