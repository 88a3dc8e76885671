r"""A marked self-exciting process whose next event has a law in closed form.

Events of mark k arrive at the intensity (Hawkes 1971; Ogata 1998 in space)

    λ_k(t, x) = μ_k N(x; c, b² I) + Σ_{t_i < t} A[k_i, k] β exp(−β (t − t_i)) N(x; x_i, s² I),

that is, a background, and offspring of each past event i: A[k_i, k] of mark k on average, after
exponential delays and at Gaussian distances. As β is common to all marks, the excitation decays
as a whole. With R = Σ_ik A[k_i, k] exp(−β (now − t_i)) the compensator of the gap τ is

    Λ(τ) = μ τ + R (1 − exp(−β τ)),   μ = Σ_k μ_k,

so the next gap is the smaller of two independent arrivals, an exponential one from the background
and a possibly infinite one from the excitation, both drawn by inversion; the parent and mark of an
excited event do not depend on when it comes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from smash.errors import SpecError
from smash.settings import SimulatorSettings

_TWO_PI = 2 * np.pi
_OWN_MARK = 0.7  # share of an event's offspring that has its mark; the rest has the next mark


@dataclass(frozen=True)
class Events:
    """n events in order of time: `time` (n,), `location` (n, D), `mark` (n,), seen from `start`.

    `until`: that no event came between the last one and then is known too.
    """

    time: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64]
    start: float = 0.0
    until: float | None = None

    def __len__(self) -> int:
        return len(self.time)

    @property
    def now(self) -> float:
        """Where what is not known begins: the last event's time, the start, or later `until`."""
        if self.until is not None:
            return self.until
        return float(self.time[-1]) if len(self) else self.start

    def before(self, event: int) -> "Events":
        """Returns the history of event number `event`."""
        return replace(
            self,
            time=self.time[:event],
            location=self.location[:event],
            mark=self.mark[:event],
            until=None,
        )


@dataclass(frozen=True)
class NextEvents:
    """S draws of the next event: `gap` (S,), `mark` (S,) and `location` (S, D)."""

    gap: NDArray[np.float64]
    mark: NDArray[np.int64]
    location: NDArray[np.float64]


