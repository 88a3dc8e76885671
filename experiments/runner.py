"""Runs a spec: resolves it, opens its run in MLflow, goes through its stages, sums up its seeds."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout

from experiments import console, stages
from experiments.baselines import fit_and_log
from experiments.comparison import log_comparison, log_estimators, skills
from experiments.describing import QUICK_NOTE, log_audit, log_spec, tags_of
from experiments.environment import environment_tags
from experiments.outcomes import Outcome, Request, statistics_of, summary
from experiments.recalibrating import recalibrate
from experiments.registering import VALIDATION_SAMPLES, register
from experiments.rolling import score_rolled_out
from experiments.server import find_run
from experiments.sources import (
    RUNS,
    SPEC_ARTIFACT,
    Source,
    fetch_model,
    load_source,
    run_folder,
    with_source,
)
from experiments.spec import ExperimentSpec, dump_spec, quick_profile
from experiments.stages import Run, Tested
from experiments.tracking import Store, Tracker, connect
from experiments.validation import validate
from smash.data import Dataset, load_dataset
from smash.data.protocol import prepare
from smash.ensemble import Ensemble
from smash.errors import SpecError
from smash.files import write_json
from smash.forecast import ModelForecaster
from smash.model import Smash


def run_experiment(spec: ExperimentSpec, request: Request) -> list[Outcome]:
    """Runs every seed of a spec and returns what each gave.

    Several seeds become children of one parent run, which gets mean and standard deviation.

    Raises:
        SmashError: for anything wrong with spec, data, checkpoint or tracking server; before
            training starts where it can be known by then.
    """
    _check(spec, request)
    if request.resume:
        tags = find_run(request.resume).data.tags
        request = replace(request, profile="quick" if tags.get("profile") == "quick" else "full")
    if request.profile == "quick":
        spec = quick_profile(spec)
        console.say(QUICK_NOTE)
    if request.register and not spec.scores.validation_samples:
        scores = replace(spec.scores, validation_samples=VALIDATION_SAMPLES)
        spec = spec.model_copy(update={"scores": scores})
    spec = resolve(spec)
    dataset = load_dataset(spec.data)
    for warning in dataset.warnings:
        console.warn(warning)
    source = load_source(request.source, spec, dataset, spec.device) if request.source else None
    if source:
        spec = _adopt(spec, source)
    store = connect(spec.name)
    if spec.seeds:
        outcomes = _run_seeds(spec, request, dataset, store, source)
    elif request.resume:
        outcomes = [_run_resumed(spec, request, dataset, store)]
    else:
        outcomes = [_run_new(spec, request, dataset, store, source)]
    if request.register:
        for outcome in outcomes:
            console.say(register(outcome.run_id, spec.name, dataset.digest))
    if request.summary:
        write_json(request.summary, summary(spec, request, dataset, outcomes))
    return outcomes


def _check(spec: ExperimentSpec, request: Request) -> None:
    if request.stage in ("test", "time") and not (request.source or request.resume):
        raise SpecError(
            f"--stage {request.stage} needs a trained model: add --from RUN_ID, --from FOLDER or "
            "--from CHECKPOINT, or leave --stage out to train one first"
        )
    if request.stage == "baselines" and not spec.baselines:
        raise SpecError(
            "--stage baselines runs what the spec's baselines name, and it names none; add "
            "--set baselines=[climatology,mixture]"
        )
    if request.source and request.stage == "baselines":
        raise SpecError(
            f"--from {request.source} names a trained model, and --stage baselines needs none; "
            "leave one of them out"
        )
    if request.source and request.stage in ("train", "all"):
        raise SpecError(
            f"--from {request.source} names a trained model: add --stage test or --stage time, "
            "or --resume RUN_ID to go on training"
        )
    if request.source and spec.seeds:
        raise SpecError("--from names one model, so seeds: must be empty; set seeds=[]")
    if request.resume and spec.seeds:
        raise SpecError("--resume continues one run; name a child run, whose spec has one seed")
    if request.register and (request.source or request.stage not in ("train", "all")):
        raise SpecError("--register is for a model that is trained: leave out --from and --stage")
    if request.register and request.profile == "quick":
        raise SpecError("--register: a quick profile's scores choose no model; leave one out")
    if request.summary and request.summary.is_dir():
        raise SpecError(f"--summary {request.summary}: is a folder; name a file")


def resolve(spec: ExperimentSpec) -> ExperimentSpec:
    """Returns the spec with device and thread count as they are, after setting them up.

    Raises:
        SpecError: when the asked device is not there.
    """
    device = spec.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device.startswith("cuda") and not torch.cuda.is_available():
        raise SpecError(f"device: {device} was asked for and PyTorch sees no GPU; use auto or cpu")
    if spec.threads:
        torch.set_num_threads(spec.threads)
    if spec.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    return spec.model_copy(update={"device": device, "threads": torch.get_num_threads()})


def _adopt(spec: ExperimentSpec, source: Source) -> ExperimentSpec:
    if source.warning:
        console.warn(source.warning)
    adopted = with_source(spec, source)
    if adopted.protocol != spec.protocol:
        console.say("a checkpoint of the original implementation: protocol set to original")
    return adopted


def _run_seeds(
    spec: ExperimentSpec, request: Request, dataset: Dataset, store: Store, source: Source | None
) -> list[Outcome]:
    parent = store.start(
        f"{spec.name} x {len(spec.seeds)} seeds", tags_of(spec, request.stage, request.profile)
    )
    with parent:
        log_spec(parent, spec, dataset)
        log_audit(parent, dataset)
        outcomes = []
        for seed in spec.seeds:
            one = spec.model_copy(update={"seed": seed, "seeds": (), "ensemble": False})
            console.say(f"seed {seed}")
            outcomes.append(_run_new(one, request, dataset, store, source, parent.run_id))
        for name, values in statistics_of(outcomes).items():
            parent.log_metrics({f"test/{name}": values["mean"], f"test_sd/{name}": values["sd"]})
        if spec.ensemble and request.stage in ("all", "test"):
            _run_ensemble(spec, request, dataset, store, outcomes, parent.run_id)
    return outcomes


def _run_ensemble(
    spec: ExperimentSpec,
    request: Request,
    dataset: Dataset,
    store: Store,
    outcomes: Sequence[Outcome],
    parent: str,
) -> None:
    """Tests the mixture of the seeds' models, which becomes a run of its own."""
    console.say(f"ensemble of {len(outcomes)} models")
    one = spec.model_copy(update={"seed": spec.seeds[0], "seeds": (), "ensemble": False})
    tags = tags_of(one, request.stage, request.profile) | {
        "ensemble": ", ".join(o.run_id for o in outcomes)
    }
    with store.start(f"{spec.name} ensemble", tags, parent) as tracker:
        log_spec(tracker, one, dataset)
        run = _prepared(one, dataset, tracker)
        models = (Smash.load(fetch_model(o.run_id), spec.device) for o in outcomes)
        members = tuple(ModelForecaster(model, one.sampling) for model in models)
        tested = stages.test(run, Ensemble(members), recalibrate(run, Ensemble(members)))
    title = f"{spec.name}: test figures of the ensemble"
    console.show_figures(title, {"ensemble": tested.figures})


