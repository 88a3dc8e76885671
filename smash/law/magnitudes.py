"""The law of a next event's magnitude, as a part of the event's law."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LN10 = float(np.log(10.0))


class MagnitudePart(ABC):
    """The laws of N next events' magnitudes, whatever the event's gap, place and mark."""

    @abstractmethod
    def log_density(self, magnitude: Floats) -> Floats:
        """Returns (N, Q) log densities of magnitudes (N, Q)."""

    @abstractmethod
    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Floats:
        """Returns (N, S) draws."""


@dataclass(frozen=True)
class GutenbergRichter(MagnitudePart):
    """Magnitudes m ≥ `least` with the density b ln 10 · 10^{−b (m − least)}.

    B. Gutenberg, C. F. Richter, Bulletin of the Seismological Society of America 34 (1944) 185-188.
    `error` is the standard error of `b`.
    """

    b: float
    least: float
    error: float = float("nan")

    @classmethod
    def fit(cls, magnitude: Floats, completeness: float, width: float = 0.0) -> "GutenbergRichter":
        """Returns the law of magnitudes from the `completeness` on, rounded to cells of `width`.

        b = log10 e / (mean − least), the cell's lower end being the least (K. Aki 1965; T. Utsu
        1966), and its error (Y. Shi, B. A. Bolt, BSSA 72 (1982) 1677-1687).
        """
        least = completeness - width / 2
        above = magnitude[magnitude >= least]
        b = 1 / (LN10 * (above.mean() - least))
        error = LN10 * b**2 * above.std() / np.sqrt(max(len(above) - 1, 1))
        return cls(float(b), float(least), float(error))

    def log_density(self, magnitude: Floats) -> Floats:
        above = magnitude - self.least
        return np.where(above >= 0, np.log(self.b * LN10) - self.b * LN10 * above, -np.inf)

    def draw(self, shape: tuple[int, int], generator: torch.Generator) -> Floats:
        # Imported here, as the law of the event imports this module.
        from smash.law.next_event_law import numpy_generator

        return self.drawn(shape, numpy_generator(generator))

    def drawn(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns draws of any shape."""
        return self.least + numbers.exponential(1 / (self.b * LN10), shape)
