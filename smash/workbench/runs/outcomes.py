"""What the runs of one call gave: mean and deviation over seeds, printed and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from smash.data import Dataset
from smash.scores.summary import quality_of
from smash.workbench.runs import console
from smash.workbench.runs.environment import environment_tags
from smash.workbench.specs.experiment_spec import ExperimentSpec, spec_digest

Stage = Literal["train", "test", "time", "baselines", "all"]
Profile = Literal["full", "quick"]


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line, beside the spec; `read`: files of the spec."""

    stage: Stage = "all"
    source: str | None = None
    resume: str | None = None
    profile: Profile = "full"
    summary: Path | None = None
    register: bool = False
    read: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run gave: its id and the test figures by forecaster; the model's under `model`.

    `comparison` holds the model against the baselines (`smash.scores.bootstrap.compare_tables`);
    `log_scales` what nats of time and place are lower by in standardised units; `failures` why
    baselines, or the pool, were left out.
    """

    run_id: str
    seed: int
    protocol: str
    figures: Mapping[str, Mapping[str, float]]
    times: Mapping[str, float]
    comparison: Mapping[str, Any] = field(default_factory=dict)
    log_scales: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)


def summary(
    spec: ExperimentSpec, request: Request, dataset: Dataset, outcomes: list[Outcome]
) -> dict:
    """Returns test figures with all that is needed to tell where they came from, for JSON."""
    tags = environment_tags(spec.device)
    figures = {name: values["mean"] for name, values in statistics_of(outcomes).items()}
    return {
        "name": spec.name,
        "dataset": dataset.name,
        "protocol": spec.protocol,
        "profile": request.profile,
        "source": request.source,
        "spec_digest": spec_digest(spec),
        "data_digest": dataset.digest,
        "commit": tags["env/commit"],
        "dirty": tags["env/dirty"],
        "device": tags["env/device_name"],
        "runs": [
            {"run_id": o.run_id, "seed": o.seed, "figures": o.figures, "times": o.times}
            | ({"failures": o.failures} if o.failures else {})
            for o in outcomes
        ],
        "figures": figures,
        "quality": {name: quality_of(name) for name in figures},
        "log_scales": outcomes[0].log_scales,
    }


def statistics_of(outcomes: list[Outcome], of: str = "model") -> dict[str, dict[str, float]]:
    """Returns mean and standard deviation over seeds of each test figure of a forecaster."""
    found = [outcome.figures[of] for outcome in outcomes if of in outcome.figures]
    values = {name: [figures[name] for figures in found] for name in (found or [{}])[0]}
    return {
        name: {"mean": float(np.mean(v)), "sd": float(np.std(v, ddof=1)) if len(v) > 1 else 0.0}
        for name, v in values.items()
    }


def _about_units(log_scales: Mapping[str, float]) -> str:
    """Returns how nats are made those of standardised units; nothing where that is not known."""
    if not log_scales:
        return ""
    lower = (f"{log_scales[part]:.4f} ({part})" for part in ("time", "place") if part in log_scales)
    return (
        "Nats are an event's, in the data's units. In units of the training standard deviations "
        f"they are lower by {' and '.join(lower)}."
    )


def report_outcomes(spec: ExperimentSpec, outcomes: list[Outcome]) -> None:
    """Prints the figures of all outcomes; with several seeds their mean and deviation."""
    if times := outcomes[0].times:
        for name, value in times.items():
            console.say(f"{name.replace('_', ' ')}: {value:.4g}")
    failures = {name: why for outcome in outcomes for name, why in outcome.failures.items()}
    for why in failures.values():
        console.warn(f"left out: {why}")
    if not outcomes[0].figures:
        return
    columns = dict(outcomes[0].figures)
    if len(outcomes) > 1 and "model" in columns:
        statistics = statistics_of(outcomes)
        columns = {kind: {n: v[kind] for n, v in statistics.items()} for kind in ("mean", "sd")}
    elif len(outcomes) > 1:
        columns = {
            name: {n: v["mean"] for n, v in statistics_of(outcomes, name).items()}
            for name in columns
        }
    title = f"{spec.name}: test figures, protocol {outcomes[0].protocol}"
    console.show_figures(title, columns, _about_units(outcomes[0].log_scales))
    if len(outcomes) == 1 and outcomes[0].comparison.get("against"):
        console.show_comparison(f"{spec.name}: the model against baselines", outcomes[0].comparison)
