"""What a run was started as and has done so far: read where the run is gone on with."""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
from mlflow.entities import Run

from smash.errors import SpecError, TrackingError
from smash.workbench.runs.comparison import ARTIFACT as COMPARISON
from smash.workbench.runs.outcomes import Outcome, Request, Stage
from smash.workbench.runs.sources import fetch_spec, run_folder
from smash.workbench.runs.stages import SCORED_EVENTS, Tested
from smash.workbench.specs.experiment_spec import ExperimentSpec
from smash.workbench.tracking.server import download_artifact, find_run
from smash.workbench.tracking.store import Store

PARENT, SEED, ENSEMBLE, BASELINE = "mlflow.parentRunId", "seed", "ensemble", "baseline"
POOL = "pool"
"""Tags: the run above a run; what a run is below it."""
PARTS = ("time", "place")
"""Parts of an event whose nats have another unit in standardised data."""
FAILURE = "failure"
"""The tag of a run below another that says why it failed."""


def spec_to_resume(run_id: str) -> ExperimentSpec:
    """Returns the resolved spec of a run that is gone on with.

    Raises:
        TrackingError: when there is no such run, or it was killed before it had a spec.
        SpecError: when the run is a part of another, which is gone on with instead.
    """
    _refuse_parts(run_id, find_run(run_id).data.tags)
    try:
        return fetch_spec(run_id)
    except TrackingError as error:
        raise TrackingError(
            f"run {run_id}: nothing to go on with, as its spec is neither in "
            f"{run_folder(run_id).resolve()} nor on the server. Either it was stopped before it "
            "had written anything: run its spec anew. Or it began in another folder: resume it "
            f"there ({error})"
        ) from error


def _refuse_parts(run_id: str, tags: dict[str, str]) -> None:
    parent = tags.get(PARENT, "")
    for tag, what in ((BASELINE, "a baseline"), (ENSEMBLE, "the ensemble"), (POOL, "the pool")):
        if tag in tags and parent:
            raise SpecError(
                f"run {run_id} is {what} of run {parent}, which is resumed as a whole: "
                f"--resume {parent}"
            )
    if "study" in tags:
        raise SpecError(
            f"run {run_id} belongs to the study {tags['study']}; the same tune.py command goes on "
            "with it"
        )


def stage_of(run_id: str) -> Stage:
    """Returns what a run was last asked to do."""
    return cast(Stage, find_run(run_id).data.tags.get("stage", "all"))


def as_started(request: Request) -> Request:
    """Returns the request with all that the run it goes on with was started with."""
    if not request.resume:
        return request
    tags = find_run(request.resume).data.tags
    trained = request.stage in ("train", "all")
    return replace(
        request,
        profile="quick" if tags.get("profile") == "quick" else "full",
        source=tags.get("from"),
        register=request.register or (trained and tags.get("register") == "true"),
    )


def below(store: Store, parent: str | None) -> list[Run]:
    """Returns the runs below a run; none where there is no such run yet."""
    return store.find({PARENT: parent}) if parent else []


def one_with(runs: Sequence[Run], tag: str, value: str) -> Run | None:
    """Returns the run among `runs` with this tag: a finished one, else the last.

    A run of an earlier version has its seed among its parameters alone.
    """

    def found(run: Run) -> bool:
        data = run.data
        parts = (SEED, ENSEMBLE, BASELINE, POOL)
        untagged = tag == SEED and not any(part in data.tags for part in parts)
        known = data.params.get(SEED) if untagged else data.tags.get(tag)
        return known == value

    fitting = [run for run in runs if found(run)]
    return max(fitting, key=lambda run: (is_finished(run), run.info.start_time), default=None)


def is_finished(run: Run) -> bool:
    """Returns True for a run that ended well, all of which was sent."""
    return run.info.status == "FINISHED"


def outcome_of(store: Store, run: Run, spec: ExperimentSpec) -> Outcome:
    """Returns what a finished run and the baselines and the pool below it gave."""
    children = below(store, run.info.run_id)
    named: dict[str, Run | None]
    named = {name: one_with(children, BASELINE, name) for name in spec.baselines}
    failures = {name: why for name, child in named.items() if child and (why := _failure(child))}
    if spec.pool:
        members = ", ".join(remaining(spec.pool, failures))
        named[POOL] = one_with(children, POOL, members)
    own, metrics = figures_of(run), run.data.metrics
    figures: dict[str, dict[str, float]] = {"model": own} if own else {}
    found = {name: child for name, child in named.items() if child}
    figures |= {name: figures_of(child) for name, child in found.items() if is_finished(child)}
    failures = {name: why for name, child in found.items() if (why := _failure(child))}
    return Outcome(
        run.info.run_id,
        spec.seed,
        spec.protocol,
        figures,
        {k.removeprefix("time/"): v for k, v in metrics.items() if k.startswith("time/")},
        _read(run, COMPARISON, lambda path: json.loads(path.read_text())) if own else {},
        {what: metrics[f"log_scale/{what}"] for what in PARTS if f"log_scale/{what}" in metrics},
        failures,
    )


def remaining(pool: Sequence[str], failures: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the members of a pool that have not failed."""
    return tuple(name for name in pool if name not in failures)


def _failure(run: Run) -> str:
    """Returns why a run below another failed; empty for one that is finished."""
    return "" if is_finished(run) else run.data.tags.get(FAILURE, "")


def tested_before(run: Run) -> Tested:
    """Returns what a run that has finished its test scored.

    Raises:
        TrackingError: when the table of its scored events cannot be had.
    """
    return Tested(figures_of(run), _read(run, SCORED_EVENTS, pd.read_parquet))


def figures_of(run: Run) -> dict[str, float]:
    """Returns the test figures of a run by name; infinity, which MLflow cannot keep, restored."""
    largest = sys.float_info.max
    logged = {k.removeprefix("test/"): v for k, v in run.data.metrics.items() if k[:5] == "test/"}
    return {
        name: value if abs(value) < largest or value != value else float("inf") * value
        for name, value in sorted(logged.items())
        if not name.endswith("_seconds")
    }


def _read(run: Run, artifact: str, reader: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory() as scratch:
        return reader(download_artifact(run.info.run_id, artifact, Path(scratch)))
