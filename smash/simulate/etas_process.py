r"""The epidemic-type aftershock sequence (ETAS) process in time, space and magnitude.

Events come at the intensity (Ogata, Annals of the Institute of Statistical Mathematics 50 (1998)
379-402)

    λ(t, x) = μ b(x) + Σ_{t_i < t} K 10^{α (m_i − m₀)} (t − t_i + c)^{−p} f(x − x_i; m_i),

    f(x; m) = (q − 1) / (π D) (1 + |x|² / D)^{−q},   D = d² 10^{γ (m − m₀)},

that is, a background of density b, and offspring of each event: more of them, and farther away, the
larger it is (Utsu), after delays that follow the law of Omori and Utsu. Magnitudes m ≥ m₀ follow
the law of Gutenberg and Richter whatever came before.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class EtasParameters:
    """The parameters of this module's formula, in units of time and length of the events.

    `mu`: background events a unit of time. `productivity` K, `alpha` α, `c`, `p`, `d`, `gamma` γ
    and `q` > 1 as there. `reference` is m₀.
    """

    mu: float
    productivity: float
    alpha: float
    c: float
    p: float
    d: float
    gamma: float
    q: float
    reference: float = 0.0

    def offspring(self, magnitude: Floats) -> Floats:
        """Returns (...) K 10^{α (m − m₀)} for magnitudes (...)."""
        return self.productivity * 10.0 ** (self.alpha * (magnitude - self.reference))

    def area(self, magnitude: Floats) -> Floats:
        """Returns (...) D, squared lengths, for magnitudes (...)."""
        return self.d**2 * 10.0 ** (self.gamma * (magnitude - self.reference))

    def decay_integral(self, start: Floats | float, end: Floats | float) -> Floats:
        """Returns (...) the integral of (t + c)^−p from `start` to `end` (...), which may be ∞."""
        rest = 1.0 - self.p
        low, high = np.log(start + self.c), np.log(end + self.c)
        if abs(rest) < 1e-9:
            return np.asarray(high - low)
        return np.asarray(np.exp(rest * low) * np.expm1(rest * (high - low)) / rest)

    def delay(self, start: Floats, end: Floats, share: Floats) -> Floats:
        """Returns (...) the delay by which a `share` of what is from `start` to `end` came."""
        rest = 1.0 - self.p
        low, high = np.log(start + self.c), np.log(end + self.c)
        if abs(rest) < 1e-9:
            return np.asarray(np.exp(low + share * (high - low)) - self.c)
        grown = np.log1p(share * np.expm1(rest * (high - low))) / rest
        return np.asarray(np.clip(np.exp(low + grown) - self.c, start, end))

    def step(self, area: Floats, numbers: np.random.Generator) -> Floats:
        """Returns (..., 2) steps from parents with D = `area` (...) to their offspring."""
        uniform, turn = numbers.random(area.shape), 2 * np.pi * numbers.random(area.shape)
        square = area * np.expm1(-np.log1p(-uniform) / (self.q - 1))
        return np.sqrt(square)[..., None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1)

    def log_place(self, square: Floats, area: Floats) -> Floats:
        """Returns (...) log f at squared distances (...) from parents with D = `area` (...)."""
        rest = self.q - 1
        constant = np.log(rest / np.pi)
        return constant + rest * np.log(area) - self.q * np.log(square + area)

    def branching_ratio(self, b: float, span: float = float("inf")) -> float:
        """Returns the mean number of offspring of an event within `span`, magnitudes having a `b`.

        Infinite where α ≥ b, or p ≤ 1 and the span too: then there is no mean.
        """
        if self.alpha >= b or (self.p <= 1 and span == float("inf")):
            return float("inf")
        in_time = float(self.decay_integral(0.0, span))
        return self.productivity * in_time * b / (b - self.alpha)

    def names(self) -> tuple[str, ...]:
        """Returns the names of what is fitted."""
        return tuple(field.name for field in fields(self) if field.name != "reference")
