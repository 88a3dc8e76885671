"""Gaps of processes whose memory fades: later on they are of the same family."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.law.next_event_law import TimePart

Floats = NDArray[np.float64]


class FadingTimes(TimePart):
    """Laws of gaps that are of the same kind given that no event came for a while."""

    @abstractmethod
    def faded(self, elapsed: Floats) -> "FadingTimes":
        """Returns the laws of what is left of gaps once `elapsed` (N,) has gone by."""

    def after(self, elapsed: Floats) -> TimePart:
        return LaterTimes(self.faded(elapsed), elapsed)


@dataclass(frozen=True)
class LaterTimes(TimePart):
    """Gaps of `law`, which count from `elapsed` (N,) on: the process has no other memory."""

    law: FadingTimes
    elapsed: Floats

    def __len__(self) -> int:
        return len(self.law)

    def log_density(self, gap: Floats) -> Floats:
        further = gap - self.elapsed[:, None]
        density = self.law.log_density(np.maximum(further, 0.0))
        return np.where(further >= 0, density, -np.inf)

    def log_survival(self, gap: Floats) -> Floats:
        return self.law.log_survival(np.maximum(gap - self.elapsed[:, None], 0.0))

    def at_log_survival(self, log_survival: Floats) -> Floats:
        return self.elapsed[:, None] + self.law.at_log_survival(log_survival)

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        return self.elapsed[:, None] + self.law.draw(n_samples, generator)

    def after(self, elapsed: Floats) -> TimePart:
        later = np.maximum(elapsed, self.elapsed)
        return LaterTimes(self.law.faded(later - self.elapsed), later)
