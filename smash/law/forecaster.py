"""What forecasts next events: a model, a baseline, a mixture of them, the law that is known."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.events import EventSequences, Targets
from smash.law.log_density import LogDensity, joined
from smash.law.next_event_law import NextEventLaw
from smash.law.samples import Forecast


class Forecaster(ABC):
    """Draws the next event after any history, and knows its density where there is one."""

    @abstractmethod
    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields S draws of all targets of `sequences` in order, a few sequences at a time.

        Raises:
            DataError: when marks were fitted and `sequences` has none, or unknown ones.
        """

    @abstractmethod
    def log_densities(self, sequences: EventSequences) -> LogDensity:
        """Returns the log densities of all targets, in their order; what is lacking is said."""


class LawForecaster(Forecaster):
    """Gives the law of the next event after any history; all else follows from it."""

    @property
    @abstractmethod
    def n_marks(self) -> int:
        """K, 1 for an unmarked forecaster, which looks at no marks."""

    @abstractmethod
    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        """Yields all targets of `sequences` in order, some at a time, with their laws.

        Raises:
            DataError: when marks were fitted and `sequences` has none, or unknown ones.
        """

    @abstractmethod
    def law_after(self, histories: EventSequences) -> NextEventLaw:
        """Returns the laws of the event after each of M whole `histories`, which may be empty."""

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        for targets, law in self.laws(sequences):
            yield Forecast(targets, law.sample(n_samples, generator))

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        return joined([law.log_prob(targets) for targets, law in self.laws(sequences)])

    def start(self, history: EventSequences, n_paths: int) -> "State":
        """Returns what is known on each of `n_paths` paths that go on from one history."""
        return State(self, history.select(np.zeros(n_paths, dtype=np.int64)))


@dataclass
class State:
    """What a forecaster knows on P paths, each a sequence that grows event by event.

    This one keeps the events and asks the forecaster anew; a forecaster with a memory of its own
    has a state that costs less.
    """

    forecaster: LawForecaster
    paths: EventSequences

    def law(self) -> NextEventLaw:
        """Returns the laws of the next event of each path."""
        return self.forecaster.law_after(self.paths)

    def append(
        self,
        gap: NDArray[np.float64],
        location: NDArray[np.float64],
        mark: NDArray[np.int64] | None,
    ) -> None:
        """Adds one event to each path: gaps (P,) since the last, places (P, 2), marks (P,)."""
        paths, end = self.paths, self.paths.offsets[1:]
        time, some = paths.window[:, 0] + gap, paths.lengths > 0
        time[some] = paths.time[end[some] - 1] + gap[some]
        self.paths = replace(
            paths,
            time=np.insert(paths.time, end, time),
            location=np.insert(paths.location, end, location, axis=0),
            mark=None if paths.mark is None or mark is None else np.insert(paths.mark, end, mark),
            offsets=paths.offsets + np.arange(len(paths) + 1),
            window=np.stack([paths.window[:, 0], np.maximum(paths.window[:, 1], time)], axis=1),
        )

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Goes on with the paths `rows` alone."""
        self.paths = self.paths.select(rows)
