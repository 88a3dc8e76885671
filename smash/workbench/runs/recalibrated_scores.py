"""A forecaster recalibrated on the validation data that did not choose it, as a run logs it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smash.data.events import spread_subset
from smash.law.forecaster import Forecaster
from smash.law.samples import Forecast
from smash.scores.evaluation import score_forecasts
from smash.scores.recalibration import Recalibration
from smash.workbench.runs import console
from smash.workbench.runs.stages import Run

RECALIBRATION_SEED = 49_979_687
"""Added to a run's seed for these samples, so that they and the test's draw apart."""


def recalibrate(run: Run, forecaster: Forecaster) -> Recalibration | None:
    """Returns the recalibration of a forecaster as it is sampled, after logging it.

    None where the data or the spec (`scores.recalibration_samples`) leave nothing to fit it on.
    """
    scores, sampling = replace(run.spec.scores, original=False), run.spec.sampling
    if run.data.recalibration is None or not scores.recalibration_samples:
        return None
    sequences = spread_subset(run.data.recalibration, sampling.max_sequences)
    console.say(f"recalibration: {int(sequences.is_target.sum())} events of validation data")
    probability: list[NDArray[np.float64]] = []

    def keep(forecast: Forecast) -> None:
        if forecast.samples.mark_probability is not None:
            probability.append(forecast.samples.mark_probability)

    table = score_forecasts(
        forecaster,
        sequences,
        min(scores.recalibration_samples, sampling.total_samples),
        scores,
        torch.Generator(run.device).manual_seed(run.spec.seed + RECALIBRATION_SEED),
        keep=keep,
    ).table
    marks = np.concatenate(probability) if probability else None
    fitted = Recalibration.fit(table, marks, forecaster.drawn_by)
    _log(run, fitted, table)
    return fitted


def _log(run: Run, fitted: Recalibration, table: pd.DataFrame) -> None:
    """Logs it by itself and, where the run trained a model, beside both copies of that."""
    run.folder.mkdir(parents=True, exist_ok=True)
    path = fitted.save(run.folder)
    run.tracker.log_artifact(path)
    run.tracker.log_table(table, "recalibration/events.parquet")
    best = run.folder / "checkpoints" / "best"
    if best.is_dir():
        fitted.save(best)
        run.tracker.log_artifact(path, "checkpoints/best")
        run.tracker.log_model_file(path, "artifacts/best")
    path.unlink()
