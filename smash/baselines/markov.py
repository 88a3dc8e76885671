"""First-order Markov: gap, location and mark given the mark of the event before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from smash.baselines.climatology import Climatology
from smash.baselines.draws import KernelDensity, frequencies, with_marks
from smash.baselines.past_events import (
    known_marks,
    numpy_generator,
    rows_before_targets,
    target_groups,
)
from smash.data.events import EventSequences
from smash.law.samples import Forecast
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
class Markov:
    """Climatology given the last mark: independent of the rest of the history.

    `laws` (K of them): gaps and locations that followed each mark. `transition` (K, K): smoothed
    shares of the marks that followed each mark, by row; None for unmarked data, where this is
    climatology.
    """

    laws: tuple[Climatology, ...]
    transition: NDArray[np.float64] | None

    @classmethod
    def fit(
        cls, train: EventSequences, n_marks: int, settings: MarkovSettings = MarkovSettings()
    ) -> "Markov":
        """Returns the laws of the targets of `train` by the mark before them."""
        everything = Climatology.fit(train, n_marks)
        if train.mark is None:
            return cls((everything,), None)
        targets, last = train.targets(), train.mark[rows_before_targets(train)]
        assert targets.mark is not None
        laws, transition = [], []
        for k in range(n_marks):
            after = last == k
            transition.append(frequencies(targets.mark[after], n_marks, settings.mark_smoothing))
            law = everything
            if after.sum() >= settings.least_events:
                location = KernelDensity.of(targets.location[after])
                law = Climatology(targets.gap[after], location, None)
            laws.append(law)
        return cls(tuple(laws), np.stack(transition))

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets, a few sequences at a time.

        Raises:
            DataError: when marks were fitted and `sequences` has none, or unknown ones.
        """
        numbers = numpy_generator(generator)
        mark = np.zeros(sequences.n_events, dtype=np.int64)
        if self.transition is not None:
            mark = known_marks(sequences, len(self.laws))
        for group in target_groups(sequences):
            last = mark[group.last]
            gap, location = self._draw(last, n_samples, numbers)
            probability = None if self.transition is None else self.transition[last]
            yield Forecast(group.targets, with_marks(gap, location, probability, numbers))

    def _draw(
        self, last: NDArray[np.int64], n_samples: int, numbers: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns gaps (N, S) and locations (N, S, 2) that follow the marks `last` (N,)."""
        gap = np.empty((len(last), n_samples))
        location = np.empty((len(last), n_samples, 2))
        for k, law in enumerate(self.laws):
            after = last == k
            shape = (int(after.sum()), n_samples)
            gap[after] = law.draw_gap(shape, numbers)
            location[after] = law.location.draw(shape, numbers)
        return gap, location
