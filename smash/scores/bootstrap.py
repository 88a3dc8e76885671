r"""Intervals of figures and tests of differences, by resampling groups of events.

Events of one group (a sequence, or a stretch of a chain of overlapping windows) are not
independent, groups are taken to be. A replicate draws as many groups as there are, with
replacement; every figure is a function of sums over events, so a replicate only weighs the sums of
each group by how often it was drawn. All replicates are then one matrix product.

Intervals hold the middle 95 % of the replicates, moved by the bootstrap's own bias (matters for CS
and ECE: absolute values grow with noise) and expanded for few groups as Student's interval is (T.
Hesterberg, The American Statistician 69 (2015) 371-386): 13 groups alone would be 15 % too narrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from smash.errors import DataError
from smash.scores.marks import BINS, confidence_bin
from smash.scores.summary import (
    MEANS,
    RANKS,
    ROOT_MEAN_SQUARES,
    count_distinct,
    percent,
    quality_of,
)

Floats = NDArray[np.float64]

REPLICATES = 4000
SEED = 86_028_121
COVERED = 0.95
SKILLS = {"time": "crps_time", "location": "energy_location", "mark": "mark_log_loss"}
"""The proper scores that skill is said of, one each of time, location and mark."""
LOSSES = (
    "time_log_loss",
    "mark_given_time_log_loss",
    "place_log_loss",
    "time_mark_log_loss",
    "event_log_loss",
    "unmarked_log_loss",
)
"""Of densities, where a forecaster has them."""
GAINS = {"": "event_log_loss", "unmarked_": "unmarked_log_loss"}
"""The log losses that information gain is said of, by what stands in its figure's name."""
REFERENCES = ("poisson", "climatology", "etas")
"""Forecasters that information gain is over, where they were tested: those without memory first."""
PROPER = (*SKILLS.values(), "crps_time_law", "energy_joint", "mark_brier", *LOSSES)
"""Scores of single events whose expectation the true law makes least, where a table has them."""


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Mean score of a forecast minus another's on the same events, its interval and p-value."""

    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Resampling:
    """How often each of G groups is drawn, `weight` (R, G), and the `group` (N,) of each event.

    The first row is the data as they are: every group once. With one group the others are NaN, and
    so are the ends of intervals.
    """

    weight: Floats
    group: NDArray[np.int64]

    @classmethod
    def of(cls, table: pd.DataFrame, replicates: int = REPLICATES) -> "Resampling":
        """Returns the replicates of a table of scored events, always the same for equal groups.

        Raises:
            DataError: when the table has no column `group`.
        """
        if "group" not in table:
            raise DataError("scores: no column group, by which events are resampled; test again")
        group = np.unique(table["group"].to_numpy(), return_inverse=True)[1]
        n = int(group.max()) + 1
        drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), size=replicates)
        # One group says nothing of how others would differ.
        weight = np.vstack([np.ones(n), drawn if n > 1 else np.full_like(drawn, np.nan, float)])
        return cls(weight, group)

    @property
    def n_groups(self) -> int:
        return self.weight.shape[1]

    @property
    def expansion(self) -> float:
        """By how much too narrow plain replicates are for this number of groups; 1 for many."""
        n = max(self.n_groups, 2)
        tail = (1 + COVERED) / 2
        return float(np.sqrt(n / (n - 1)) * student.ppf(tail, n - 1) / norm.ppf(tail))

    def totals(self, values: Floats) -> Floats:
        """Returns (R, …) the sums over each replicate's events of `values` (N, …).

        A replicate without the infinite ones among them has a finite sum.
        """
        finite = np.isfinite(values)
        totals = self._weighed(np.where(finite, values, 0.0))
        if finite.all():
            return totals
        above, below = (self._weighed((values == end) * 1.0) > 0 for end in (np.inf, -np.inf))
        unknown = (self._weighed(np.isnan(values) * 1.0) > 0) | (above & below)
        return np.select([unknown, above, below], [np.nan, np.inf, -np.inf], totals)

    def _weighed(self, values: Floats) -> Floats:
        sums = np.zeros((self.n_groups, *values.shape[1:]))
        np.add.at(sums, self.group, values)
        return np.tensordot(self.weight, sums, axes=1)

    def means(self, values: Floats) -> Floats:
        """Returns (R, …) the means over each replicate's events of `values` (N, …)."""
        count = self.totals(np.ones(len(values)))
        return self.totals(values) / count.reshape(-1, *[1] * (values.ndim - 1))


