"""What a run logged of its tests against baselines (`scores/comparison.json`), checked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_groups import Group
from smash.workbench.report.run_store import Store

COMPARISON = "scores/comparison.json"


@dataclass(frozen=True)
class Estimate:
    """A figure or a difference with its 95 % interval; of a difference its p-value too."""

    value: float
    low: float | None
    high: float | None
    p_value: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Intervals of a run's figures, skill and gain; paired differences by baseline and score."""

    n_groups: int
    figures: dict[str, Estimate]
    skill: dict[str, Estimate]
    against: dict[str, dict[str, Estimate]]
    information_gain: dict[str, Estimate] = field(default_factory=dict)


def read_comparison(store: Store, run: Run) -> Comparison | None:
    """Returns what a run logged, None where it logged nothing or something else."""
    return comparison_of(store.json(run, COMPARISON))


def comparisons_of(store: Store, groups: Iterable[Group]) -> dict[str, Comparison]:
    """Returns what the runs of forecasters logged of their tests, by run."""
    found = {run.run_id: read_comparison(store, run) for group in groups for run in group.runs}
    return {run_id: one for run_id, one in found.items() if one is not None}


def comparison_of(found: Any) -> Comparison | None:
    """Returns the comparison in what was read as JSON, None where there is none."""
    try:
        return Comparison(
            int(found["n_groups"]),
            _estimates(found.get("figures", {})),
            _estimates(found.get("skill", {})),
            {name: _estimates(scores) for name, scores in found.get("against", {}).items()},
            _estimates(found.get("information_gain", {})),
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def mean_ends(estimates: Sequence[Estimate | None]) -> tuple[float, float] | None:
    """Returns the ends of an interval averaged over runs, None unless every run has one."""
    ends = [(e.low, e.high) for e in estimates if e and e.low is not None and e.high is not None]
    if not ends or len(ends) < len(estimates):
        return None
    low, high = (sum(each) / len(ends) for each in zip(*ends, strict=True))
    return low, high


def _estimates(mapping: dict[str, Any]) -> dict[str, Estimate]:
    return {
        name: Estimate(
            float(one["value"] if "value" in one else one["difference"]),
            _number(one.get("low")),
            _number(one.get("high")),
            _number(one.get("p_value")),
        )
        for name, one in mapping.items()
        if one.get("value", one.get("difference")) is not None
    }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
