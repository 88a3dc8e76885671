"""The law of a next event's magnitude, as a part of the event's law."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.completeness import LN10, b_value
from smash.law.draws import numpy_generator

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class MagnitudePart(ABC):
    """The laws of N next events' magnitudes, whatever the event's gap, place and mark."""

    @abstractmethod
    def log_density(self, magnitude: Floats) -> Floats:
        """Returns (N, Q) log densities of magnitudes (N, Q)."""

    @abstractmethod
    def draw(
        self, shape: tuple[int, int], generator: torch.Generator, mark: Integers | None = None
    ) -> Floats:
        """Returns (N, S) draws; of events of marks (N, S), where these are classes of it."""


@dataclass(frozen=True)
class GutenbergRichter(MagnitudePart):
    """Magnitudes m ≥ `least` with the density b ln 10 · 10^{−b (m − least)}.

    B. Gutenberg, C. F. Richter, Bulletin of the Seismological Society of America 34 (1944) 185-188.
    `error` is the standard error of `b`. `edges`: growing, between the classes that the events'
    marks are, where they are such.
    """

    b: float
    least: float
    error: float = float("nan")
    edges: tuple[float, ...] = ()

    @classmethod
    def fit(cls, magnitude: Floats, completeness: float, width: float = 0.0) -> "GutenbergRichter":
        """Returns the law of magnitudes from the `completeness` on, rounded to cells of `width`.

        `smash.data.completeness.b_value` says how b is found.
        """
        b, error = b_value(magnitude, completeness, width)
        return cls(b, completeness - width / 2, error)

    def log_density(self, magnitude: Floats) -> Floats:
        above = magnitude - self.least
        return np.where(above >= 0, np.log(self.b * LN10) - self.b * LN10 * above, -np.inf)

    def draw(
        self, shape: tuple[int, int], generator: torch.Generator, mark: Integers | None = None
    ) -> Floats:
        numbers = numpy_generator(generator)
        if mark is None or not self.edges:
            return self.drawn(shape, numbers)
        return self.of_classes(mark.ravel(), self.edges, numbers).reshape(shape)

    def drawn(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns draws of any shape."""
        return self.least + numbers.exponential(1 / (self.b * LN10), shape)

    def of_classes(
        self, mark: Integers, edges: Sequence[float], numbers: np.random.Generator
    ) -> Floats:
        """Returns draws (E,) given which of the classes between growing `edges` each is of."""
        low = np.maximum([self.least, *edges], self.least)[mark]
        width = np.append(edges, np.inf)[mark] - low
        share = -np.expm1(-self.b * LN10 * np.maximum(width, 0.0))
        return low - np.log1p(-share * numbers.random(len(mark))) / (self.b * LN10)
