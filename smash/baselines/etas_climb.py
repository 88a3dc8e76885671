"""The maximum of ETAS' likelihood: its parameters in turn with its background."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial import KDTree
from scipy.stats import norm

from smash.baselines.etas_background import Background
from smash.baselines.etas_likelihood import SIZE, EtasLikelihood, Pairs, pack, unpack
from smash.data.events import EventSequences
from smash.errors import TrainingError
from smash.settings import Count, Positive
from smash.simulate.etas_process import EtasParameters

Floats = NDArray[np.float64]

TURNS = 4
"""Turns of background and parameters around one anchor."""
COVERED = float(norm.ppf(0.975))
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True)
class EtasSettings:
    """How ETAS is fitted.

    `neighbours`: the one that a background kernel's width reaches to. `most_pairs`: of target and
    parent, up to which all are taken; beyond, `quantiles` of them stand for a target's parents.
    `rounds`: most maximisations, each from where the last one ended; `tolerance`: nats of the whole
    catalogue by which the last one may still gain. `explosive`: whether a process whose events
    multiply within the catalogue's own span is accepted.
    """

    neighbours: Count = 5
    most_pairs: Count = 200_000
    quantiles: Count = 32
    rounds: Count = 40
    tolerance: Positive = 0.1
    explosive: bool = False


@dataclass(frozen=True)
class EtasFit:
    """What a fit found.

    `theta` (8,) and its `covariance` (8, 8), by the observed information, are those of
    `smash.baselines.etas_likelihood.pack`, the background being taken as known. `span` is the
    longest time that the fit has seen an event set off others in.
    """

    parameters: EtasParameters
    theta: Floats
    covariance: Floats
    log_likelihood: float
    n_events: int
    span: float
    rounds: int

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Returns the 95 % interval of each parameter; NaN where the likelihood is flat."""
        variance = np.diag(self.covariance)
        error = np.sqrt(np.where(variance > 0, variance, np.nan))
        ends = [unpack(self.theta + side * COVERED * error, 0.0) for side in (-1, 1)]
        return {n: (getattr(ends[0], n), getattr(ends[1], n)) for n in self.parameters.names()}


