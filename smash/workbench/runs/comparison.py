"""A tested forecaster held against baselines on the same events, as a run logs it."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from smash.scores.bootstrap import compare_tables
from smash.workbench.runs.estimator_audit import audited
from smash.workbench.runs.stages import Run

ARTIFACT, AUDIT = "scores/comparison.json", "scores/estimator_audit.json"
AUDITED_EVENTS = 1000
"""Most events that the perfect forecaster of a run's audit is scored on, to keep it cheap."""


def log_comparison(
    run: Run, table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """Returns figures with intervals, skill and paired tests (`compare_tables`), which it logs.

    Skill and information gain also become metrics: `test/skill_time`,
    `test/information_gain_climatology` and their like.
    """
    comparison = compare_tables(table, baselines, run.spec.scores.levels)
    run.tracker.log_text(json.dumps(comparison, indent=2) + "\n", ARTIFACT)
    run.tracker.log_metrics({f"test/{name}": v for name, v in skills(comparison).items()})
    return comparison


def skills(comparison: Mapping[str, Any]) -> dict[str, float]:
    """Returns the skills and information gains of a comparison by the names of their figures."""
    skill = {f"skill_{name}": skill["value"] for name, skill in comparison["skill"].items()}
    gains = {name: gain["value"] for name, gain in comparison["information_gain"].items()}
    return skill | gains


def log_estimators(run: Run, tables: Mapping[str, pd.DataFrame]) -> None:
    """Logs what the estimators of CS say of a perfect forecaster and of those tested, by name."""
    n_events = min(AUDITED_EVENTS, int(run.data.test.is_target.sum()))
    n_samples, levels = run.spec.sampling.total_samples, run.spec.scores.levels
    rows = audited(run.dataset, tables, n_events, n_samples, levels)
    run.tracker.log_text(json.dumps({"rows": rows}, indent=2) + "\n", AUDIT)
