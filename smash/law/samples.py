"""What a forecaster gives: samples of each next event, in raw units."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.events import EventSequences, Targets


@dataclass(frozen=True)
class Samples:
    """S draws of the next event for each of N targets, in raw units.

    `gap` (N, S): time since the previous event. `location` (N, S, 2). `mark` (N, S): the drawn
    marks, `mark_mode` (N, S): arg max of p(k | t) at each draw, `mark_probability` (N, K): mean
    of p(k | t) over the draws; all three None for unmarked forecasts.
    """

    gap: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None = None
    mark_mode: NDArray[np.int64] | None = None
    mark_probability: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.gap)

    def __getitem__(self, rows: slice | NDArray) -> "Samples":
        return Samples(
            self.gap[rows],
            self.location[rows],
            None if self.mark is None else self.mark[rows],
            None if self.mark_mode is None else self.mark_mode[rows],
            None if self.mark_probability is None else self.mark_probability[rows],
        )


@dataclass(frozen=True)
class Forecast:
    """Samples for some targets after `step` sampling steps; `final` marks the finished ones."""

    targets: Targets
    samples: Samples
    step: int = 0
    final: bool = True


@dataclass(frozen=True)
class LogDensities:
    """What a forecaster with a density says of N events, in raw units.

    `time_mark` (N,): log density of gap and mark. `event` (N,): of gap, mark and location; None
    where the location's is not known. Where gaps are cells or have an atom, a gap counts with the
    logarithm of its cell's mean density, a gap of zero with that of its probability.
    """

    time_mark: NDArray[np.float64]
    event: NDArray[np.float64] | None


class Forecaster(Protocol):
    """Whatever forecasts next events: a model with a sampler, a baseline, the oracle."""

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets of `sequences`, a few sequences at a time."""
        ...


@runtime_checkable
class Density(Protocol):
    """A forecaster that also knows densities."""

    def log_densities(self, sequences: EventSequences) -> LogDensities | None:
        """Returns log densities of all targets of `sequences`; None where it has none after all."""
        ...
