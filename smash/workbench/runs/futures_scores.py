"""Futures of a tested forecaster against what happened, where a spec asks for them."""

from dataclasses import replace

import numpy as np

from smash.baselines import Hawkes
from smash.baselines.hawkes_source import HawkesSource
from smash.data.events import spread_subset
from smash.errors import ForecastError
from smash.forecast.event_forecaster import Source
from smash.forecast.model_forecaster import ModelForecaster
from smash.forecast.model_source import ModelSource
from smash.forecast.rolling_futures import score_futures, summarise_futures
from smash.law.forecaster import Forecaster
from smash.simulate.simulator import Oracle
from smash.workbench.runs import console
from smash.workbench.runs.stages import Run


def score_rolled_out(run: Run, forecaster: Forecaster) -> dict[str, float]:
    """Returns the figures of futures over rolling windows of the test data, after logging them.

    Empty where the spec's `scores.futures_horizon` is 0 or the forecaster has no futures. A model
    that explodes is said to; the rest of its test stands.
    """
    scores, source = run.spec.scores, source_of(run, forecaster)
    if not scores.futures_horizon or source is None:
        return {}
    console.say(f"futures of {scores.futures_horizon:g} {run.dataset.time_unit}")
    try:
        table = score_futures(
            source,
            spread_subset(run.data.test, run.spec.sampling.max_sequences),
            scores.futures_horizon,
            run.generator(),
            scores.futures_paths,
        )
    except ForecastError as error:
        console.warn(str(error))
        run.tracker.set_tags({"futures": f"failed: {error}"})
        return {}
    figures = summarise_futures(table, scores.levels)
    run.tracker.log_metrics({f"futures/{name}": value for name, value in figures.items()})
    run.tracker.log_table(table, "futures/windows.parquet")
    return figures


def source_of(run: Run, forecaster: Forecaster) -> Source | None:
    """Returns what draws the forecaster's futures, None where nothing does."""
    location = run.data.train.location
    region = np.stack([location.min(axis=0), location.max(axis=0)])
    if isinstance(forecaster, ModelForecaster):
        return ModelSource(forecaster.model, forecaster.settings)
    if isinstance(forecaster, Hawkes):
        return HawkesSource(forecaster, region)
    if isinstance(forecaster, Oracle):
        return replace(HawkesSource.exact(forecaster.process), region=region)
    return None
