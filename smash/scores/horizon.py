r"""Scores of forecast sequences over a horizon: the next K events, and how well events are matched.

Definitions are those of HoTPP (I. Karpukhin, F. Shipilov, A. Savchenko, "HoTPP Benchmark: Are We
Good at the Long Horizon Events Forecasting?", arXiv 2406.14341), as its version 0.7 computes them.
Times are raw; a `Sequence` is what is forecast, or what happened, after one moment.
"""

from collections.abc import Sequence as Listed
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sequence:
    """L events after a moment: `time` (L,) since it, rising; `mark` (L,) from 0; `location` (L, D).

    Of a forecast, `score` (L, K) says how much each mark is expected of each event.
    """

    time: Floats
    mark: NDArray[np.int64]
    location: Floats
    score: Floats | None = None

    def __len__(self) -> int:
        return len(self.time)

    def until(self, horizon: float) -> "Sequence":
        """Returns the events before the horizon."""
        return self.first(int((self.time < horizon).sum()))

    def first(self, n_events: int) -> "Sequence":
        """Returns the first events."""
        score = None if self.score is None else self.score[:n_events]
        return Sequence(self.time[:n_events], self.mark[:n_events], self.location[:n_events], score)


@dataclass(frozen=True)
class Step:
    """Mean errors of the event number `step`, from 1, over the `n` windows that have it."""

    step: int
    n: int
    time: float
    location: float
    mark: float


def step_errors(forecast: Listed[Sequence], happened: Listed[Sequence], steps: int) -> list[Step]:
    """Returns absolute error of time, distance and error rate of the mark, for each next event.

    Windows in which forecast or truth has fewer events do not count for the later ones.
    """
    found = []
    for k in range(steps):
        pairs = [(f, h) for f, h in zip(forecast, happened, strict=True) if min(len(f), len(h)) > k]
        if not pairs:
            break
        time = np.mean([abs(f.time[k] - h.time[k]) for f, h in pairs])
        away = np.mean([np.linalg.norm(f.location[k] - h.location[k]) for f, h in pairs])
        wrong = np.mean([f.mark[k] != h.mark[k] for f, h in pairs])
        found.append(Step(k + 1, len(pairs), float(time), float(away), float(wrong)))
    return found


def transport_distance(
    forecast: Sequence, happened: Sequence, insert_cost: float, delete_cost: float
) -> float:
    r"""Returns the optimal transport distance between two sequences, in the unit of time.

    Σ |t_i − t_j| over matched events of one mark, `insert_cost` for each that the forecast lacks
    and `delete_cost` for each that it has beyond: the cheapest such matching (H. Mei, G. Qin,
    J. Eisner, ICML 2019). HoTPP compares the first K events of each.
    """
    n, m = len(forecast), len(happened)
    both = insert_cost + delete_cost
    cost = np.minimum(np.abs(forecast.time[:, None] - happened.time), both)
    cost[forecast.mark[:, None] != happened.mark] = both
    rows, columns = linear_sum_assignment(cost)
    matched = float(cost[rows, columns].sum())
    return matched + insert_cost * (m - len(rows)) + delete_cost * (n - len(rows))


def mark_count_error(forecast: Sequence, happened: Sequence) -> float:
    """Returns Σ |forecast − true number of events| over marks."""
    n_marks = max(forecast.mark.max(initial=-1), happened.mark.max(initial=-1)) + 1
    counts = [np.bincount(each.mark, minlength=n_marks) for each in (forecast, happened)]
    return float(np.abs(counts[0] - counts[1]).sum())


def temporal_map(
    forecast: Listed[Sequence],
    happened: Listed[Sequence],
    horizon: float,
    thresholds: Listed[float],
    n_marks: int,
) -> float:
    """Returns T-mAP: mean average precision over marks and time thresholds; the higher the better.

    Forecasts have `score`. For each mark, its true events before the horizon are matched to
    forecast ones no further than the threshold away, by the greatest scores in sum. Average
    precision is that of the scores as a classifier of "is matched", times the share of true events
    that are matched. A mark all or none of whose forecasts are matched has 0.
    """
    forecast = [each.until(horizon) for each in forecast]
    happened = [each.until(horizon) for each in happened]
    scores = np.concatenate([_scores(each) for each in forecast]).reshape(-1, n_marks)
    total = np.bincount(np.concatenate([each.mark for each in happened]), minlength=n_marks)
    invalid = _invalid(forecast, happened)
    found = []
    for threshold in thresholds:
        for mark in range(n_marks):
            matched = np.concatenate(
                [
                    _matched(f, h, mark, threshold, invalid)
                    for f, h in zip(forecast, happened, strict=True)
                ]
            )
            recall = matched.sum() / max(total[mark], 1)
            found.append(recall * _average_precision(matched, scores[:, mark]))
    return float(np.mean(found))


def _scores(forecast: Sequence) -> Floats:
    if forecast.score is None:
        raise ValueError("a forecast without scores of marks; give `score` (L, K)")
    return forecast.score


def _invalid(forecast: Listed[Sequence], happened: Listed[Sequence]) -> float:
    """Returns a cost beyond all others by 2, so that matches are not given up for better ones."""
    costs = [
        float(-_scores(f)[:, h.mark].min())
        for f, h in zip(forecast, happened, strict=True)
        if len(f) and len(h)
    ]
    return max(costs, default=0.0) + 2


def _matched(
    forecast: Sequence, happened: Sequence, mark: int, threshold: float, invalid: float
) -> NDArray[np.bool_]:
    """Returns (L,) which forecast events are matched to true ones of the mark."""
    matched = np.zeros(len(forecast), dtype=bool)
    time = happened.time[happened.mark == mark]
    cost = np.repeat(-_scores(forecast)[:, mark, None], len(time), axis=1)
    cost[np.abs(forecast.time[:, None] - time) > threshold] = invalid
    rows, columns = linear_sum_assignment(cost)
    matched[rows] = cost[rows, columns] < invalid - 1
    return matched


def _average_precision(matched: NDArray[np.bool_], score: Floats) -> float:
    """Returns Σ (R_n − R_n−1) P_n over forecasts by falling score; 0 where all or none match."""
    if not matched.any() or matched.all():
        return 0.0
    hits = matched[np.argsort(-score, kind="stable")]
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())
