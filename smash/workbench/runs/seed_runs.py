"""Several seeds: a parent run, a run a seed below it, the ensemble of them, mean and deviation."""

from collections.abc import Sequence

from mlflow.entities import Run as LoggedRun

from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import Ensemble
from smash.model.smash import Smash
from smash.workbench.runs import console
from smash.workbench.runs.outcomes import Outcome, statistics_of
from smash.workbench.runs.resumption import ENSEMBLE, SEED, below, is_finished, one_with, outcome_of
from smash.workbench.runs.run_description import tags_of
from smash.workbench.runs.run_opening import Opening, opened
from smash.workbench.runs.single_run import Task, prepared, run_one, tested
from smash.workbench.runs.sources import fetch_model
from smash.workbench.specs.experiment_spec import ExperimentSpec


def run_seeds(task: Task, spec: ExperimentSpec, earlier: str | None = None) -> list[Outcome]:
    """Returns what each seed gave; `earlier` is the parent run that is gone on with.

    Seeds that are finished then stay as they are, the others are finished or started.
    """
    request = task.request
    tags = tags_of(spec, request.stage, request.profile)
    tags |= {"register": "true"} if request.register else {}
    opening = Opening(f"{spec.name} x {len(spec.seeds)} seeds", tags, None, earlier, audited=True)
    before = below(task.store, earlier)
    with opened(task.store, spec, task.dataset, opening) as parent:
        console.say(f"run {parent.run_id} of {spec.name}, seeds {', '.join(map(str, spec.seeds))}")
        outcomes = [_run_seed(task, one, parent.run_id, before) for one in _alone(spec)]
        for name, values in statistics_of(outcomes).items():
            parent.log_metrics({f"test/{name}": values["mean"], f"test_sd/{name}": values["sd"]})
        if spec.ensemble and request.stage in ("all", "test"):
            _run_ensemble(task, spec, outcomes, parent.run_id, before)
    return outcomes


def _alone(spec: ExperimentSpec) -> list[ExperimentSpec]:
    """Returns the spec of each seed as if it were run alone."""
    return [
        spec.model_copy(update={"seed": seed, "seeds": (), "ensemble": False})
        for seed in spec.seeds
    ]


def _run_seed(
    task: Task, spec: ExperimentSpec, parent: str, before: Sequence[LoggedRun]
) -> Outcome:
    run = one_with(before, SEED, str(spec.seed))
    if run and is_finished(run) and run.data.tags.get("stage") == task.request.stage:
        console.say(f"seed {spec.seed}: done, run {run.info.run_id}")
        return outcome_of(task.store, run, spec)
    console.say(f"seed {spec.seed}")
    return run_one(task, spec, parent, run.info.run_id if run else None)


def _run_ensemble(
    task: Task,
    spec: ExperimentSpec,
    outcomes: Sequence[Outcome],
    parent: str,
    before: Sequence[LoggedRun],
) -> None:
    """Tests the mixture of the seeds' models, which becomes a run of its own."""
    members = ", ".join(outcome.run_id for outcome in outcomes)
    run = one_with(before, ENSEMBLE, members)
    if run and is_finished(run):
        console.say(f"ensemble of {len(outcomes)} models: done")
        return
    console.say(f"ensemble of {len(outcomes)} models")
    one = _alone(spec)[0]
    tags = tags_of(one, task.request.stage, task.request.profile) | {ENSEMBLE: members}
    name = f"ensemble of seeds {', '.join(str(outcome.seed) for outcome in outcomes)}"
    opening = Opening(name, tags, parent, run.info.run_id if run else None)
    with opened(task.store, one, task.dataset, opening) as tracker:
        models = (Smash.load(fetch_model(o.run_id), spec.device) for o in outcomes)
        ensemble = Ensemble(tuple(ModelForecaster(model, one.sampling) for model in models))
        tracker.log_model(None, f"{spec.name}-ensemble", ENSEMBLE, {"members": members})
        found = tested(prepared(task, one, tracker), ensemble)
    console.show_figures(f"{spec.name}: test figures of the ensemble", {"ensemble": found.figures})
