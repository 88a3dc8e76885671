"""One run of one seed, new or gone on with: its stages, baselines and pool as runs below it.

A stage that a run has finished and sent all of is not done again: what it gave is read.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.entities import Run as LoggedRun

from smash.baseline_names import is_plug_in
from smash.baselines.plug_ins import blamed
from smash.data import Dataset
from smash.data.protocol import prepare
from smash.errors import BaselineError, OutputError, TrackingError, TrainingError
from smash.forecast.event_forecaster import EventForecaster
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.forecaster import Forecaster
from smash.model.smash import Smash
from smash.workbench.runs import console, stages
from smash.workbench.runs.baseline_fits import fit_and_log, fit_baseline
from smash.workbench.runs.comparison import log_comparison, log_estimators, skills
from smash.workbench.runs.drawn_intensity import log_film
from smash.workbench.runs.futures_scores import score_rolled_out
from smash.workbench.runs.logged_model import KIND, model_name
from smash.workbench.runs.outcomes import Outcome, Request
from smash.workbench.runs.pool_runs import keep_pool, packed_pool, pool_of
from smash.workbench.runs.recalibrated_scores import recalibrate
from smash.workbench.runs.resumption import (
    BASELINE,
    FAILURE,
    POOL,
    SEED,
    below,
    is_finished,
    one_with,
    remaining,
    tested_before,
)
from smash.workbench.runs.run_description import tags_of
from smash.workbench.runs.run_opening import Opening, opened
from smash.workbench.runs.sources import Source, fetch_model
from smash.workbench.runs.stages import Run, Tested
from smash.workbench.runs.validation import validate
from smash.workbench.specs.experiment_spec import ExperimentSpec
from smash.workbench.tracking.server import find_run
from smash.workbench.tracking.store import Store
from smash.workbench.tracking.tracker import Tracker

MODEL = "model"
"""What the run's own model is called among the forecasters tested with it."""


@dataclass(frozen=True)
class Task:
    """What the runs of a call have in common: what was asked for, the data, where they go."""

    request: Request
    dataset: Dataset
    store: Store
    source: Source | None = None


def run_one(
    task: Task, spec: ExperimentSpec, parent: str | None = None, earlier: str | None = None
) -> Outcome:
    """Returns what a run of one seed gave; a new one, or `earlier` gone on with."""
    request = task.request
    tags = tags_of(spec, request.stage, request.profile) | {SEED: str(spec.seed)}
    tags |= {"from": task.source.name} if task.source else {}
    tags |= {"register": "true"} if request.register else {}
    name = f"seed {spec.seed}" if parent else f"{spec.name} seed {spec.seed}"
    opening = Opening(name, tags, parent, earlier, audited=True)
    with opened(task.store, spec, task.dataset, opening) as tracker:
        console.say(f"run {tracker.run_id} of {spec.name}, seed {spec.seed}")
        return _run_stages(prepared(task, spec, tracker), task, resume=earlier is not None)


def prepared(task: Task, spec: ExperimentSpec, tracker: Tracker) -> Run:
    """Returns the run with its data as the protocol has them."""
    data = prepare(task.dataset, spec.protocol, spec.scaling)
    return Run(spec, task.dataset, data, tracker, spec.device)


def tested(run: Run, forecaster: Forecaster) -> Tested:
    """Returns what a forecaster scores in a run, after recalibrating it and logging all of it."""
    found = stages.test(run, forecaster, recalibrate(run, forecaster))
    score_rolled_out(run, forecaster)
    run.tracker.mark_done("test")
    return found


def _run_stages(run: Run, task: Task, resume: bool) -> Outcome:
    stage = task.request.stage
    earlier = below(task.store, run.tracker.run_id) if resume else []
    if stage == "baselines":
        others = _run_others(run, task, earlier, {})
        log_estimators(run, others.tables)
        return _outcome(run, figures=others.figures, failures=others.failures)
    model = _given(run, task.source) if task.source else _trained(run, resume)
    forecaster = ModelForecaster(model, run.spec.sampling)
    if stage == "time":
        return _outcome(run, times=stages.measure_time(run, forecaster))
    if stage == "train":
        return _outcome(run)
    done = "test" in run.tracker.done
    if not done:
        log_film(run, EventForecaster.of_model(model, run.spec.sampling))
    own = tested_before(find_run(run.tracker.run_id)) if done else tested(run, forecaster)
    others = _run_others(run, task, earlier, {MODEL: replace(own, forecaster=forecaster)})
    comparison = log_comparison(run, own.table, others.tables)
    log_estimators(run, {MODEL: own.table, **others.tables})
    figures = {MODEL: own.figures | skills(comparison), **others.figures}
    return _outcome(run, figures=figures, comparison=comparison, failures=others.failures)


def _given(run: Run, source: Source) -> Smash:
    """Returns the model that a run is told to test, which is among the models then, too."""
    run.tracker.log_model(None, model_name(run.spec), KIND, {"from": source.name})
    return source.model


def _trained(run: Run, resume: bool) -> Smash:
    """Returns the run's model, trained and validated as far as it was not yet."""
    if "train" in run.tracker.done:
        model = Smash.load(fetch_model(run.tracker.run_id), run.device)
    else:
        model = stages.train(run, resume)
        run.tracker.mark_done("train")
    if run.spec.scores.validation_samples and "validation" not in run.tracker.done:
        console.say(f"validation: relative score {validate(run, model)['relative_score']:.4f}")
        run.tracker.mark_done("validation")
    return model