@dataclass(frozen=True)
class HawkesProcess:
    """The process of this module's formula, in any units of time and length.

    `background` (K,) is μ, events a unit of time; `excitation` (K, K) is A, row the parent's mark;
    `decay` is β; `spread` s; `background_spread` b; `center` (D,) c, none of a process
    without places, D = 0.

    Raises:
        SpecError: when shapes disagree, a rate is negative or events would multiply without end.
    """

    background: NDArray[np.float64]
    excitation: NDArray[np.float64]
    decay: float
    spread: float
    background_spread: float
    center: tuple[float, ...] = (0.0, 0.0)

    def __post_init__(self) -> None:
        n_marks = len(self.background)
        if self.excitation.shape != (n_marks, n_marks):
            raise SpecError(
                f"excitation is {self.excitation.shape} for {n_marks} marks; it is (K, K)"
            )
        if self.background.min() < 0 or self.background.sum() <= 0 or self.excitation.min() < 0:
            raise SpecError(
                "background rates and excitation are not negative, and some rate is > 0"
            )
        radius = _spectral_radius(self.excitation)
        if radius >= 1:
            raise SpecError(
                f"excitation has spectral radius {radius:.3g}; below 1 the number of events stays "
                "finite"
            )

    @classmethod
    def from_settings(cls, settings: SimulatorSettings) -> "HawkesProcess":
        """Returns the process of `settings`.

        Marks are unlike each other: mark k has a share ∝ 1 / (k + 1) of the background, most of
        its offspring have its own mark and the rest the next one, and higher marks have fewer
        offspring. The excitation is scaled to the spectral radius `branching`. So it is where
        `mark_influence` is 1; at 0 all marks have as many offspring, of the background's shares.
        """
        n_marks = settings.n_marks
        share = 1.0 / np.arange(1, n_marks + 1)
        own = np.eye(n_marks)
        influence = settings.mark_influence
        fertility = np.linspace(1 + 0.5 * influence, 1 - 0.5 * influence, n_marks)
        inherited = _OWN_MARK * own + (1 - _OWN_MARK) * np.roll(own, 1, axis=1)
        offspring = (1 - influence) * share / share.sum() + influence * inherited
        shape = fertility[:, None] * offspring
        return cls(
            background=settings.background * share / share.sum(),
            excitation=settings.branching * shape / _spectral_radius(shape),
            decay=settings.decay,
            spread=settings.spread,
            background_spread=settings.background_spread,
        )

    @property
    def n_marks(self) -> int:
        return len(self.background)

    @property
    def n_axes(self) -> int:
        """D, the coordinates of a place."""
        return len(self.center)

    def without_places(self) -> "HawkesProcess":
        """Returns the process of the same times and marks, which do not depend on places."""
        return replace(self, center=())

    def parent_weights(self, history: Events) -> NDArray[np.float64]:
        """Returns (n, K): offspring of each mark that each past event is still to have."""
        ages = history.now - history.time
        return self.excitation[history.mark] * np.exp(-self.decay * ages)[:, None]

    def compensator(self, history: Events, gap: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns (Q,) the expected number of events within each `gap` (Q,) if none comes before.

        At the true gap it is a draw from the unit exponential distribution.
        """
        excitation = self.parent_weights(history).sum()
        return self.background.sum() * gap - excitation * np.expm1(-self.decay * gap)

    def intensity(self, history: Events, gap: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns (Q, K) the rate of each mark, all places together, after each `gap` (Q,)."""
        excitation = self.decay * self.parent_weights(history).sum(axis=0)
        return self.background + excitation * np.exp(-self.decay * gap)[:, None]

    def mark_probability(self, history: Events, gap: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns (Q, K) the law of the mark of an event after each `gap` (Q,)."""
        intensity = self.intensity(history, gap)
        return intensity / intensity.sum(axis=1, keepdims=True)

    def log_density_time_mark(
        self, history: Events, gap: NDArray[np.float64], mark: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Returns (Q,) log densities of next events' `gap` (Q,) and `mark` (Q,), wherever."""
        own = np.take_along_axis(self.intensity(history, gap), mark[:, None], axis=1)[:, 0]
        return np.log(own) - self.compensator(history, gap)

    def log_density(
        self,
        history: Events,
        gap: NDArray[np.float64],
        mark: NDArray[np.int64],
        location: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Returns (Q,) log densities of next events, `gap` (Q,), `mark` (Q,), `location` (Q, D)."""
        center = np.asarray(self.center)
        background = self.background[mark] * _normal(location - center, self.background_spread)
        near_parent = _normal(location[:, None] - history.location, self.spread)  # (Q, n)
        weights = self.parent_weights(history)[:, mark].T  # (Q, n)
        excitation = self.decay * np.exp(-self.decay * gap) * (weights * near_parent).sum(axis=1)
        with np.errstate(divide="ignore"):  # far from everything the density underflows to 0
            return np.log(background + excitation) - self.compensator(history, gap)

    def next_event(self, history: Events, n_samples: int, generator: Generator) -> NextEvents:
        """Returns exact draws of the event that follows `history`."""
        weights = self.parent_weights(history)
        gap, excited = self._arrivals(weights.sum(), n_samples, generator)
        mark = _draw(self.background, n_samples, generator)
        mean = np.tile(np.asarray(self.center, dtype=np.float64), (n_samples, 1))
        n_excited = int(excited.sum())
        if n_excited:
            parent, mark[excited] = np.divmod(
                _draw(weights.ravel(), n_excited, generator), self.n_marks
            )
            mean[excited] = history.location[parent]
        spread = np.where(excited, self.spread, self.background_spread)
        noise = generator.standard_normal((n_samples, self.n_axes))
        return NextEvents(gap, mark, mean + spread[:, None] * noise)

    def _arrivals(
        self, excitation: float, n_samples: int, generator: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Returns (S,) gaps and whether each ends with an excited event."""
        background = generator.exponential(1 / self.background.sum(), n_samples)
        budget = generator.exponential(size=n_samples)
        arrived = np.full(n_samples, np.inf)
        comes = budget < excitation
        arrived[comes] = -np.log1p(-budget[comes] / excitation) / self.decay
        return np.minimum(background, arrived), arrived < background

    def simulate(self, n_events: int, generator: Generator) -> Events:
        """Returns the first `n_events` events from time 0, nothing having happened before."""
        location = np.empty((n_events, self.n_axes))
        events = Events(np.empty(n_events), location, np.empty(n_events, np.int64))
        for event in range(n_events):
            history = events.before(event)
            drawn = self.next_event(history, 1, generator)
            events.time[event] = history.now + drawn.gap[0]
            events.location[event] = drawn.location[0]
            events.mark[event] = drawn.mark[0]
        return events


def _spectral_radius(matrix: NDArray[np.float64]) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def _draw(weights: NDArray[np.float64], n_samples: int, generator: Generator) -> NDArray[np.int64]:
    """Returns (S,) places drawn with probabilities proportional to `weights`."""
    cumulative = np.cumsum(weights)
    drawn = generator.random(n_samples) * cumulative[-1]
    # Rounding may reach the end itself.
    return np.minimum(np.searchsorted(cumulative, drawn, side="right"), len(weights) - 1)


def _normal(offset: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
    """Returns the density of N(0, spread² I) at `offset` (..., D)."""
    squared = (offset**2).sum(axis=-1) / spread**2
    return np.exp(-0.5 * squared) / (_TWO_PI * spread**2) ** (offset.shape[-1] / 2)
