"""Forecasters in a line of Python: the same figures as a run's, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from synthetic import random_sequences

import smash
from smash.baselines import Climatology, Markov
from smash.errors import DataError, ForecastError
from smash.scores.bootstrap import compare_tables
from smash.scores.evaluation import LEVELS, score_forecasts
from smash.settings import ScoreSettings

N_MARKS = 3


@pytest.fixture(scope="module")
def forecasters(small_dataset):
    kinds = {"climatology": Climatology, "markov": Markov}
    return {name: kind.fit(small_dataset.train, N_MARKS) for name, kind in kinds.items()}


def test_an_evaluation_is_that_of_a_run_with_the_same_seed(forecasters, small_dataset):
    found = smash.evaluate(forecasters["markov"], small_dataset.test, n_samples=20, seed=3)
    generator = torch.Generator().manual_seed(3)
    settings = ScoreSettings(original=False)
    same = score_forecasts(
        forecasters["markov"], small_dataset.test, 20, settings, generator, law_times=True
    )
    pd.testing.assert_frame_equal(found.table, same.table)
    assert found.figures == same.figures
    again = smash.evaluate(forecasters["markov"], small_dataset.test, n_samples=20, seed=4)
    assert not found.table.equals(again.table)


def test_a_comparison_says_what_a_run_logs(forecasters, small_dataset):
    table = smash.compare(forecasters, small_dataset.test, n_samples=20)
    evaluations = {
        name: smash.evaluate(forecaster, small_dataset.test, n_samples=20)
        for name, forecaster in forecasters.items()
    }
    logged = compare_tables(
        evaluations["markov"].table, {"climatology": evaluations["climatology"].table}, LEVELS
    )
    for figure, interval in logged["figures"].items():
        row = table.loc[("markov", figure)]
        ends = {name: interval[name] for name in ("value", "low", "high")}
        assert row[list(ends)].to_dict() == pytest.approx(ends)
    for score, held in logged["against"]["climatology"].items():
        row = table.loc[("markov", score)]
        names = ("difference", "difference_low", "difference_high", "p_value")
        assert list(row[list(names)]) == pytest.approx(list(held.values()))
    assert table.loc["climatology", "difference"].isna().all()
    without = set(logged["figures"]) - set(logged["against"]["climatology"])
    assert table.loc["markov", "difference"][list(without)].isna().all()


def test_a_forecaster_against_itself_differs_by_nothing(forecasters, small_dataset):
    same = {"one": forecasters["markov"], "other": forecasters["markov"]}
    table = smash.compare(same, small_dataset.test, n_samples=20)
    held = table.loc["other", "difference"].dropna()
    assert len(held) >= 4
    assert (held == 0).all()
    np.testing.assert_array_equal(table.loc["one", "value"], table.loc["other", "value"])


def test_levels_are_those_asked_for(forecasters, small_dataset):
    table = smash.compare(forecasters, small_dataset.test, n_samples=20, levels=(0.25, 0.5))
    shares = {name for _, name in table.index if name.startswith("coverage_time")}
    drawn = {"coverage_time_25", "coverage_time_50"}
    assert shares == drawn | {f"{name}_law" for name in drawn}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_samples": 1}, "n_samples: 1"),
        ({"n_samples": 2.5}, "n_samples: 2.5"),
        ({"seed": -1}, "seed: -1"),
        ({"levels": (0.5, 1.0)}, "levels: 1.0"),
        ({"levels": ()}, "growing"),
        ({"levels": (0.9, 0.5)}, "growing"),
    ],
)
def test_impossible_requests_are_refused(forecasters, small_dataset, options, said):
    with pytest.raises(ForecastError, match=said):
        smash.evaluate(forecasters["markov"], small_dataset.test, **options)


def test_what_is_no_sequences_or_forecasters_is_refused(forecasters, small_dataset):
    with pytest.raises(DataError, match="given Dataset; give one split"):
        smash.evaluate(forecasters["markov"], small_dataset)
    with pytest.raises(DataError, match="no event to be forecast"):
        smash.evaluate(forecasters["markov"], small_dataset.test.select([]))
    for none in ({}, [forecasters["markov"]]):
        with pytest.raises(ForecastError, match="by name"):
            smash.compare(none, small_dataset.test)


def test_a_saved_model_is_evaluated_in_a_line(small_model, small_dataset, tmp_path):
    small_model.save(tmp_path / "model")
    loaded = smash.load(tmp_path / "model")
    found = smash.evaluate(loaded, small_dataset.test, n_samples=10)
    assert len(found.table) == small_dataset.test.is_target.sum()
    assert ("mark_log_loss" in found.figures) == (small_model.n_marks > 1)
    if small_model.n_marks > 1:
        with pytest.raises(DataError, match="no marks, and the forecaster was trained on 3"):
            smash.evaluate(loaded, small_dataset.test.without_marks())
        with pytest.raises(DataError, match="mark 4, and the forecaster was trained on 3"):
            smash.evaluate(loaded, random_sequences([40, 30], n_marks=5, seed=1))
