"""Runs a study: everything checked, the study opened or continued, trials run, results shown."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
import torch

from smash.catalogue import load_dataset
from smash.data import Dataset
from smash.errors import SpecError, StudyError, TrackingError
from smash.outputs import check_files, is_same
from smash.workbench.runs import console
from smash.workbench.runs.environment import environment_tags
from smash.workbench.runs.runner import resolve
from smash.workbench.runs.signals import Interruption
from smash.workbench.runs.sources import RUNS
from smash.workbench.search.cluster import connect_cluster, run_on_cluster
from smash.workbench.search.findings import BEST, log_results, mend_children
from smash.workbench.search.ledger import Ledger, enqueue
from smash.workbench.search.local import run_locally
from smash.workbench.search.progress import Watcher, show_results
from smash.workbench.search.samplers import silence
from smash.workbench.search.storage import create_storage, default_storage, only_one, storage_url
from smash.workbench.search.study_spec import Search
from smash.workbench.search.trial_history import Call, error_of
from smash.workbench.search.worker import Plan, environment
from smash.workbench.specs import strict_yaml
from smash.workbench.specs.experiment_spec import dump_spec, flatten
from smash.workbench.tracking.server import shown, sqlite_path, tracking_uri
from smash.workbench.tracking.store import SPOOL, Store, connect
from smash.workbench.tracking.tracker import Tracker

MARK_FIGURES = ("mark_log_loss", "mark_brier", "ece", "accuracy")
OPEN_KEYS = ("name", "description", "threads", "device", "deterministic", "baselines")
"""Keys of the base experiment that may change while a study goes on."""
SEARCHED, PARENT = "searched", "mlflow"


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line, beside the study spec."""

    jobs: int | None = None
    storage: str | None = None
    engine: Literal["local", "ray"] = "local"
    address: str | None = None


def run_search(search: Search, options: Options, interruption: Interruption) -> None:
    """Runs a study until its budget is spent, and shows what it found.

    Raises:
        SmashError: for anything wrong with study, data, storage, tracking server or cluster,
            before a trial starts; or when too many trials failed in a row.
        KeyboardInterrupt: with all that is done kept.
    """
    silence()
    call = Call.now(search.study.budget.hours)
    with interruption.checked():
        url = storage_url(options.storage or default_storage(Path.cwd()))
        _check(search, options, url)
        dataset = load_dataset(search.base.data)
        _check_goal(search, dataset)
        if options.engine == "ray":
            connect_cluster(options.address, options.jobs)
            interruption.listen()  # Ray has taken SIGTERM, which would end this process at once
        ledger = open_ledger(search, dataset, url)
        experiment = f"{search.base.name} studies"
        # A folder of its own: two calls may write to the study's run at once.
        store = connect(experiment, spool=SPOOL / f"study-{os.getpid()}")
    with _parent(ledger, store, dataset, url) as parent, interruption.checked():
        plan = Plan(
            search=search,
            call=call,
            storage=url,
            tracking=store.uri,
            experiment=experiment,
            parent=parent.run_id,
            runs=RUNS.resolve(),
            threads=_threads(search, options),
        )
        _run_trials(plan, options, ledger, interruption)
        mend_children(ledger.history(), store, parent.run_id)
        path = log_results(ledger.study, search, parent, _results(search), interruption)
        show_results(ledger.study, search, path)
        _raise_if_failing(ledger, call)


def open_ledger(search: Search, dataset: Dataset, url: str) -> Ledger:
    """Returns the study in its storage, made or, if it is the same search, continued.

    Raises:
        StudyError: when the storage cannot be used or holds another search under this name.
    """
    storage = create_storage(url, search.study.survival.heartbeat)
    name = search.study.name
    with only_one(storage, name):
        study = optuna.create_study(
            study_name=name, storage=storage, directions=search.directions, load_if_exists=True
        )
        _check_same(study, _searched(search, dataset), url)
        ledger = Ledger(storage, study, search)
        ledger.recover()
        enqueue(study, search)
    if done := len(ledger.history().ended):
        console.say(f"going on with the study {name}: {done} trials are done")
    return ledger


