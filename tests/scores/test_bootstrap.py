"""Intervals hold the truth as often as they say, and differences are found where there are some."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

from smash.data.events import Targets
from smash.errors import DataError
from smash.law.samples import Samples
from smash.scores import score_events, summarise
from smash.scores.bootstrap import Resampling, compare_tables, differences, figure_intervals
from smash.settings import ScoreSettings

LEVELS = ScoreSettings().levels


def scored(shift: float = 0.0, n_groups: int = 40, seed: int = 0) -> pd.DataFrame:
    """Scores of a forecast whose gaps are moved by `shift`; its truth depends on `seed` alone."""
    n = 10 * n_groups
    rng = np.random.default_rng(seed)
    truth, place, mark = rng.normal(size=n), rng.normal(size=(n, 2)), rng.integers(3, size=n)
    targets = Targets(np.arange(n) // 10, np.arange(n) % 10, truth, truth, place, mark)
    draws = np.random.default_rng([seed, 1])
    samples = Samples(
        draws.normal(size=(n, 20)) + shift,
        draws.normal(size=(n, 20, 2)),
        mark_probability=draws.dirichlet(np.ones(3), n),
        mark_mode=draws.integers(3, size=(n, 20)),
    )
    generator = torch.Generator().manual_seed(0)
    table = score_events(samples, targets, ScoreSettings(), generator, (1.0, 1.0, 1.0))
    return table.assign(group=targets.sequence, repeat=False)


def test_values_are_those_of_the_summary_and_lie_in_their_intervals():
    table = scored()
    figures = summarise(table, LEVELS)
    intervals = figure_intervals(table, LEVELS, Resampling.of(table))
    counts = {"n_events", "n_distinct", "n_samples", "cs_floor", "degenerate_original"}
    assert set(intervals) == set(figures) - counts
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(figures[name]), name
        assert interval.low <= interval.value <= interval.high, name


def test_replicates_are_figures_of_tables_with_groups_drawn():
    table = scored(n_groups=5)
    resampling = Resampling.of(table, replicates=3)
    for weight in resampling.weight[1:]:
        drawn = pd.concat(
            [
                table[table["group"] == g]
                for g, times in enumerate(weight)
                for _ in range(int(times))
            ]
        )
        one = Resampling(weight[None].repeat(2, axis=0), resampling.group)
        intervals = figure_intervals(table, LEVELS, one)
        for name in ("cs_time", "ece", "crps_time", "accuracy"):
            assert intervals[name].value == pytest.approx(summarise(drawn, LEVELS)[name])


def with_losses(table: pd.DataFrame, shift: float, seed: int) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=len(table))
    return table.assign(event_log_loss=noise + shift, unmarked_log_loss=noise + 2 * shift)


def test_information_gain_is_over_what_has_no_memory_and_over_etas():
    table = with_losses(scored(), 0.0, seed=1)
    others = {name: with_losses(scored(), 1.0, seed=1) for name in ("climatology", "etas", "walk")}
    others["poisson"] = with_losses(scored(), 0.5, seed=2)
    compared = compare_tables(table, others, LEVELS)
    gains = compared["information_gain"]
    names = ("climatology", "etas", "poisson")
    whole, unmarked = ("information_gain_", "information_gain_unmarked_")
    assert set(gains) == {what + name for what in (whole, unmarked) for name in names}
    assert gains[whole + "etas"]["value"] == pytest.approx(1.0)
    assert gains[unmarked + "etas"]["value"] == pytest.approx(2.0)
    against = compared["against"]["poisson"]["event_log_loss"]
    found = gains[whole + "poisson"]
    assert found["value"] == pytest.approx(-against["difference"])
    assert found["low"] < 0.5 < found["high"]
    assert compare_tables(scored(), others, LEVELS)["information_gain"] == {}


@pytest.mark.parametrize("n_groups", [8, 40])
@pytest.mark.parametrize("correlated", [False, True])
def test_an_interval_holds_the_true_mean_as_often_as_it_says(correlated, n_groups):
    """Also where events of a group are alike, which an interval of single events would miss."""
    rng = np.random.default_rng(0)
    each, held = 25, []
    for _ in range(400):
        shared = rng.normal(size=(n_groups, 1)) * correlated
        values = (shared + rng.normal(size=(n_groups, each))).ravel()
        group = np.repeat(np.arange(n_groups), each)
        table = pd.DataFrame({"group": group, "error_time": values})
        interval = figure_intervals(table, LEVELS, Resampling.of(table, 400))["mae_time"]
        held.append(interval.low <= 0 <= interval.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_without_a_difference_p_values_are_uniform_and_with_one_small():
    rng = np.random.default_rng(0)
    identity = {"sequence": np.repeat(np.arange(50), 4), "event": np.tile(np.arange(4), 50)}
    found = []
    for _ in range(200):
        own, other = (pd.DataFrame(identity | {"crps_time": rng.normal(size=200)}) for _ in "ab")
        resampling = Resampling.of(own.assign(group=own["sequence"]), 400)
        found.append(differences(own, other, resampling)["crps_time"].p_value)
    assert kstest(found, "uniform").pvalue > 1e-3
    better, worse = scored(), scored(shift=0.7)
    difference = differences(better, worse, Resampling.of(better))["crps_time"]
    assert difference.high < 0
    assert difference.p_value < 0.01


def test_the_whole_is_ready_for_json():
    table, climatology = scored(n_groups=60), scored(shift=0.3, n_groups=60)
    comparison = compare_tables(table, {"climatology": climatology, "same": table}, LEVELS)
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison
    assert comparison["n_groups"] == 60
    assert set(comparison["skill"]) == {"time", "location", "mark"}
    assert comparison["skill"]["time"]["low"] > 0
    same = comparison["against"]["same"]["crps_time"]
    assert same == {"difference": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}


def test_one_group_has_figures_and_no_intervals():
    table = scored(n_groups=1)
    comparison = compare_tables(table, {"climatology": table}, LEVELS)
    figure = comparison["figures"]["crps_time"]
    assert figure["value"] > 0
    assert figure["low"] is figure["high"] is None
    assert comparison["against"]["climatology"]["crps_time"]["p_value"] is None


def test_what_cannot_be_compared_is_refused():
    table = scored()
    with pytest.raises(DataError, match="different events"):
        compare_tables(table, {"climatology": scored(n_groups=39)}, LEVELS)
    with pytest.raises(DataError, match="no column group"):
        Resampling.of(table.drop(columns="group"))


@pytest.mark.filterwarnings("error")
def test_a_figure_may_be_infinite_and_has_then_no_interval():
    table = scored(n_groups=12)
    endless = table.assign(event_log_loss=np.where(table.index == 7, np.inf, 1.0))
    found = compare_tables(endless, {"climatology": table, "same": endless}, LEVELS)
    resampling = Resampling.of(endless)
    intervals = figure_intervals(endless, LEVELS, resampling)
    assert intervals["event_log_loss"].value == np.inf
    assert "event_log_loss" not in found["against"]["same"]
    means = resampling.means(endless["event_log_loss"].to_numpy())
    without = resampling.weight[:, table["group"].iloc[7]] == 0
    assert (means[without] == 1.0).all()
    assert (means[~without] == np.inf).all()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    theirs = table.assign(crps_time=np.where(table.index == 7, np.inf, table["crps_time"]))
    both = compare_tables(theirs, {"climatology": theirs}, LEVELS)
    assert both["skill"]["time"]["value"] is None
