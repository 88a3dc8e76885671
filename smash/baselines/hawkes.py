"""An ETAS-type Hawkes process in the simulator's family, fitted by maximum likelihood.

Marks excite marks, delays are exponential with one decay for all, offspring lie at Gaussian
distances from their parent and the background is one Gaussian (Ogata, Annals of the Institute of
Statistical Mathematics 50 (1998) 379-402, whose kernels are power laws). The simulator's process
has one spread for both axes. As axes may have different units, both are divided by the fitted
spread of the background along them: it then has unit spread, and the offspring's has its shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from scipy.optimize import minimize

from smash.baselines.hawkes_likelihood import Likelihood, Parameters
from smash.baselines.past_events import known_marks
from smash.data.events import EventSequences, Targets
from smash.errors import TrainingError
from smash.law.forecaster import Forecaster
from smash.law.moved_places import MovedPlaces
from smash.law.next_event_law import NextEventLaw
from smash.law.paths import MOST_EVENTS, Paths
from smash.law.roll_out import OnProgress
from smash.settings import Count, Fraction, Positive
from smash.simulate.branching import simulate_futures
from smash.simulate.process import HawkesProcess
from smash.simulate.self_exciting_law import law_after, laws_of_targets


@dataclass(frozen=True)
class HawkesSettings:
    """How the process is fitted.

    `history`: most events before a target that may be its parent. `shortest_delay`, in mean gaps,
    and `least_spread`, in spreads of the background, bound the offspring's: where gaps are zero
    and locations repeat (clocks and lattices), the likelihood grows without end towards zero.
    `most_branching` bounds the spectral radius of the excitation.
    """

    history: Count = 100
    shortest_delay: Positive = 0.01
    least_spread: Positive = 0.01
    most_branching: Fraction = 0.99
    iterations: Count = 200
    tolerance: Annotated[float, Ge(0.0)] = 1e-6


@dataclass(frozen=True)
class Hawkes(Forecaster):
    """A fitted process; its next-event law is exact.

    `process` has raw time and locations (x - center) / scale; `center` and `scale` (D,) are raw.
    """

    process: HawkesProcess
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    marked: bool

    @property
    def n_marks(self) -> int:
        return self.process.n_marks if self.marked else 1

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        every = sequences.targets()
        start = 0
        scaled = self._scaled(sequences)
        for part, law in laws_of_targets(self.process, scaled, self.marked):
            targets = every[slice(start, start := start + len(part))]
            yield targets, self._raw(law)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self._raw(law_after(self.process, self._scaled(histories), self.marked))

    def simulate(
        self,
        history: EventSequences,
        now: float,
        horizon: float,
        n_paths: int,
        generator: torch.Generator,
        max_events: int = MOST_EVENTS,
        on_progress: OnProgress = lambda share: None,
    ) -> Paths:
        """Returns futures, generation by generation (`smash.simulate.branching`)."""
        paths = simulate_futures(
            self.process, self._scaled(history), now, horizon, n_paths, generator, max_events
        )
        on_progress(1.0)
        location = self.center + self.scale * paths.location
        return replace(paths, location=location, mark=paths.mark if self.marked else None)

    def description(self) -> dict[str, Any]:
        """Returns the fitted parameters as plain lists and numbers; lengths in raw units."""
        return {
            "background": self.process.background.tolist(),
            "excitation": self.process.excitation.tolist(),
            "decay": self.process.decay,
            "offspring_spread": (self.process.spread * self.scale).tolist(),
            "background_center": self.center.tolist(),
            "background_spread": self.scale.tolist(),
        }

    def _raw(self, law: NextEventLaw) -> NextEventLaw:
        """Returns the law with places in raw units."""
        return replace(law, place=MovedPlaces(law.place, self.center, self.scale))

    def _scaled(self, sequences: EventSequences) -> EventSequences:
        """Returns the events in the process's units, unmarked ones with mark 0."""
        mark = np.zeros(sequences.n_events, dtype=np.int64)
        if self.marked:
            mark = known_marks(sequences, self.process.n_marks)
        location = (sequences.location - self.center) / self.scale
        return replace(sequences, location=location, mark=mark)


