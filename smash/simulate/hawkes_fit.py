"""The simulator's self-exciting process, fitted to events by maximum likelihood.

Axes may have different units, and the process has one spread for both. So both are divided by the
fitted spread of the background along them: it then has unit spread, and the offspring's has its
shape. It is found by L-BFGS-B from a start that depends on nothing but the data.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from scipy.optimize import minimize

from smash.data.events import EventSequences
from smash.data.resolution import spread_ties, tie_cells
from smash.errors import TrainingError
from smash.settings import Count, Fraction, Positive
from smash.simulate.hawkes_likelihood import Likelihood, Parameters
from smash.simulate.process import HawkesProcess


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
class FittedHawkes:
    """A process of raw time and of locations (x - center) / scale; both (D,) are raw."""

    process: HawkesProcess
    center: NDArray[np.float64]
    scale: NDArray[np.float64]


PLAIN = HawkesSettings()


def fit_process(
    train: EventSequences, n_marks: int, settings: HawkesSettings = PLAIN
) -> FittedHawkes:
    """Returns the process under which the targets of `train` are likeliest.

    Events at one time are spread over the cell of the clock that recorded them so.

    Raises:
        TrainingError: when the likelihood is not finite.
    """
    train = spread_ties(train, tie_cells(train.gap[train.is_target]))
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
    return FittedHawkes(process, center, spread * fitted.scale.numpy())


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
                f"Hawkes process: the log likelihood of {likelihood.n_targets} targets is "
                f"{value}; look for extreme outliers among times and locations, or do without it "
                "(hawkes among baselines, model.base=self_exciting)"
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
