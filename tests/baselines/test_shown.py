"""Whom the table of a comparison shows as what they are, on data whose law is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smash.baselines import Climatology, Markov, Walk, fit_hawkes
from smash.law.draws_only import DrawsOnly
from smash.law.log_density import LogDensity
from smash.scores import summarise
from smash.scores.bootstrap import Resampling, differences
from smash.scores.evaluation import scales_of, score_forecasts
from smash.settings import ScoreSettings, SimulatorSettings
from smash.simulate.process import HawkesProcess
from smash.simulate.simulator import Oracle

SCORES = ScoreSettings(original=False)
PROCESS = HawkesProcess.from_settings(SimulatorSettings())


class Stretched(DrawsOnly):
    """The oracle with its draws moved away from or towards their medians."""

    n_marks = 3

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forecast(self, sequences, n_samples, generator):
        for forecast in Oracle(PROCESS).forecast(sequences, n_samples, generator):
            gap, place = forecast.samples.gap, forecast.samples.location
            middle = np.median(gap, axis=1, keepdims=True)
            centre = np.median(place, axis=1, keepdims=True)
            samples = replace(
                forecast.samples,
                gap=np.maximum(middle * (gap / middle) ** self.factor, 0),
                location=centre + self.factor * (place - centre),
            )
            yield replace(forecast, samples=samples)

    def log_densities(self, sequences):
        return LogDensity(lacking="only its draws are stretched")


@pytest.fixture(scope="module")
def tables(simulated):
    train, n_marks = simulated.train, simulated.n_marks
    forecasters = {
        "oracle": Oracle(PROCESS),
        "climatology": Climatology.fit(train, n_marks),
        "markov": Markov.fit(train, n_marks),
        "walk": Walk.fit(train, n_marks),
        "hawkes": fit_hawkes(train, n_marks),
        "too wide": Stretched(1.6),
        "too narrow": Stretched(0.6),
    }
    return {
        name: score_forecasts(
            forecaster,
            simulated.test,
            100,
            SCORES,
            torch.Generator().manual_seed(0),
            scales_of(train),
        ).table
        for name, forecaster in forecasters.items()
    }


@pytest.fixture(scope="module")
def figures(tables):
    return {name: summarise(table, SCORES.levels) for name, table in tables.items()}


@pytest.mark.parametrize("what", ["cs_time", "cs_location"])
def test_the_oracle_is_at_the_floor(figures, what):
    assert figures["oracle"][what] < 2 * figures["oracle"]["cs_floor"]


@pytest.mark.parametrize("score", ["crps_time", "energy_joint", "mark_log_loss"])
def test_the_oracle_has_the_best_score_of_its_table(tables, figures, score):
    """But for the process fitted in its own family, which only chance may put before it."""
    stretched = ("too wide", "too narrow") if score != "mark_log_loss" else ()
    for name in ("climatology", "markov", "walk", *stretched):
        assert figures["oracle"][score] < figures[name][score], name
    found = differences(tables["oracle"], tables["hawkes"], Resampling.of(tables["oracle"]))
    assert found[score].difference < 0 or found[score].p_value > 0.05


@pytest.mark.parametrize("name", ["climatology", "markov", "too wide", "too narrow"])
def test_no_forecast_beats_it_by_more_than_chance_and_worse_ones_are_told_apart(tables, name):
    found = differences(tables["oracle"], tables[name], Resampling.of(tables["oracle"]))
    assert all(difference.low < 1e-9 for difference in found.values())
    assert found["crps_time"].p_value < 0.01


@pytest.mark.parametrize(
    ("name", "sign"), [("too wide", 1), ("too narrow", -1)], ids=["over", "under"]
)
def test_wrong_dispersion_is_caught_by_cs_and_by_the_shape_of_the_pit(tables, figures, name, sign):
    for what, column in (("time", "pit_time"), ("location", "region_level")):
        assert figures[name][f"cs_{what}"] > 3 * figures[name]["cs_floor"]
        ranks = tables[name][column].to_numpy()
        if what == "time":  # too wide: a hump in the middle; too narrow: full tails
            middle = np.mean((ranks > 0.25) & (ranks < 0.75)) - 0.5
        else:  # of a region the middle is its centre
            middle = 0.5 - ranks.mean()
        assert sign * middle > 0.03, what


LOSSES = ("time_log_loss", "time_mark_log_loss", "event_log_loss", "unmarked_log_loss")


def test_densities_are_scored_where_there_are_any(tables, figures):
    assert not set(LOSSES) & set(figures["too wide"])
    for name in ("climatology", "markov", "walk", "hawkes"):
        for column in (*LOSSES, "place_log_loss"):
            assert np.isfinite(tables[name][column]).all()
        for column in LOSSES:
            assert figures["oracle"][column] < figures[name][column] + 0.01, (name, column)
    # With the mark unknown less is said of the event, and less is lost.
    oracle = tables["oracle"]
    assert (oracle["unmarked_log_loss"] < oracle["event_log_loss"]).all()
    assert (oracle["time_log_loss"] < oracle["time_mark_log_loss"]).all()
