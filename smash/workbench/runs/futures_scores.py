"""Futures of a tested forecaster against what happened, where a spec asks for them."""

import numpy as np

from smash.data.events import spread_subset
from smash.errors import ForecastError
from smash.forecast.horizon_figures import as_happened, horizon_figures, typical
from smash.forecast.rolling_futures import Window, score_futures, summarise_futures
from smash.law.forecaster import Forecaster
from smash.law.paths import Paths
from smash.workbench.runs import console
from smash.workbench.runs.stages import Run


def score_rolled_out(run: Run, forecaster: Forecaster) -> dict[str, float]:
    """Returns the figures of futures over rolling windows of the test data, after logging them.

    Empty where the spec's `scores.futures_horizon` is 0. A forecaster that explodes is said to; the
    rest of its test stands.
    """
    scores, location = run.spec.scores, run.data.train.location
    if not scores.futures_horizon:
        return {}
    console.say(f"futures of {scores.futures_horizon:g} {run.dataset.time_unit}")
    pairs = []
    n_marks = run.dataset.n_marks

    def keep(window: Window, paths: Paths) -> None:
        pairs.append((typical(paths, n_marks), as_happened(window.happened)))

    try:
        table = score_futures(
            forecaster,
            np.stack([location.min(axis=0), location.max(axis=0)]),
            spread_subset(run.data.test, run.spec.sampling.max_sequences),
            scores.futures_horizon,
            run.generator(),
            scores.futures_paths,
            on_window=keep,
        )
    except ForecastError as error:
        console.warn(str(error))
        run.tracker.set_tags({"futures": f"failed: {error}"})
        return {}
    figures = summarise_futures(table, scores.levels)
    figures |= horizon_figures(pairs, scores.futures_horizon, n_marks)
    run.tracker.log_metrics({f"futures/{name}": value for name, value in figures.items()})
    run.tracker.log_table(table, "futures/windows.parquet")
    return figures