def _run_new(
    spec: ExperimentSpec,
    request: Request,
    dataset: Dataset,
    store: Store,
    source: Source | None,
    parent: str | None = None,
) -> Outcome:
    tags = tags_of(spec, request.stage, request.profile) | ({"from": source.name} if source else {})
    with store.start(f"{spec.name} seed {spec.seed}", tags, parent) as tracker:
        console.say(f"run {tracker.run_id} of {spec.name}, seed {spec.seed}")
        with _held(tracker.run_id) as folder:
            (folder / SPEC_ARTIFACT).write_text(dump_spec(spec))
            log_spec(tracker, spec, dataset)
            log_audit(tracker, dataset)
            return _run_stages(_prepared(spec, dataset, tracker), request, source, store)


def _run_resumed(spec: ExperimentSpec, request: Request, dataset: Dataset, store: Store) -> Outcome:
    assert request.resume
    with _held(request.resume), store.resume(request.resume) as tracker:
        tracker.set_tags({"resumed": "true", **environment_tags(spec.device)})
        return _run_stages(_prepared(spec, dataset, tracker), request, None, store)


def _prepared(spec: ExperimentSpec, dataset: Dataset, tracker: Tracker) -> Run:
    data = prepare(dataset, spec.protocol, spec.scaling)
    return Run(spec, dataset, data, tracker, spec.device)


