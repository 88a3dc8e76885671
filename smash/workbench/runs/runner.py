"""Runs a spec: resolves it, loads what it names, runs its seed or seeds, registers, sums up."""

import os
from dataclasses import replace
from pathlib import Path

import torch

from smash.catalogue import load_dataset
from smash.errors import SpecError
from smash.files import write_json
from smash.outputs import check_files
from smash.workbench.runs import console
from smash.workbench.runs.outcomes import Outcome, Request, summary
from smash.workbench.runs.registry import VALIDATION_SAMPLES, register
from smash.workbench.runs.resumption import PARENT, as_started
from smash.workbench.runs.run_description import QUICK_NOTE
from smash.workbench.runs.seed_runs import run_seeds
from smash.workbench.runs.single_run import Task, run_one
from smash.workbench.runs.size_checks import check_sizes, memory_of
from smash.workbench.runs.sources import Source, load_source, with_source
from smash.workbench.specs.experiment_spec import ExperimentSpec, quick_profile
from smash.workbench.specs.idle_settings import idle_settings
from smash.workbench.tracking.server import find_run, sqlite_path, tracking_uri
from smash.workbench.tracking.store import connect


def run_experiment(spec: ExperimentSpec, request: Request) -> list[Outcome]:
    """Runs every seed of a spec and returns what each gave.

    Several seeds become children of one parent run, which gets mean and standard deviation. A run
    that is gone on with (`request.resume`) completes what it lacks.

    Raises:
        SmashError: for anything wrong with spec, data, checkpoint or tracking server; before
            training starts where it can be known by then.
    """
    request = as_started(request)
    _check(spec, request)
    if request.register and not spec.scores.validation_samples:
        scores = replace(spec.scores, validation_samples=VALIDATION_SAMPLES)
        spec = spec.model_copy(update={"scores": scores})
    chosen = spec
    if request.profile == "quick":
        spec = quick_profile(spec)
        console.say(QUICK_NOTE)
    spec = resolve(spec)
    dataset = load_dataset(spec.data)
    for warning in (*dataset.notices, *idle_settings(chosen, dataset.marked, dataset.n_axes > 0)):
        console.warn(warning)
    source = load_source(request.source, spec, dataset, spec.device) if request.source else None
    if source:
        spec = _adopt(spec, source)
    check_sizes(spec, dataset, memory_of(spec.device))
    task = Task(request, dataset, connect(spec.name), source)
    if spec.seeds:
        outcomes = run_seeds(task, spec, request.resume)
    else:
        outcomes = [run_one(task, spec, earlier=request.resume)]
    if request.register:
        for outcome in outcomes:
            console.say(register(outcome.run_id, spec.name, dataset.digest))
    if request.summary:
        write_json(request.summary, summary(spec, request, dataset, outcomes))
    if request.resume:
        _say_what_is_above(request.resume)
    return outcomes


def _say_what_is_above(run_id: str) -> None:
    parent = find_run(run_id).data.tags.get(PARENT)
    if parent and find_run(parent).info.status != "FINISHED":
        console.say(f"one of the seeds of run {parent}; complete that with: --resume {parent}")


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
    if request.register and (request.source or request.stage not in ("train", "all")):
        raise SpecError("--register is for a model that is trained: leave out --from and --stage")
    if request.register and request.profile == "quick":
        raise SpecError("--register: a quick profile's scores choose no model; leave one out")
    read = (request.source, spec.data.path, spec.data.train, spec.data.validation, spec.data.test)
    paths = [Path(path) for path in (*read, sqlite_path(tracking_uri())) if path]
    check_files({"--summary": request.summary}, [*paths, *request.read])


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
    number = device.partition(":")[2]
    if number and int(number) >= torch.cuda.device_count():
        raise SpecError(
            f"device: {device} was asked for and PyTorch sees {torch.cuda.device_count()} GPUs, "
            "counted from 0; name one of these"
        )
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
