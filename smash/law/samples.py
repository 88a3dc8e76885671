"""What a forecaster gives: samples of each next event, in raw units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.data.events import Targets


@dataclass(frozen=True)
class Samples:
    """S draws of the next event for each of N targets, in raw units.

    `gap` (N, S): time since the previous event. `location` (N, S, D). `mark` (N, S): the drawn
    marks, `mark_mode` (N, S): arg max of p(k | t) at each draw, `mark_probability` (N, K): mean
    of p(k | t) over the draws; all three None for unmarked forecasts. `magnitude` (N, S); None
    where the forecaster knows none.
    """

    gap: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None = None
    mark_mode: NDArray[np.int64] | None = None
    mark_probability: NDArray[np.float64] | None = None
    magnitude: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.gap)

    def __getitem__(self, rows: slice | NDArray) -> "Samples":
        return Samples(
            self.gap[rows],
            self.location[rows],
            None if self.mark is None else self.mark[rows],
            None if self.mark_mode is None else self.mark_mode[rows],
            None if self.mark_probability is None else self.mark_probability[rows],
            None if self.magnitude is None else self.magnitude[rows],
        )


def concatenated(parts: Sequence[Samples], axis: int = 0) -> Samples:
    """Returns samples of several groups of events (`axis` 0) or draws (1) as one.

    Further draws have no mark probabilities: these are means over draws.
    """

    def together(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values, axis)

    probability = None if axis else together("mark_probability")
    mark, mode, magnitude = map(together, ("mark", "mark_mode", "magnitude"))
    return Samples(together("gap"), together("location"), mark, mode, probability, magnitude)


@dataclass(frozen=True)
class Forecast:
    """Samples for some targets after `step` sampling steps; `final` marks the finished ones."""

    targets: Targets
    samples: Samples
    step: int = 0
    final: bool = True