def figure_intervals(
    table: pd.DataFrame, levels: Sequence[float], resampling: Resampling
) -> dict[str, Interval]:
    """Returns the figures of `summarise` that are not counts, each with its interval."""
    replicates = {
        name: resampling.means(table[column].to_numpy(np.float64))
        for name, column in MEANS.items()
        if column in table
    }
    for name, column in ROOT_MEAN_SQUARES.items():
        if column in table:
            squares = table[column].to_numpy(np.float64) ** 2
            replicates[name] = np.sqrt(resampling.means(squares))
    for name, column in RANKS.items():
        if column in table:
            replicates |= _calibration(name, table[column].to_numpy(), levels, resampling)
    if "mark_predicted" in table:
        replicates |= _marks(table, resampling)
    return {name: _interval(values, resampling) for name, values in replicates.items()}


def skill_intervals(
    table: pd.DataFrame, climatology: pd.DataFrame, resampling: Resampling
) -> dict[str, Interval]:
    """Returns 1 - score / climatology's of time, location and mark, with intervals.

    Raises:
        DataError: when the tables are not of the same events.
    """
    _check_paired(table, climatology)
    skills = {}
    for name, column in SKILLS.items():
        if column in table and column in climatology:
            own, theirs = (resampling.means(t[column].to_numpy()) for t in (table, climatology))
            # Both infinite: their ratio is not known, and no skill.
            with np.errstate(invalid="ignore"):
                skills[name] = _interval(1 - own / theirs, resampling)
    return skills


def information_gains(
    table: pd.DataFrame, others: Mapping[str, pd.DataFrame], resampling: Resampling
) -> dict[str, Interval]:
    """Returns the information gain an event, in nats, over each of `REFERENCES` in `others`.

    Mean log density minus the reference's on the same events, with its interval: of the whole event
    (`information_gain_climatology`), and with the mark summed out
    (`information_gain_unmarked_climatology`).

    Raises:
        DataError: when the tables are not of the same events.
    """
    found = {}
    for reference in (name for name in REFERENCES if name in others):
        other = others[reference]
        _check_paired(table, other)
        for what, column in GAINS.items():
            if column in table and column in other:
                gained = (other[column] - table[column]).to_numpy()
                if np.isfinite(gained).all():
                    replicates = resampling.means(gained)
                    found[f"information_gain_{what}{reference}"] = _interval(replicates, resampling)
    return found


def differences(
    table: pd.DataFrame, other: pd.DataFrame, resampling: Resampling
) -> dict[str, Difference]:
    """Returns the difference of each proper score, below zero where `table` is the better one.

    The p-value is that of no difference: how often a replicate's difference lies as far from the
    one found as that lies from zero.

    Raises:
        DataError: when the tables are not of the same events.
    """
    _check_paired(table, other)
    found = {}
    for column in PROPER:
        if column in table and column in other:
            paired = (table[column] - other[column]).to_numpy()
            if np.isfinite(paired).all():
                found[column] = _difference(resampling.means(paired), resampling)
    return found


