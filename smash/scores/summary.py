"""Figures of merit: the table of scored events summed up under names that stay."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from smash.errors import DataError
from smash.scores.calibration import calibration_score, coverage, cs_floor
from smash.scores.marks import reliability

MEANS = {
    "mae_time": "error_time",
    "mae_time_median": "error_time_median",
    "mae_location": "error_location",
    "mae_location_median": "error_location_median",
    "crps_time": "crps_time",
    "crps_time_law": "crps_time_law",
    "energy_location": "energy_location",
    "energy_joint": "energy_joint",
    "mark_log_loss": "mark_log_loss",
    "mark_brier": "mark_brier",
    "time_log_loss": "time_log_loss",
    "mark_given_time_log_loss": "mark_given_time_log_loss",
    "place_log_loss": "place_log_loss",
    "time_mark_log_loss": "time_mark_log_loss",
    "event_log_loss": "event_log_loss",
    "unmarked_log_loss": "unmarked_log_loss",
}
"""Figures that are the mean of a column."""

ROOT_MEAN_SQUARES = {"rmse_time": "error_time"}
"""Figures that are the root of the mean of a column's squares."""

RANKS = {
    "time": "pit_time",
    "time_law": "pit_time_law",
    "location": "region_level",
    "time_original": "level_time_original",
    "location_original": "level_location_original",
}
"""Columns whose share at or below a level is the coverage at that level."""


Quality = Literal["exact", "quadrature", "estimate"]
EXACT = re.compile(r"n_.*|.*_time_(\d.*_)?law|(?!mark_log_loss).*_log_loss|information_gain_.*")
"""Figures of counts, densities and cdfs; but the mark's log loss is of a mean over draws."""


def quality_of(figure: str) -> Quality:
    """Returns how a figure of the tested events is known.

    `exact`: from the law's densities or its cdf; `quadrature`: by numerical integration of the cdf;
    `estimate`: from the draws, with their noise.
    """
    if figure == "crps_time_law":
        return "quadrature"
    return "exact" if EXACT.fullmatch(figure) else "estimate"


def percent(level: float) -> str:
    """Returns a level as it stands in a figure's name: 0.5 as `50`, 0.975 as `97.5`."""
    return f"{100 * level:.10g}"


def count_distinct(table: pd.DataFrame) -> int:
    """Returns how many different events the table holds, those of overlapping windows once.

    Without the column `repeat` all are taken for different.
    """
    return len(table) - int(table["repeat"].sum()) if "repeat" in table else len(table)


def summarise(table: pd.DataFrame, levels: Sequence[float]) -> dict[str, float]:
    """Returns the figures of a table of scored events (see `smash.scores.event_scores`).

    Always: `n_events`, `n_distinct`, `n_samples` (the least), `cs_floor` (expected of a perfect
    forecaster on the distinct events), `cs_*`, `coverage_*_50` ... , `mae_*`, `rmse_time`,
    `crps_time` and, of events with places, `energy_location`. Where the table has the columns:
    `*_original`, `degenerate_original` (a count), `energy_joint`, `accuracy`, `accuracy_original`,
    `ece`, `mark_log_loss`, `mark_brier`, `time_log_loss`, `mark_given_time_log_loss`,
    `place_log_loss`, `time_mark_log_loss`, `event_log_loss`, `unmarked_log_loss`, `crps_time_law`,
    `cs_time_law`, `coverage_time_50_law` ... . Calibration, accuracy and ECE are fractions; the
    rest is in the unit of its column.

    Raises:
        DataError: when the table has no rows.
    """
    if len(table) == 0:
        raise DataError("scores: no event was scored; the test split has no targets")
    n_distinct = count_distinct(table)
    figures: dict[str, float] = {
        "n_events": float(len(table)),
        "n_distinct": float(n_distinct),
        "n_samples": float(table["n_samples"].min()),
        "cs_floor": cs_floor(n_distinct, levels),
    }
    figures |= {name: float(table[c].mean()) for name, c in MEANS.items() if c in table}
    for name, column in ROOT_MEAN_SQUARES.items():
        if column in table:
            figures[name] = float(np.sqrt((table[column] ** 2).mean()))
    for name, column in RANKS.items():
        if column in table:
            figures |= _calibration_figures(name, table[column].to_numpy(), levels)
    if "degenerate_original" in table:
        figures["degenerate_original"] = float(table["degenerate_original"].sum())
    return figures | _mark_figures(table)


def _calibration_figures(name: str, ranks: np.ndarray, levels: Sequence[float]) -> dict[str, float]:
    what, _, suffix = name.partition("_")
    suffix = f"_{suffix}" if suffix else ""
    figures = {f"cs_{name}": calibration_score(ranks, levels)}
    for level, share in zip(levels, coverage(ranks, levels), strict=True):
        figures[f"coverage_{what}_{percent(level)}{suffix}"] = float(share)
    return figures


def _mark_figures(table: pd.DataFrame) -> dict[str, float]:
    if "mark_predicted" not in table:
        return {}
    correct = (table["mark_predicted"] == table["mark"]).to_numpy()
    bins = reliability(table["mark_confidence"].to_numpy(), correct)
    figures = {
        "accuracy": float(correct.mean()),
        "ece": bins.expected_calibration_error,
    }
    if "mark_predicted_original" in table:
        same = table["mark_predicted_original"] == table["mark"]
        figures["accuracy_original"] = float(same.mean())
    return figures
