r"""How many events came lately, over several spans of time, as a network is told of it.

After event l of a sequence that began a time T before, span s holds

    E = Σ_{i ≤ l} w_i exp(−(t_l − t_i) / s),    n = (s / τ) (1 − exp(−T / s)),

n being what a steady rate of one event in τ, the mean gap, would have made of it. The feature is
log((E + 1) / (n + 2)), about 0 at that rate, as E counts the event itself. With magnitudes it is
told twice: of w_i = 1 and of w_i = (1 − a) exp(a m_i), the productivity of Utsu's law, m_i being
the magnitude above the least in units of its mean, so that w is 1 in the mean.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPANS = (1.0, 4.0, 16.0, 64.0, 256.0)
"""Spans that are told of, in mean gaps."""
PRODUCTIVITY = 0.7
"""a, of Utsu's law: catalogues have about 0.6 to 1."""


@dataclass(frozen=True)
class Rates:
    """What is carried along P sequences: `known` (P, W S), E of each weight and span."""

    mean_gap: float
    known: Floats

    @classmethod
    def at_start(cls, mean_gap: float, n: int, n_weights: int) -> "Rates":
        """Returns that of `n` sequences before their first events."""
        return cls(mean_gap, np.zeros((n, n_weights * len(SPANS))))

    @classmethod
    def of_history(cls, mean_gap: float, time: Floats, magnitude: Floats | None, n: int) -> "Rates":
        """Returns that of `n` paths after one history: times (L,), scaled magnitudes (L,)."""
        spans = mean_gap * np.array(SPANS)
        fading = np.exp(-(time[-1] - time[:, None]) / spans)
        known = (_weights(len(time), magnitude).T @ fading).ravel()
        return cls(mean_gap, np.tile(known, (n, 1)))

    def after(self, gap: Floats, magnitude: Floats | None) -> "Rates":
        """Returns that after one event more of each: gaps (P,), scaled magnitudes (P,) if told."""
        weight = _weights(len(gap), magnitude)
        faded = self.known * np.exp(-gap[:, None] / (self.mean_gap * self._spans))
        return Rates(self.mean_gap, faded + np.repeat(weight, len(SPANS), axis=1))

    def features(self, age: Floats) -> Floats:
        """Returns the features (P, W S) of sequences that began `age` (P,) ago."""
        spans = self._spans
        steady = -spans * np.expm1(-age[:, None] / (self.mean_gap * spans))
        return np.log((self.known + 1) / (steady + 2))

    @property
    def _spans(self) -> Floats:
        """(W S,) the spans of all columns, in mean gaps."""
        return np.tile(SPANS, self.known.shape[1] // len(SPANS))

    def keep(self, rows: NDArray[np.int64]) -> "Rates":
        """Returns that of the sequences `rows` alone."""
        return Rates(self.mean_gap, self.known[rows])


def _weights(n: int, magnitude: Floats | None) -> Floats:
    """Returns the weights (n, W) of events."""
    alike = np.ones((n, 1))
    if magnitude is None:
        return alike
    heavy = (1 - PRODUCTIVITY) * np.exp(PRODUCTIVITY * magnitude)
    return np.column_stack([alike, heavy])


def n_features(magnitudes: bool) -> int:
    """Returns how many features an event has."""
    return len(SPANS) * (2 if magnitudes else 1)


def rate_features(
    gap: Floats,
    age: Floats,
    lengths: NDArray[np.int64],
    magnitude: Floats | None,
    mean_gap: float,
) -> Floats:
    """Returns the features (E, W S) of all events of M sequences, one after another in (E,).

    Args:
        gap: (E,) before each event, of a first one since its window's start.
        age: (E,) since the window's start.
        lengths: (M,) events of each sequence.
        magnitude: (E,) scaled, or None.
        mean_gap: τ.
    """
    first = np.cumsum(lengths) - lengths
    found = np.empty((len(gap), n_features(magnitude is not None)))
    rates = Rates.at_start(mean_gap, len(lengths), 1 if magnitude is None else 2)
    going = np.argsort(-lengths, kind="stable")
    rates = rates.keep(going)
    for step in range(int(lengths.max(initial=0))):
        going = going[lengths[going] > step]
        rows = first[going] + step
        told = None if magnitude is None else magnitude[rows]
        rates = rates.keep(np.arange(len(going))).after(gap[rows], told)
        found[rows] = rates.features(age[rows])
    return found
