r"""An unmarked process with four things that can be turned up, whose law stays exact.

    λ(t, x) = μ s(t) b(x) (1 − ι e^{−ρ (t − t_l)} g(x − x_l))
              + Σ_i n β e^{−β (t − t_i)} N(x; x_i, S² I)

`season`: s(t) = 1 + a cos(2π t / P). `heterogeneity`: b is a mixture of clusters rather than one.
`inhibition`: for a while no spontaneous event comes near the last one, l;
g(d) = exp(−|d|² / 2 r²). `entanglement`: what an event sets off spreads as time goes by,
S² = s² (1 + ε β (t − t_i)), so that delay and distance depend on each other. Offspring are those
of A. G. Hawkes (Biometrika 58 (1971) 83-90). All integrals over time and place are closed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.errors import SpecError
from smash.settings import SimulatorSettings

Floats = NDArray[np.float64]

PERIOD = 7.0
CLUSTERS = 5
FARTHEST, NARROWEST = 2.0, 0.2
"""At full heterogeneity, where clusters lie and how wide they are, in widths of the even case."""
MEMORY = 10.0
"""Mean gaps of spontaneous events for which the last one holds the next back."""


@dataclass(frozen=True)
class RungProcess:
    """The process of this module's formula.

    `rate` μ; `weight` (C,), `center` (C, 2) and `width` (C,) of the clusters of b; `offspring` n,
    `decay` β, `spread` s; `season` a in [0, 1], `period` P; `entanglement` ε ≥ 0; `inhibition` ι in
    [0, 1], `recovery` ρ, `reach` r.

    Raises:
        SpecError: when a value is not possible.
    """

    rate: float
    weight: Floats
    center: Floats
    width: Floats
    offspring: float
    decay: float
    spread: float
    season: float = 0.0
    period: float = PERIOD
    entanglement: float = 0.0
    inhibition: float = 0.0
    recovery: float = 1.0
    reach: float = 1.0

    def __post_init__(self) -> None:
        for name in ("season", "inhibition"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpecError(f"{name} {getattr(self, name):g}: is from 0 to 1")
        if not 0 <= self.offspring < 1 or self.entanglement < 0 or self.rate <= 0:
            raise SpecError("offspring is below 1, entanglement not negative, the rate above 0")

    @classmethod
    def of(
        cls,
        settings: SimulatorSettings,
        season: float = 0.0,
        heterogeneity: float = 0.0,
        entanglement: float = 0.0,
        inhibition: float = 0.0,
        offspring: float | None = None,
    ) -> "RungProcess":
        """Returns the process with rates and lengths of `settings`, and so much of each thing."""
        turn = 2 * np.pi * np.arange(CLUSTERS) / CLUSTERS
        around = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        even = settings.background_spread
        weight = 1.0 / np.arange(1, CLUSTERS + 1)
        return cls(
            rate=settings.background,
            weight=weight / weight.sum(),
            center=heterogeneity * FARTHEST * even * around,
            width=np.full(CLUSTERS, even * (1 - heterogeneity * (1 - NARROWEST))),
            offspring=settings.branching if offspring is None else offspring,
            decay=settings.decay,
            spread=settings.spread,
            season=season,
            entanglement=entanglement,
            inhibition=inhibition,
            recovery=settings.background / MEMORY,
            reach=2 * even,
        )

    def season_at(self, time: Floats) -> Floats:
        """Returns s at times (...)."""
        return 1 + self.season * np.cos(2 * np.pi / self.period * _or_zero(time))

    def season_between(self, start: Floats, gap: Floats) -> Floats:
        """Returns the integral of s over gaps (...) from `start` (...)."""
        omega = 2 * np.pi / self.period
        swing = np.sin(omega * (start + _or_zero(gap))) - np.sin(omega * start)
        return gap + self.season / omega * swing

    def season_fading(self, start: Floats, gap: Floats) -> Floats:
        """Returns the integral of e^{−ρ u} s(start + u) over u from 0 to gaps (...)."""
        omega = 2 * np.pi / self.period
        rho = self.recovery
        turning = -np.expm1(-(rho - 1j * omega) * _or_zero(gap))
        turned = np.where(np.isinf(gap), 1.0, turning)
        swing = (np.exp(1j * omega * start) * turned / (rho - 1j * omega)).real
        return -np.expm1(-rho * gap) / rho + self.season * swing

    def log_background(self, place: Floats) -> Floats:
        """Returns log b at places (..., 2)."""
        square = ((place[..., None, :] - self.center) ** 2).sum(axis=-1) / self.width**2
        log = np.log(self.weight) - 0.5 * square - np.log(2 * np.pi * self.width**2)
        return np.logaddexp.reduce(log, axis=-1)

    def nearness(self, place: Floats, last: Floats) -> Floats:
        """Returns g from last places (..., 2) to places (..., 2)."""
        return np.exp(-0.5 * ((place - last) ** 2).sum(axis=-1) / self.reach**2)

    def mean_nearness(self, last: Floats) -> Floats:
        """Returns the mean of g under b, from last places (..., 2)."""
        variance = self.reach**2 + self.width**2
        square = ((last[..., None, :] - self.center) ** 2).sum(axis=-1)
        return (self.weight * self.reach**2 / variance * np.exp(-0.5 * square / variance)).sum(-1)

    def variance(self, age: Floats) -> Floats:
        """Returns S² at ages (...) of the parent."""
        return self.spread**2 * (1 + self.entanglement * self.decay * age)

    def drawn_background(self, shape: tuple[int, ...], numbers: np.random.Generator) -> Floats:
        """Returns (*shape, 2) draws of b."""
        cluster = numbers.choice(len(self.weight), size=shape, p=self.weight)
        noise = numbers.standard_normal((*shape, 2))
        return self.center[cluster] + self.width[cluster][..., None] * noise


def _or_zero(time: Floats) -> Floats:
    """Returns times (...), 0 in place of never, when the season has no phase."""
    return np.where(np.isinf(time), 0.0, time)
