"""Places in other units than those a law has."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.law.next_event_law import PlacePart

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MovedPlaces(PlacePart):
    """`center` + `scale` times the places of `law`, both (2,)."""

    law: PlacePart
    center: Floats
    scale: Floats

    @property
    def lacking(self) -> str:  # type: ignore[override]
        return self.law.lacking

    @property
    def by_mark(self) -> bool:  # type: ignore[override]
        return self.law.by_mark

    def log_density(self, place: Floats, gap: Floats, mark: NDArray[np.int64] | None) -> Floats:
        inner = self.law.log_density((place - self.center) / self.scale, gap, mark)
        return inner - float(np.log(self.scale).sum())

    def draw(
        self, gap: Floats, mark: NDArray[np.int64] | None, generator: torch.Generator
    ) -> Floats:
        return self.center + self.scale * self.law.draw(gap, mark, generator)
