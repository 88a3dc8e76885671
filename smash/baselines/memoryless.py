"""What baselines share whose law of the next event is the same after any history."""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from smash.baselines.past_events import target_groups
from smash.data.events import EventSequences, Targets
from smash.law.forecaster import Forecaster
from smash.law.next_event_law import NextEventLaw


class Memoryless(Forecaster):
    """Marks of fixed shares `mark_probability` (K,), None for unmarked data, whatever the past."""

    mark_probability: NDArray[np.float64] | None

    @property
    def n_marks(self) -> int:
        return 1 if self.mark_probability is None else len(self.mark_probability)

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for group in target_groups(sequences):
            yield group.targets, self.law(len(group))

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self.law(len(histories))

    @abstractmethod
    def law(self, n_events: int) -> NextEventLaw:
        """Returns the law of the next event for each of `n_events` histories."""
