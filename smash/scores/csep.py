"""CSEP's consistency tests of a forecast that is many simulated catalogues: N, S, M, PL.

W. H. Savran and others, Bulletin of the Seismological Society of America 110 (2020) 1799-1817, as
the package pyCSEP 0.8 has them. They say whether what happened looks like one of the catalogues,
not how much is known: a vague forecast passes too, so that pass rates stand beside proper scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PASSED = 0.05
"""A test fails where what happened has less probability than this, in both tails for N."""


@dataclass(frozen=True)
class Binned:
    """E events in cells of a map and of magnitude: `cell` (E,) and `size` (E,), from 0."""

    cell: Integers
    size: Integers

    def __len__(self) -> int:
        return len(self.cell)


@dataclass(frozen=True)
class Consistency:
    """Quantiles of what happened among simulated catalogues, None where a test says nothing.

    `number`: P(N ≥ observed) and P(N ≤ observed); of the others, P(statistic ≤ observed). `unseen`
    events lie in cells where no catalogue has one: S and PL leave them out.
    """

    number: tuple[float, float]
    space: float | None
    magnitude: float | None
    pseudo_likelihood: float | None
    unseen: int = 0

    def passed(self) -> dict[str, bool | None]:
        """Returns whether each test is passed at 5 %; None where it says nothing."""
        both = min(self.number) >= PASSED / 2
        one = {"S": self.space, "M": self.magnitude, "PL": self.pseudo_likelihood}
        # The magnitudes' statistic is a distance, the others are likelihoods.
        found = {k: None if v is None else v >= PASSED for k, v in one.items() if k != "M"}
        size = None if self.magnitude is None else self.magnitude <= 1 - PASSED
        return {"N": both, "S": found["S"], "M": size, "PL": found["PL"]}


def consistency(
    simulated: Binned, path: Integers, n_paths: int, observed: Binned, n_cells: int, n_sizes: int
) -> Consistency:
    """Returns the tests of `observed` events by `n_paths` catalogues.

    `path` (E,) says which catalogue each of the `simulated` events is of; some may have none.
    """
    n_events = np.bincount(path, minlength=n_paths)
    number = (
        float(np.mean(n_events >= len(observed))),
        float(np.mean(n_events <= len(observed))),
    )
    if len(observed) == 0 or len(simulated) == 0:
        return Consistency(number, None, None, None, len(observed))
    rate = np.bincount(simulated.cell, minlength=n_cells) / n_paths
    expected = rate.sum()
    with np.errstate(divide="ignore"):
        log_rate = np.log(rate)
    totals = np.bincount(path, log_rate[simulated.cell], n_paths)
    seen = log_rate[observed.cell]
    # An event where no catalogue has one is left out, as the catalogues are too few there.
    seen = seen[np.isfinite(seen)]
    some = n_events > 0
    space = likelihood = None
    if len(seen):
        means = totals[some] / n_events[some]
        # The rates of the space test are normalised, which shifts both alike.
        space = _below(means, seen.mean())
        likelihood = _below(totals - expected, seen.sum() - expected)
    magnitude = _magnitudes(simulated, path, n_events, observed, n_sizes)
    return Consistency(number, space, magnitude, likelihood, len(observed) - len(seen))


def calibration(quantiles: Sequence[float | None]) -> float:
    """Returns the p-value that the quantiles of many days are even (Kolmogorov and Smirnov)."""
    known = [q for q in quantiles if q is not None]
    return float(kstest(known, "uniform").pvalue) if known else float("nan")


def _magnitudes(
    simulated: Binned, path: Integers, n_events: Integers, observed: Binned, n_sizes: int
) -> float:
    """Returns the share of catalogues whose magnitudes are as near to all of them or nearer."""
    some = np.flatnonzero(n_events)
    counts = np.zeros((len(n_events), n_sizes))
    np.add.at(counts, (path, simulated.size), 1.0)
    n_observed = len(observed)
    every = np.log10(counts.sum(axis=0) * n_observed / len(simulated) + 1)
    each = np.log10(counts[some] * n_observed / n_events[some, None] + 1)
    own = np.log10(np.bincount(observed.size, minlength=n_sizes) + 1)
    return _below(((each - every) ** 2).sum(axis=1), float(((own - every) ** 2).sum()))


def _below(values: Floats, value: float) -> float:
    """Returns P(values ≤ value), equal but for rounding counting as equal."""
    return float(np.mean(values <= value + 1e-9 * max(1.0, abs(value))))
