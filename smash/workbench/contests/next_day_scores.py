"""What next-day forecasts were worth: CSEP's tests in sum, numbers of events, their figure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from smash.scores.csep import Consistency, calibration

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class DayScores:
    """What a day's forecast was worth: `observed` events, `forecast` ones in the mean, the tests.

    `start` is when the day begins; 95 % of the catalogues have `low` to `high` events. `crps`: the
    fair CRPS of the number of events, a proper score.
    """

    start: float
    observed: int
    forecast: float
    low: float
    high: float
    crps: float
    tests: Consistency


def _quantiles(days: Sequence[Consistency]) -> dict[str, list[float | None]]:
    """Returns the quantiles of what happened by test, a day each."""
    return {
        "N": [day.number[1] for day in days],
        "S": [day.space for day in days],
        "M": [day.magnitude for day in days],
        "PL": [day.pseudo_likelihood for day in days],
    }


def summary(days: Sequence[Consistency]) -> pd.DataFrame:
    """Returns a row a test: days it says something of, share passed, p-value of even quantiles."""
    rows = {}
    for name, values in _quantiles(days).items():
        passed = [day.passed()[name] for day in days]
        known = [p for p in passed if p is not None]
        share = float(np.mean(known)) if known else float("nan")
        rows[name] = {"days": len(known), "passed": share, "even": calibration(values)}
    return pd.DataFrame.from_dict(rows, orient="index")


def numbers(days: Sequence[DayScores]) -> dict[str, float]:
    """Returns the mean number of events a day, `observed` and `forecast`, and its mean `crps`."""
    return {
        name: float(np.mean([getattr(day, name) for day in days]))
        for name in ("observed", "forecast", "crps")
    }


def next_day_figure_of(days: Sequence[DayScores]) -> "Figure":
    """Returns numbers of events day by day in their bands, and the quantiles of the tests."""
    from smash.plots.next_day_figure import next_day_figure

    observed, low, high = (
        np.array([getattr(day, name) for day in days], dtype=np.float64)
        for name in ("observed", "low", "high")
    )
    return next_day_figure(observed, low, high, _quantiles([day.tests for day in days]))


def unseen_note(days: Sequence[DayScores]) -> str | None:
    """Returns what to say of events in cells where no catalogue has one; None without any."""
    unseen, observed = (
        sum(n) for n in zip(*((d.tests.unseen, d.observed) for d in days), strict=True)
    )
    if not unseen:
        return None
    return (
        f"{unseen} of {observed} events lie in cells where no catalogue of their day has one, and "
        "S and PL leave them out; wider cells (--cell) or more catalogues (--paths) count them"
    )


def record(
    catalog: str, n_paths: int, seed: int, found: Mapping[str, Sequence[DayScores]]
) -> dict[str, Any]:
    """Returns forecasters' summaries and days, ready for JSON."""
    return {
        "catalog": catalog,
        "paths": n_paths,
        "seed": seed,
        "forecasters": {
            name: {
                "tests": summary([day.tests for day in days]).to_dict(orient="index"),
                "numbers": numbers(days),
                "days": [asdict(day) for day in days],
            }
            for name, days in found.items()
        },
    }