def _check(search: Search, options: Options, url: str) -> None:
    if options.jobs is not None and options.jobs < 1:
        raise SpecError(f"--jobs {options.jobs}: expected 1 or more")
    check_files({f"name {search.study.name}: the best spec": _results(search) / BEST}, search.files)
    check_files({"--storage": sqlite_path(url)}, search.files)
    own, other = sqlite_path(url), sqlite_path(tracking_uri())
    if own and other and is_same(own, other):
        raise StudyError(
            f"--storage {shown(url)}: MLflow's runs are there, whose tables are not Optuna's; name "
            "another file, or leave --storage out"
        )
    if options.address and options.engine != "ray":
        raise SpecError(f"--address {options.address}: needs --engine ray")
    if options.address and sqlite_path(url):
        raise StudyError(
            "--address: the machines of a cluster cannot share a SQLite file; give --storage "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    if options.address and sqlite_path(tracking_uri()):
        raise TrackingError(
            "--address: the machines of a cluster cannot share a SQLite file; start `mlflow "
            "server` and set MLFLOW_TRACKING_URI to it"
        )
    if options.engine == "local":
        resolve(search.base)  # the device is there
    if search.study.pruning.pruner != "none" and (mixed := search.mixed_losses()):
        console.warn(
            f"the pruner compares validation losses, which mean different things for different "
            f"{', '.join(mixed)}: it may stop the better ones (see docs/search.md)"
        )


def _results(search: Search) -> Path:
    """Returns the folder of what a study found."""
    return RUNS / "studies" / search.study.name


def _check_goal(search: Search, dataset: Dataset) -> None:
    if not dataset.marked and (wrong := [f for f in search.figures if f in MARK_FIGURES]):
        raise SpecError(f"goal.figures: {dataset.name} has no marks, so there is no {wrong[0]}")
    for warning in dataset.notices:
        console.warn(warning)


def _searched(search: Search, dataset: Dataset) -> dict[str, Any]:
    """Returns all that has to stay the same for trials to be comparable, by dotted key."""
    base = {k: v for k, v in flatten(search.base).items() if k not in OPEN_KEYS}
    space = {f"space.{key}": part.plain() for key, part in search.space.items()}
    goal = {"goal.figures": list(search.figures)}
    return base | space | goal | {"events of the data": dataset.digest}


def _check_same(study: optuna.Study, searched: dict[str, Any], url: str) -> None:
    known = study.user_attrs.get(SEARCHED)
    if known is None:
        if study.get_trials(deepcopy=False):
            raise StudyError(
                f"{shown(url)}: the study {study.study_name} was not made by tune.py; take "
                "another name with --set name=..., or another --storage"
            )
        study.set_user_attr(SEARCHED, searched)
        return
    changed = [
        f"{key} was {known.get(key, 'not there')}, is {searched.get(key, 'not there')}"
        for key in {**known, **searched}
        if known.get(key) != searched.get(key)
    ]
    if changed:
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        raise StudyError(
            f"{shown(url)}: the study {study.study_name} there is another search: "
            f"{'; '.join(changed[:2])}{more}. Take another name with --set name=..., or "
            "another --storage"
        )


def _parent(ledger: Ledger, store: Store, dataset: Dataset, url: str) -> Tracker:
    """Returns the tracker of the study's run, which is made by whoever comes first."""
    study, search = ledger.study, ledger.search
    with only_one(ledger.storage, study.study_name):
        known = study.user_attrs.get(PARENT, {})
        if shown(known.get("uri", "")) == shown(store.uri):
            try:
                return store.resume(known["run"], system_metrics=False)
            except TrackingError:
                console.warn(f"the study's run {known['run']} is gone; a new one is made")
        tags = {"study": study.study_name, "storage": shown(url), "dataset": dataset.name}
        tags |= environment_tags(search.base.device)
        parent = store.start(f"{study.study_name} study", tags, system_metrics=False)
        study.set_user_attr(PARENT, {"uri": store.uri, "run": parent.run_id})
    parent.log_params(flatten(search.base))
    parent.log_text(strict_yaml.dump(search.study.model_dump(mode="json")), "study.yaml")
    parent.log_text(dump_spec(search.base), "base.yaml")
    parent.log_dataset(dataset)
    return parent


def _threads(search: Search, options: Options) -> int:
    """Returns the CPU threads of a trial, where its spec does not say."""
    if options.engine == "ray":
        return max(1, int(search.study.resources.cpus))
    return max(1, torch.get_num_threads() // (options.jobs or 1))


def _run_trials(plan: Plan, options: Options, ledger: Ledger, interruption: Interruption) -> None:
    watch = Watcher(ledger.study, plan.search)
    try:
        with interruption.checked():
            if options.engine == "ray":
                run_on_cluster(plan, environment(), options.jobs, watch, interruption)
            else:
                run_locally(plan, options.jobs or 1, watch, interruption)
            watch()
    except KeyboardInterrupt as stopped:
        done = len(ledger.history().ended)
        raise KeyboardInterrupt(
            f"interrupted: {done} trials are kept; the same command goes on from there"
        ) from stopped


def _raise_if_failing(ledger: Ledger, call: Call) -> None:
    history = ledger.history()
    failures = history.failures_in_a_row(call)
    if failures >= ledger.search.study.survival.failures:
        last = history.ended[-1]
        raise StudyError(
            f"{failures} trials in a row failed, so the search was stopped; the last: "
            f"{error_of(last)}. Narrow the space or correct the base experiment; the same "
            "command tries on"
        )