def compare_tables(
    table: pd.DataFrame, others: Mapping[str, pd.DataFrame], levels: Sequence[float]
) -> dict:
    """Returns, ready for JSON, a table's figures with intervals and its tests against others.

    `n`, `n_distinct`, `n_groups`; `figures`: value, low, high and quality (`quality_of`) by name;
    `skill` of time, location and mark against `climatology` where that is among the others;
    `information_gain` by its figure's name; `against`: for each of the others difference, low, high
    and p_value by score. What is not a number is None.
    """
    resampling = Resampling.of(table)
    figures = figure_intervals(table, levels, resampling)
    climatology = others.get("climatology")
    skill = {} if climatology is None else skill_intervals(table, climatology, resampling)
    gains = information_gains(table, others, resampling)
    return {
        "n": len(table),
        "n_distinct": count_distinct(table),
        "n_groups": resampling.n_groups,
        "figures": {
            name: {**_plain(interval), "quality": quality_of(name)}
            for name, interval in figures.items()
        },
        "skill": {name: _plain(interval) for name, interval in skill.items()},
        "information_gain": {name: _plain(interval) for name, interval in gains.items()},
        "against": {
            name: {k: _plain(d) for k, d in differences(table, other, resampling).items()}
            for name, other in others.items()
        },
    }


def _calibration(
    name: str, ranks: Floats, levels: Sequence[float], resampling: Resampling
) -> dict[str, Floats]:
    what, _, suffix = name.partition("_")
    suffix = f"_{suffix}" if suffix else ""
    covered = resampling.means((ranks[:, None] <= np.asarray(levels)).astype(np.float64))
    shares = {
        f"coverage_{what}_{percent(level)}{suffix}": covered[:, i] for i, level in enumerate(levels)
    }
    return {f"cs_{name}": np.abs(covered - np.asarray(levels)).mean(axis=1), **shares}


def _marks(table: pd.DataFrame, resampling: Resampling) -> dict[str, Floats]:
    correct = (table["mark_predicted"] == table["mark"]).to_numpy().astype(np.float64)
    confidence = table["mark_confidence"].to_numpy()
    # The error of a bin is the sum over its events of correct - confidence.
    by_bin = np.zeros((len(table), BINS))
    by_bin[np.arange(len(table)), confidence_bin(confidence)] = correct - confidence
    replicates = {
        "accuracy": resampling.means(correct),
        "ece": np.abs(resampling.means(by_bin)).sum(axis=1),
    }
    if "mark_predicted_original" in table:
        same = (table["mark_predicted_original"] == table["mark"]).to_numpy()
        replicates["accuracy_original"] = resampling.means(same.astype(np.float64))
    return replicates


def _interval(replicates: Floats, resampling: Resampling) -> Interval:
    value, drawn = replicates[0], replicates[1:]
    if not np.isfinite(value):
        # An infinite figure has no interval: resampling says how often it would be finite, no more.
        return Interval(float(value), np.nan, np.nan)
    tail = 50 * (1 - COVERED)
    away = resampling.expansion * (np.percentile(drawn, [tail, 100 - tail]) - drawn.mean())
    # What cannot be negative is not: a score whose replicates all are at least zero.
    least = 0.0 if drawn.min() >= 0 else -np.inf
    return Interval(float(value), float(max(value + away[0], least)), float(value + away[1]))


def _difference(replicates: Floats, resampling: Resampling) -> Difference:
    interval, drawn = _interval(replicates, resampling), replicates[1:]
    away = resampling.expansion * np.abs(drawn - interval.value) >= abs(interval.value)
    p_value = (1 + int(away.sum())) / (1 + len(away)) if np.isfinite(interval.low) else np.nan
    return Difference(interval.value, interval.low, interval.high, p_value)


def _check_paired(table: pd.DataFrame, other: pd.DataFrame) -> None:
    identity = ["sequence", "event"]
    if len(table) != len(other) or (table[identity].values != other[identity].values).any():
        raise DataError(
            "scores: two forecasts of different events cannot be compared; test both on the same "
            "sequences (sampling.max_sequences)"
        )


def _plain(values: Interval | Difference) -> dict[str, float | None]:
    return {name: v if np.isfinite(v) else None for name, v in asdict(values).items()}