class Climb:
    """The maximisation, in rounds: of the parameters around an anchor, and of the background."""

    def __init__(
        self,
        likelihood: EtasLikelihood,
        background: Background,
        settings: EtasSettings,
        bounds: tuple[Floats, Floats],
    ) -> None:
        self.likelihood, self.background, self.settings = likelihood, background, settings
        self.low, self.high = bounds
        self.all_pairs = likelihood.n_pairs <= settings.most_pairs
        self.pairs = likelihood.every_pair() if self.all_pairs else None

    def fit(self, starts: list[Floats]) -> EtasFit:
        """Returns the best of what the starts lead to; each has one round before one is chosen."""
        likelihood, settings = self.likelihood, self.settings
        tried = [self._round(start, self._pairs(start)) for start in starts]
        theta = min(tried, key=lambda found: found[1])[0]
        last = -np.inf
        for number in range(1, settings.rounds + 1):
            pairs = self._pairs(theta)
            value = self._value(theta, pairs)
            if value - last < settings.tolerance and number > 2:
                return self._found(theta, pairs, value, number)
            last = value
            for _ in range(1 if self.background.known else TURNS):
                self._decluster(theta, pairs)
                theta = self._round(theta, pairs)[0]
        raise TrainingError(
            f"ETAS: the likelihood of {len(likelihood.rows)} events still grows after "
            f"{settings.rounds} rounds, so that its parameters are not known; the catalogue may "
            "have too few aftershocks, or repeated events: leave etas out of baselines"
        )

    def _pairs(self, theta: Floats) -> Pairs:
        if self.pairs is not None:
            return self.pairs
        return self.likelihood.drawn_pairs(theta, self.settings.quantiles)

    def _round(self, start: Floats, pairs: Pairs) -> tuple[Floats, float]:
        """Returns the best parameters near the anchor `start`, and -log likelihood an event."""
        n, log_b = len(self.likelihood.rows), torch.from_numpy(self.background.log_density)

        def objective(theta: Floats) -> tuple[float, Floats]:
            leaf = torch.tensor(theta, requires_grad=True)
            loss = -self.likelihood.value(leaf, pairs, log_b) / n
            loss.backward()
            assert leaf.grad is not None
            value, gradient = float(loss.detach()), leaf.grad.numpy()
            if not (np.isfinite(value) and np.isfinite(gradient).all()):
                raise TrainingError(
                    f"ETAS: the log likelihood of {n} events is {-n * value}; look for extreme "
                    "outliers among times, places and magnitudes, or leave etas out of baselines"
                )
            return value, gradient

        # What stands for many pairs is right near its anchor alone.
        reach = np.inf if self.all_pairs else 2.0
        low, high = np.maximum(self.low, start - reach), np.minimum(self.high, start + reach)
        start = np.clip(start, low, high)
        options = {"maxiter": 200, "ftol": 1e-11, "gtol": 1e-7}
        bounds = np.column_stack([low, high])
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        return found.x, float(found.fun)

    def _decluster(self, theta: Floats, pairs: Pairs) -> None:
        excited = self.likelihood.excited(torch.from_numpy(theta), pairs).numpy()
        background = np.exp(theta[0] + self.background.log_density)
        self.background.decluster(background / (background + excited))

    def _value(self, theta: Floats, pairs: Pairs) -> float:
        log_b = torch.from_numpy(self.background.log_density)
        return float(self.likelihood.value(torch.from_numpy(theta), pairs, log_b))

    def _found(self, theta: Floats, pairs: Pairs, value: float, rounds: int) -> EtasFit:
        log_b = torch.from_numpy(self.background.log_density)
        hessian = torch.autograd.functional.hessian(
            lambda vector: -self.likelihood.value(vector, pairs, log_b), torch.from_numpy(theta)
        ).numpy()
        # At a bound nothing is known of a parameter; the others are as if it were given.
        free = (theta > self.low + 1e-6) & (theta < self.high - 1e-6)
        covariance = np.full((SIZE, SIZE), np.nan)
        covariance[np.ix_(free, free)] = np.linalg.pinv(hessian[np.ix_(free, free)])
        sequences = self.likelihood.sequences
        return EtasFit(
            unpack(theta, self.likelihood.reference),
            theta,
            covariance,
            value,
            len(self.likelihood.rows),
            float(np.ptp(sequences.window, axis=1).max()),
            rounds,
        )


def starts(train: EventSequences, reference: float) -> list[Floats]:
    """Returns vectors to start from: half of the events spontaneous, three kinds of offspring."""
    assert train.magnitude is not None
    gap, distance = _scales(train)
    duration = float(np.ptp(train.window, axis=1).sum())
    mu = 0.5 * int(train.is_target.sum()) / duration
    starts = []
    for alpha, p, c, d in ((0.5, 1.1, 0.02, 1.0), (1.0, 1.2, 0.2, 3.0), (0.2, 0.9, 0.002, 0.5)):
        o = EtasParameters(mu, 1.0, alpha, c * gap, p, d * distance, 0.3, 1.5, reference)
        mean = float(o.offspring(train.magnitude).mean() * o.decay_integral(0.0, duration))
        starts.append(pack(replace(o, productivity=0.5 / mean)))
    return starts


def bounds(train: EventSequences) -> tuple[Floats, Floats]:
    """Returns least and greatest vectors; below them clocks and maps say nothing."""
    gap, distance = _scales(train)
    low = EtasParameters(1e-9 / gap, 1e-12, 0.0, 1e-5 * gap, 0.2, 1e-3 * distance, -1.0, 1.02)
    high = EtasParameters(1e2 / gap, 1e12, 4.0, 1e4 * gap, 6.0, 1e4 * distance, 4.0, 21.0)
    return pack(low), pack(high)


def _scales(train: EventSequences) -> tuple[float, float]:
    """Returns the median positive gap and the median positive distance to the nearest event."""
    gap, places = train.gap[train.is_target], np.unique(train.location, axis=0)
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    return float(np.median(gap[gap > 0])), float(np.median(nearest))
