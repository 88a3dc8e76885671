"""The table of scored events: one row an event, documented columns, stable figures."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.data.events import Targets
from smash.errors import DataError
from smash.law.log_density import LogDensity
from smash.law.next_event_law import NextEventLaw
from smash.law.samples import Samples
from smash.scores import COLUMNS, score_events, summarise, with_densities, with_law_times
from smash.scores.summary import quality_of
from smash.settings import ScoreSettings
from smash.simulate.self_exciting_law import SelfExcitingTimes

SETTINGS = ScoreSettings()
EXPONENTIAL = NextEventLaw(SelfExcitingTimes(np.ones(1), np.zeros((12, 1)), 1.0), None)
"""The law of gaps with rate 1 of twelve events."""
RANDOMISED = ["pit_time", "region_level"]
HEADLINES = {
    "n_events", "n_distinct", "n_samples", "cs_floor", "cs_time", "cs_location",
    "coverage_time_50", "coverage_time_90", "coverage_location_50", "coverage_location_90",
    "mae_time", "mae_time_median", "mae_location", "mae_location_median", "crps_time",
    "energy_location",
}  # fmt: skip
ORIGINAL = {
    "cs_time_original", "cs_location_original", "coverage_time_50_original",
    "coverage_location_90_original", "degenerate_original",
}  # fmt: skip
MARKS = {"accuracy", "accuracy_original", "ece", "mark_log_loss", "mark_brier"}


def forecast(n, s, marked=True, seed=0, lattice=False) -> tuple[Samples, Targets]:
    rng = np.random.default_rng(seed)
    gap, location = rng.exponential(size=(n, s + 1)), rng.normal(size=(n, s + 1, 2))
    if lattice:
        gap, location = np.floor(gap), np.round(location)
    mark = rng.integers(0, 3, (n, s + 1))
    samples = Samples(gap[:, 1:], location[:, 1:])
    if marked:
        probability = rng.dirichlet(np.ones(3), n)
        samples = replace(
            samples, mark=mark[:, 1:], mark_mode=mark[:, 1:], mark_probability=probability
        )
    true_mark = mark[:, 0] if marked else None
    order = np.arange(n)
    return samples, Targets(
        order // 5, order % 5, order * 1.0, gap[:, 0], location[:, 0], true_mark
    )


def take(samples: Samples, rows: slice) -> Samples:
    return Samples(**{k: None if v is None else v[rows] for k, v in vars(samples).items()})


def scored(n, s, scales=None, original=True, **how) -> pd.DataFrame:
    generator = torch.Generator().manual_seed(0)
    return score_events(*forecast(n, s, **how), ScoreSettings(original=original), generator, scales)


def test_every_column_is_documented_in_the_tables_order():
    table = scored(12, 8, scales=(1.0, 1.0, 1.0))
    losses = ["time_log_loss", "place_log_loss", "time_mark_log_loss", "event_log_loss"]
    losses += ["mark_given_time_log_loss", "unmarked_log_loss"]
    added = ["group", "repeat", "pit_time_law", "crps_time_law", *losses]
    assert list(table.columns) == [name for name in COLUMNS if name not in added]
    zeros, ones = np.zeros(12), np.ones(12)
    found = LogDensity(zeros, zeros, ones, ones)
    table = with_densities(table.assign(group=0, repeat=False), found)
    table = with_law_times(table, [(forecast(12, 8)[1], EXPONENTIAL)], torch.Generator())
    assert list(table.columns) == list(COLUMNS)
    assert table["event_log_loss"].tolist() == [-1.0] * 12
    assert all(column.meaning and column.unit for column in COLUMNS.values())


def test_figures_have_stable_names():
    figures = summarise(scored(30, 8), SETTINGS.levels)
    assert figures.keys() >= HEADLINES | ORIGINAL | MARKS
    assert all(type(value) is float for value in figures.values())
    assert "coverage_time_97.5" in summarise(scored(5, 8), [0.975])


def test_what_is_known_from_the_law_adds_to_the_drawn_figures_and_changes_none():
    drawn = scored(12, 8)
    laws = [(forecast(12, 8)[1], EXPONENTIAL)]
    table = with_law_times(drawn, laws, torch.Generator().manual_seed(1))
    pd.testing.assert_frame_equal(table[list(drawn)], drawn)
    before, after = (summarise(one, SETTINGS.levels) for one in (drawn, table))
    assert {name: after[name] for name in before} == before
    levels = {f"coverage_time_{level:.0%}_law".replace("%", "") for level in SETTINGS.levels}
    assert after.keys() - before.keys() == {"crps_time_law", "cs_time_law", *levels}


def test_the_root_mean_square_is_of_the_mean_forecasts_errors():
    samples, targets = forecast(12, 8)
    error = samples.gap.mean(axis=1) - targets.gap
    rmse = summarise(scored(12, 8), SETTINGS.levels)["rmse_time"]
    assert rmse == pytest.approx(np.sqrt(np.mean(error**2)))


@pytest.mark.parametrize(
    ("quality", "figures"),
    [
        ("exact", "n_events event_log_loss mark_given_time_log_loss cs_time_law"),
        ("exact", "coverage_time_97.5_law information_gain_climatology"),
        ("quadrature", "crps_time_law"),
        ("estimate", "crps_time cs_time mark_log_loss rmse_time coverage_time_50 energy_joint"),
    ],
)
def test_each_figure_says_how_it_is_known(quality, figures):
    assert {quality_of(figure) for figure in figures.split()} == {quality}


def test_unmarked_forecasts_have_no_mark_figures_and_the_original_can_be_left_out():
    figures = summarise(scored(30, 8, marked=False, original=False), SETTINGS.levels)
    assert figures.keys() >= HEADLINES
    assert not figures.keys() & (ORIGINAL | MARKS)


def test_batches_make_the_same_rows_as_the_whole():
    samples, targets = forecast(23, 10)
    generator = torch.Generator().manual_seed(0)
    whole = score_events(samples, targets, SETTINGS, generator)
    batches = [slice(0, 9), slice(9, 10), slice(10, 23)]
    parts = [score_events(take(samples, b), targets[b], SETTINGS, generator) for b in batches]
    together = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(
        whole.drop(columns=RANDOMISED), together.drop(columns=RANDOMISED), rtol=1e-9
    )


def test_the_table_survives_parquet():
    table = scored(7, 6, scales=(1.0, 2.0, 3.0))
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    pd.testing.assert_frame_equal(pd.read_parquet(buffer), table)


@given(
    n=st.integers(1, 4), s=st.integers(2, 6), seed=st.integers(0, 99), lattice=st.booleans(),
    marked=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_scores_are_numbers_whatever_the_shape_and_ties(n, s, seed, lattice, marked):
    table = scored(n, s, seed=seed, lattice=lattice, marked=marked)
    assert not table.isna().any(axis=None)
    assert table[RANDOMISED].ge(0).all(axis=None)
    assert table[RANDOMISED].le(1).all(axis=None)
    assert np.isfinite(list(summarise(table, SETTINGS.levels).values())).all()


def test_one_sample_is_scored_where_it_can_be():
    table = scored(6, 1)
    assert table[["crps_time", "energy_location"]].isna().all(axis=None)
    assert table["degenerate_original"].all()
    assert not table.drop(columns=["crps_time", "energy_location"]).isna().any(axis=None)


def test_no_events_make_an_empty_table_and_no_figures():
    table = scored(0, 5)
    assert len(table) == 0
    with pytest.raises(DataError, match="no event was scored"):
        summarise(table, SETTINGS.levels)


def test_events_seen_through_two_windows_count_once():
    table = scored(20, 8)
    twice = [table.assign(repeat=False), table.assign(repeat=True)]
    figures = summarise(pd.concat(twice), SETTINGS.levels)
    assert (figures["n_events"], figures["n_distinct"]) == (40, 20)
    assert figures["cs_floor"] == summarise(table, SETTINGS.levels)["cs_floor"]


def test_the_joint_score_does_not_depend_on_units():
    samples, targets = forecast(5, 9)
    generator = torch.Generator().manual_seed(0)
    metres = replace(samples, location=1000 * samples.location)
    there = replace(targets, location=1000 * targets.location)
    kilometres = score_events(samples, targets, SETTINGS, generator, (2.0, 1.0, 3.0))
    other = score_events(metres, there, SETTINGS, generator, (2.0, 1000.0, 3000.0))
    np.testing.assert_allclose(kilometres["energy_joint"], other["energy_joint"], rtol=1e-6)


def broken_sample(samples, targets):
    location = samples.location.copy()
    location[6, 1, 0] = np.nan
    return replace(samples, location=location), targets


def unknown_mark(samples, targets):
    mark = targets.mark.copy()
    mark[6] = 3
    return samples, replace(targets, mark=mark)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken_sample, "sequence 1, event 1: a sample is not a finite number"),
        (unknown_mark, "sequence 1, event 1: mark 3 is beyond the forecast's 3 marks"),
        (lambda s, t: (s, t[:4]), "8 forecasts for 4 targets"),
        (lambda s, t: (replace(s, location=s.location[:, :2]), t), "shape"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_its_place(spoil, message):
    with pytest.raises(DataError, match=message):
        score_events(*spoil(*forecast(8, 5)), SETTINGS, torch.Generator())