def _outcome(run: Run, **found: Any) -> Outcome:
    about = (run.tracker.run_id, run.spec.seed, run.spec.protocol)
    scales = stages.log_scales_of(run) if found.get("figures") else {}
    return Outcome(*about, **({"figures": {}, "times": {}, "log_scales": scales} | found))


@dataclass(frozen=True)
class _Others:
    """What became of baselines and pool, by name: those tested, and why others are left out."""

    tested: Mapping[str, Tested]
    failures: Mapping[str, str]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return _tables(self.tested)

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        return {name: one.figures for name, one in self.tested.items()}


def _run_others(
    run: Run, task: Task, earlier: Sequence[LoggedRun], models: Mapping[str, Tested]
) -> _Others:
    """Returns the spec's baselines and its pool as tested, in its order, without what failed.

    Climatology comes first, so that the others can be held against it. `earlier` runs are gone on
    with; without the model among `models` there is no pool that has it as a member.
    """
    found: dict[str, Tested] = {}
    failures: dict[str, str] = {}

    def test(name: str, what: _Below, others: Mapping[str, Tested]) -> None:
        try:
            found[name] = _run_below(run, task, what, _tables(others), earlier)
        except (BaselineError, TrainingError) as error:
            failures[name] = str(error)
            console.warn(f"left out, and the run goes on: {error}")

    for name in sorted(run.spec.baselines, key=lambda name: name != "climatology"):
        made = partial(fit_and_log, name)
        test(name, _Below(BASELINE, name, f"baseline {name}", made, is_plug_in(name)), found)
    tested = {**models, **{name: found[name] for name in run.spec.baselines if name in found}}
    if run.spec.pool and (models or MODEL not in run.spec.pool):
        members = remaining(run.spec.pool, failures)
        if len(members) > 1:
            test(POOL, _pool(run, {name: tested[name] for name in members}), tested)
        else:
            failures[POOL] = "pool: fewer than two of its members are left"
            console.warn(f"left out, and the run goes on: {failures[POOL]}")
    every = {**tested, **found}
    return _Others({name: one for name, one in every.items() if name not in models}, failures)


def _pool(run: Run, found: Mapping[str, Tested]) -> "_Below":
    """Returns the pool of what was `found` in its members' tests."""

    def made(own: Run) -> Forecaster:
        members = {name: _forecaster(run, name, one) for name, one in found.items()}
        pool = pool_of(own, members)
        keep_pool(own, members, pool, run.folder)
        return pool

    members = ", ".join(found)
    foreign = any(is_plug_in(name) for name in found if name != MODEL)
    packed = partial(packed_pool, run.folder / POOL, run.spec.sampling)
    return _Below(POOL, members, f"pool of {members}", made, foreign, packed)


def _forecaster(run: Run, name: str, found: Tested) -> Forecaster:
    """Returns what was tested, fitted anew, and equal, where an earlier process tested it."""
    if found.forecaster is not None:
        return found.forecaster
    console.say(f"baseline {name}: fitted again for the pool")
    return fit_baseline(name, run.spec, run.dataset, run.data, run.device)


@dataclass(frozen=True)
class _Below:
    """A forecaster tested in a run below another: its tag and value, its name, how it is made.

    `foreign`: code that is not the workbench's takes part, and whatever it raises is its failure.
    `packed`, once it is made, puts it into a folder as an MLflow model, or returns None.
    """

    tag: str
    value: str
    name: str
    made: Callable[[Run], Forecaster]
    foreign: bool = False
    packed: Callable[[Path], Path | None] = lambda folder: None


def _run_below(
    run: Run,
    task: Task,
    what: _Below,
    others: Mapping[str, pd.DataFrame],
    earlier: Sequence[LoggedRun],
) -> Tested:
    """Returns a forecaster as tested in a run of its own, unless an `earlier` one has done so."""
    before = one_with(earlier, what.tag, what.value)
    if before and is_finished(before):
        console.say(f"{what.name}: done")
        return tested_before(before)
    console.say(what.name)
    tags = tags_of(run.spec, task.request.stage, task.request.profile) | {
        what.tag: what.value,
        "compared_with": run.tracker.run_id,
    }
    earlier_id = before.info.run_id if before else None
    opening = Opening(what.name, tags, run.tracker.run_id, earlier_id)
    with opened(task.store, run.spec, run.dataset, opening) as tracker:
        own = replace(run, tracker=tracker)
        if "test" in tracker.done:
            found = tested_before(find_run(tracker.run_id))
        else:
            found = _made_and_tested(own, what)
        comparison = log_comparison(own, found.table, others)
        return replace(found, figures=found.figures | skills(comparison))


def _made_and_tested(run: Run, what: _Below) -> Tested:
    """Returns a forecaster as tested; why it failed becomes a tag of its run.

    Raises:
        BaselineError, TrainingError: when it cannot be fitted, or foreign code fails in its test.
    """
    own_errors = (TrainingError, TrackingError, OutputError, OSError)
    named = what.value if what.tag == BASELINE else what.tag
    guard = blamed(named, "its test failed", but=own_errors) if what.foreign else nullcontext()
    try:
        with guard:
            made = what.made(run)
            with tempfile.TemporaryDirectory() as scratch:
                packed = what.packed(Path(scratch) / MODEL)
                name = f"{named}-seed-{run.spec.seed}"
                run.tracker.log_model(packed, name, what.tag, {what.tag: what.value})
            return tested(run, made)
    except (BaselineError, TrainingError) as error:
        run.tracker.set_tags({FAILURE: str(error)})
        raise


def _tables(found: Mapping[str, Tested]) -> dict[str, pd.DataFrame]:
    return {name: one.table for name, one in found.items()}
