"""The places of events that have none."""

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.events import no_places
from smash.law.next_event_law import PlacePart

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class NoPlaces(PlacePart):
    """Places (N, Q, 0), which tell nothing: their density is 1."""

    by_mark = False

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        return np.zeros(gap.shape)

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        return no_places(gap.size).reshape(*gap.shape, 0)