def _run_stages(run: Run, request: Request, source: Source | None, store: Store) -> Outcome:
    if request.stage == "baselines":
        baselines = _run_baselines(run, request, store)
        log_estimators(run, _tables(baselines))
        return _outcome(run, figures=_figures(baselines))
    if source:
        model = source.model
    else:
        with _saying_how_to_resume(run.tracker.run_id):
            model = stages.train(run, resume=request.resume is not None)
        if run.spec.scores.validation_samples:
            console.say(f"validation: relative score {validate(run, model)['relative_score']:.4f}")
    forecaster = ModelForecaster(model, run.spec.sampling)
    if request.stage == "time":
        return _outcome(run, times=stages.measure_time(run, forecaster))
    if request.stage == "train":
        return _outcome(run)
    tested = stages.test(run, forecaster, recalibrate(run, forecaster))
    score_rolled_out(run, forecaster)
    baselines = _run_baselines(run, request, store)
    comparison = log_comparison(run, tested.table, _tables(baselines))
    log_estimators(run, {"model": tested.table, **_tables(baselines)})
    figures = {"model": tested.figures | skills(comparison), **_figures(baselines)}
    return _outcome(run, figures=figures, comparison=comparison)


def _outcome(run: Run, **found: Any) -> Outcome:
    about = (run.tracker.run_id, run.spec.seed, run.spec.protocol)
    return Outcome(*about, **({"figures": {}, "times": {}} | found))


def _run_baselines(run: Run, request: Request, store: Store) -> dict[str, Tested]:
    """Returns the spec's baselines as tested, in its order.

    Climatology comes first, so that the others can be held against it.
    """
    tested: dict[str, Tested] = {}
    for name in sorted(run.spec.baselines, key=lambda name: name != "climatology"):
        tested[name] = _run_baseline(run, request, name, store, _tables(tested))
    return {name: tested[name] for name in run.spec.baselines}


def _run_baseline(
    run: Run, request: Request, name: str, store: Store, others: Mapping[str, pd.DataFrame]
) -> Tested:
    """Returns a baseline as tested, which becomes a run of its own."""
    console.say(f"baseline {name}")
    tags = tags_of(run.spec, request.stage, request.profile) | {
        "baseline": name,
        "compared_with": run.tracker.run_id,
    }
    with store.start(f"{run.spec.name} {name}", tags, run.tracker.run_id) as tracker:
        log_spec(tracker, run.spec, run.dataset)
        own = replace(run, tracker=tracker)
        forecaster = fit_and_log(name, own)
        tested = stages.test(own, forecaster, recalibrate(own, forecaster))
        score_rolled_out(own, forecaster)
        comparison = log_comparison(own, tested.table, others)
        return replace(tested, figures=tested.figures | skills(comparison))


def _tables(tested: Mapping[str, Tested]) -> dict[str, pd.DataFrame]:
    return {name: one.table for name, one in tested.items()}


def _figures(tested: Mapping[str, Tested]) -> dict[str, dict[str, float]]:
    return {name: one.figures for name, one in tested.items()}


@contextmanager
def _held(run_id: str) -> Iterator[Path]:
    """Yields the run's folder, which no other process writes to meanwhile."""
    folder = run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "run.lock", blocking=False):
            yield folder
    except Timeout:
        raise SpecError(
            f"run {run_id} is still going on in another process here; wait for its end, or stop it"
        ) from None


@contextmanager
def _saying_how_to_resume(run_id: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if any((RUNS / run_id / "checkpoints").glob("epoch-*")):
            console.say(f"interrupted; go on with: python run_experiment.py --resume {run_id}")
        raise
