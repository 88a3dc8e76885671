"""A walk: each location is the one before it plus a displacement; gap and mark as they come."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smash.baselines.climatology import Climatology, ClimatologySettings
from smash.baselines.past_events import last_rows, rows_before_targets, target_groups
from smash.data.events import EventSequences, Targets
from smash.law.forecaster import Forecaster
from smash.law.kernel_places import KernelDensity, KernelPlaces
from smash.law.next_event_law import NextEventLaw
from smash.settings import Positive


@dataclass(frozen=True)
class WalkSettings:
    """`mark_smoothing`: as climatology's."""

    mark_smoothing: Positive = 0.5


@dataclass(frozen=True)
class Walk(Forecaster):
    """Gap and mark from climatology; the last location plus one of the training displacements.

    `displacement` is a kernel density on the differences between neighbours in a sequence. The
    first event of a sequence, which follows no place, has climatology's law.
    """

    climatology: Climatology
    displacement: KernelDensity

    @property
    def n_marks(self) -> int:
        return self.climatology.n_marks

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

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for group in target_groups(sequences):
            yield group.targets, self._law(sequences, group.last)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self._law(histories, last_rows(histories))

    def _law(self, sequences: EventSequences, last: NDArray[np.int64]) -> NextEventLaw:
        """Returns the laws after the events `last` (N,), -1 for none."""
        first = last < 0
        place = np.zeros((len(last), self.displacement.n_axes))
        place[~first] = sequences.location[last[~first]]
        densities = (self.displacement, self.climatology.location)
        law = self.climatology.law(len(last))
        return replace(law, place=KernelPlaces(densities, place, first.astype(np.int64)))
