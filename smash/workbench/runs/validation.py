"""A trained model scored on validation data, which a search goes by: test data stay untouched."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from smash.baselines import Climatology
from smash.data.events import spread_subset
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.forecaster import Forecaster
from smash.model.smash import Smash
from smash.scores.evaluation import scales_of, score_forecasts
from smash.workbench.runs.stages import Run

RELATIVE = ("crps_time", "energy_location", "mark_log_loss")
"""The proper scores behind `relative_score`: one of the time, the location and the mark."""
CLIMATOLOGY_SEED = 32_452_843
"""Seeds climatology's samples, so that all models of a data set are held against the same ones."""


def validate(run: Run, model: Smash) -> dict[str, float]:
    """Returns the figures of a model on validation data, after logging them.

    They are `relative_score` and those of a test but for the published estimators.
    `scores.validation_samples` and `scores.validation_sequences` of the spec say how many samples
    and sequences are taken; the samples depend on the spec alone, so that the same model and spec
    give the same bits.
    """
    figures = forecaster_figures(run, ModelForecaster(model, run.spec.sampling), run.generator())
    figures["relative_score"] = relative_score(figures, climatology_figures(run))
    run.tracker.log_metrics({f"validation/{name}": value for name, value in figures.items()})
    return figures


def climatology_figures(run: Run) -> dict[str, float]:
    """Returns climatology's figures on the same validation data."""
    climatology = Climatology.fit(run.data.train, run.dataset.n_marks)
    return forecaster_figures(run, climatology, torch.Generator().manual_seed(CLIMATOLOGY_SEED))


def forecaster_figures(
    run: Run, forecaster: Forecaster, generator: torch.Generator
) -> dict[str, float]:
    """Returns a forecaster's figures on the validation data that the spec's `scores` ask for.

    Without the published estimators: they are for setting beside published figures of a test.
    """
    scores = replace(run.spec.scores, original=False)
    return score_forecasts(
        forecaster,
        spread_subset(run.data.validation, scores.validation_sequences),
        scores.validation_samples,
        scores,
        generator,
        scales_of(run.data.train),
    ).figures


def relative_score(figures: Mapping[str, float], climatology: Mapping[str, float]) -> float:
    """Returns the mean of the proper scores of time, location and mark over climatology's.

    1: no better than ignoring history; lower is better. It is 1 minus the mean skill, and
    without a unit, so that no part outweighs the others. Unmarked data have two parts.
    """
    parts = [figures[name] / climatology[name] for name in RELATIVE if name in figures]
    return float(np.mean(parts))
