"""Recalibrated figures stand beside the raw ones, and the model keeps what they were made with."""

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

import smash
from smash.errors import ForecastError
from smash.scores.recalibration import Recalibration


def recalibrated(outcome):
    prefix = "test_recalibrated/"
    return {k.removeprefix(prefix): v for k, v in outcome.metrics.items() if k.startswith(prefix)}


def test_recalibrated_figures_are_beside_the_raw_ones_never_instead(finished):
    beside = recalibrated(finished)
    assert {"cs_time", "cs_location", "crps_time", "mark_log_loss", "ece"} <= set(beside)
    assert {name.removesuffix("_conformal") for name in beside} <= set(finished.figures)
    assert 0 <= beside["coverage_time_90_conformal"] <= 1
    assert beside["n_events"] == finished.figures["n_events"]
    assert beside["accuracy"] == finished.figures["accuracy"]
    assert beside["cs_time"] != finished.figures["cs_time"]


@pytest.mark.parametrize(
    "place",
    [
        lambda workshop, run_id: workshop.artifact(run_id, "."),
        lambda workshop, run_id: workshop.artifact(run_id, "checkpoints/best"),
        lambda workshop, run_id: workshop.model(run_id) / "artifacts" / "best",
    ],
    ids=["run", "checkpoint", "model"],
)
def test_it_is_kept_with_the_run_and_both_copies_of_the_model(workshop, finished, place):
    kept = Recalibration.load(place(workshop, finished.run_id))
    assert kept is not None
    events = pd.read_parquet(workshop.artifact(finished.run_id, "recalibration/events.parquet"))
    assert kept.n_events == len(events)
    assert np.isfinite(kept.temperature)
    assert kept == Recalibration.load(
        workshop.folder / "runs" / finished.run_id / "checkpoints/best"
    )


def test_it_can_be_left_out(workshop):
    run = workshop.run("tiny.yaml", "--set", "scores.recalibration_samples=0")
    assert not recalibrated(run)


def test_forecasts_use_it_when_asked_if_they_are_drawn_as_it_was_fitted(workshop, finished):
    history = pd.DataFrame({"time": [0.4, 1.1], "x": [0.1, 0.3], "y": [0.0, 0.2], "mark": [0, 2]})
    otherwise = smash.load(workshop.folder / "runs" / finished.run_id / "checkpoints/best")
    with pytest.raises(ForecastError, match="drawn otherwise"):
        otherwise.next(history, recalibrated=True)
    alike = ("--set", "sampler=inverse_cdf", "--set", "denoise=posterior")
    run = workshop.run("tiny.yaml", *alike)
    forecaster = smash.load(workshop.folder / "runs" / run.run_id / "checkpoints/best")
    raw, corrected = (forecaster.next(history, recalibrated=r, seed=0) for r in (False, True))
    assert corrected.recalibrated
    assert corrected.mark_probability != raw.mark_probability
    assert corrected.intervals != raw.intervals

    served = mlflow.pyfunc.load_model(str(workshop.model(run.run_id)))
    rows = [
        served.predict(history.assign(sequence=0), params={"recalibrated": r}).iloc[0]
        for r in (0, 1)
    ]
    assert rows[0]["gap_median"] != rows[1]["gap_median"]
    assert rows[0]["x_mean"] == rows[1]["x_mean"]
    assert rows[1][["mark_0", "mark_1", "mark_2"]].sum() == pytest.approx(1)
