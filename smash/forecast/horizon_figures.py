"""Horizon scores of rolled-out futures: many paths made one forecast sequence, and its figures."""

from collections.abc import Sequence as Listed

import numpy as np

from smash.law.paths import Paths
from smash.scores.horizon import (
    Sequence,
    mark_count_error,
    step_errors,
    temporal_map,
    transport_distance,
)

STEPS = 5
"""Next events whose errors are said one by one, and that are matched to those that came."""
COST = 0.1
"""Of an event too few or too many in the transport distance, in horizons."""
THRESHOLDS = (0.01, 0.03, 0.1, 0.3)
"""How far from an event a forecast may be to be matched to it, in horizons."""


def typical(paths: Paths, n_marks: int) -> Sequence:
    """Returns the sequence that many futures stand for.

    Its k-th event comes at the median time of the paths' k-th events, where half of the paths have
    one within the horizon; its place is their mean, the scores of its mark are their shares.
    """
    counts = paths.counts
    start = np.cumsum(counts) - counts
    time, place, score = [], [], []
    for k in range(int(counts.max(initial=0))):
        rows = (start + k)[counts > k]
        if 2 * len(rows) <= paths.n_paths:
            break
        every = np.full(paths.n_paths, np.inf)
        every[: len(rows)] = paths.time[rows] - paths.now
        time.append(float(np.quantile(every, 0.5, method="lower")))
        place.append(paths.location[rows].mean(axis=0))
        marks = np.zeros(len(rows), np.int64) if paths.mark is None else paths.mark[rows]
        score.append(np.bincount(marks, minlength=n_marks) / len(rows))
    scores = np.array(score).reshape(-1, n_marks)
    places = np.array(place).reshape(len(place), paths.location.shape[1])
    return Sequence(np.array(time), scores.argmax(axis=1), places, scores)


def as_happened(paths: Paths) -> Sequence:
    """Returns what came, the one path of `paths`."""
    mark = np.zeros(len(paths), np.int64) if paths.mark is None else paths.mark
    return Sequence(paths.time - paths.now, mark, paths.location)


def horizon_figures(
    pairs: Listed[tuple[Sequence, Sequence]], horizon: float, n_marks: int
) -> dict[str, float]:
    """Returns figures of forecast and true sequences of many windows; times in the data's unit.

    `time_error_k` and, where there are places and marks, `location_error_k` and `mark_error_k` of
    the k-th next event;
    `transport_distance` of the next `STEPS` events; `mark_count_error` within the horizon; `tmap`,
    the temporal mean average precision.
    """
    forecast, happened = ([pair[side] for pair in pairs] for side in (0, 1))
    figures: dict[str, float] = {}
    for step in step_errors(forecast, happened, STEPS):
        figures[f"time_error_{step.step}"] = step.time
        if any(each.location.shape[1] for each in happened):
            figures[f"location_error_{step.step}"] = step.location
        if n_marks > 1:
            figures[f"mark_error_{step.step}"] = step.mark
    cost = COST * horizon
    distances = [transport_distance(f.first(STEPS), h.first(STEPS), cost, cost) for f, h in pairs]
    figures["transport_distance"] = float(np.mean(distances))
    figures["mark_count_error"] = float(np.mean([mark_count_error(f, h) for f, h in pairs]))
    thresholds = [share * horizon for share in THRESHOLDS]
    figures["tmap"] = temporal_map(forecast, happened, horizon, thresholds, n_marks)
    return figures