def fit_hawkes(
    train: EventSequences, n_marks: int, settings: HawkesSettings = HawkesSettings()
) -> Hawkes:
    """Returns the process under which the targets of `train` are likeliest.

    It is found by L-BFGS-B from a start that depends on nothing but the data.

    Raises:
        TrainingError: when the likelihood is not finite.
    """
    unit = float(train.gap[train.is_target].mean())
    mean, spread = train.location.mean(axis=0), train.location.std(axis=0)
    standardised = replace(
        train,
        time=train.time / unit,
        window=train.window / unit,
        location=(train.location - mean) / spread,
    )
    likelihood = Likelihood(standardised, n_marks, settings.history)
    fitted = _maximise(likelihood, standardised, settings)
    process = HawkesProcess(
        background=fitted.background.numpy() / unit,
        excitation=fitted.excitation.numpy(),
        decay=float(fitted.decay) / unit,
        spread=float(fitted.spread),
        background_spread=1.0,
        center=(0.0,) * train.n_axes,
    )
    center = mean + spread * fitted.center.numpy()
    return Hawkes(process, center, spread * fitted.scale.numpy(), train.mark is not None)


def _maximise(
    likelihood: Likelihood, standardised: EventSequences, settings: HawkesSettings
) -> Parameters:
    n_marks = likelihood.n_marks
    low, high = _bounds(standardised, n_marks, settings)
    fitted = _climb(likelihood, _start(standardised, n_marks), low, high, settings)
    radius = _spectral_radius(fitted)
    if radius > settings.most_branching:
        # The radius never grows when entries fall: with the shrunk ones as bounds it stays below.
        shrunk = replace(fitted, excitation=fitted.excitation * settings.most_branching / radius)
        cells = slice(n_marks, n_marks + n_marks**2)
        high[cells] = np.maximum(shrunk.pack().numpy()[cells], low[cells])
        fitted = _climb(likelihood, shrunk, low, high, settings)
    return fitted


def _climb(
    likelihood: Likelihood,
    start: Parameters,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    settings: HawkesSettings,
) -> Parameters:
    def objective(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = likelihood.value_and_gradient(theta)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            raise TrainingError(
                f"Hawkes baseline: the log likelihood of {likelihood.n_targets} targets is "
                f"{value}; look for extreme outliers among times and locations, or leave hawkes "
                "out of baselines"
            )
        return -value / likelihood.n_targets, -gradient / likelihood.n_targets

    result = minimize(
        objective,
        np.clip(start.pack().numpy(), low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([low, high]),
        options={"maxiter": settings.iterations, "ftol": settings.tolerance},
    )
    return Parameters.unpack(torch.from_numpy(result.x), likelihood.n_marks)


def _start(standardised: EventSequences, n_marks: int) -> Parameters:
    """Returns half of the events as background, the rest as offspring after about a mean gap."""
    share = torch.full((1,), 1.0, dtype=torch.float64)
    if standardised.mark is not None:
        counts = np.bincount(standardised.mark, minlength=n_marks) + 1.0
        share = torch.from_numpy(counts / counts.sum())
    return Parameters(
        background=0.5 * share,
        excitation=0.5 * share.repeat(n_marks, 1),
        decay=torch.tensor(1.0, dtype=torch.float64),
        spread=torch.tensor(0.3, dtype=torch.float64),
        center=torch.zeros(standardised.n_axes, dtype=torch.float64),
        scale=torch.ones(standardised.n_axes, dtype=torch.float64),
    )


def _bounds(
    standardised: EventSequences, n_marks: int, settings: HawkesSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns least and greatest parameters, packed; a delay beyond any window has no meaning."""
    longest = float(np.ptp(standardised.window, axis=1).max())

    def packed(rate: float, decay: float, spread: float, center: float, scale: float) -> NDArray:
        number = torch.tensor([decay, spread], dtype=torch.float64)
        rates = torch.full((n_marks, n_marks), rate, dtype=torch.float64)
        axes = torch.full((standardised.n_axes,), scale, dtype=torch.float64)
        mean = torch.full((standardised.n_axes,), center, dtype=torch.float64)
        return Parameters(rates[0], rates, number[0], number[1], mean, axes).pack().numpy()

    fastest = 1 / settings.shortest_delay
    low = packed(1e-7, min(1 / longest, fastest), settings.least_spread, -10.0, 0.1)
    return low, packed(1e3, fastest, 3.0, 10.0, 10.0)


def _spectral_radius(parameters: Parameters) -> float:
    return float(np.abs(np.linalg.eigvals(parameters.excitation.numpy())).max())
