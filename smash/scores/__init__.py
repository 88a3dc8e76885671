"""Scores of forecasts against what happened."""

from smash.scores.calibration import (
    calibration_score,
    coverage,
    cs_critical,
    cs_floor,
    randomised_pit,
    region_level,
)
from smash.scores.event_scores import (
    COLUMNS,
    Column,
    Scales,
    score_events,
    with_densities,
    with_groups,
    with_law_times,
)
from smash.scores.marks import Reliability, brier_score, log_loss, reliability
from smash.scores.points import geometric_median
from smash.scores.proper import fair_crps, fair_energy_score
from smash.scores.summary import count_distinct, summarise

__all__ = [
    "COLUMNS",
    "Column",
    "Reliability",
    "Scales",
    "brier_score",
    "calibration_score",
    "count_distinct",
    "coverage",
    "cs_critical",
    "cs_floor",
    "fair_crps",
    "fair_energy_score",
    "geometric_median",
    "log_loss",
    "randomised_pit",
    "region_level",
    "reliability",
    "score_events",
    "summarise",
    "with_densities",
    "with_groups",
    "with_law_times",
]
