"""A process that runs trials, one after the other, until there are none left for it."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import optuna

from smash.catalogue import load_dataset
from smash.workbench.search.ledger import Ledger, Verdict
from smash.workbench.search.samplers import make_pruner, silence
from smash.workbench.search.storage import open_storage
from smash.workbench.search.study_spec import Search
from smash.workbench.search.trial import Office, run_trial
from smash.workbench.search.trial_history import Call
from smash.workbench.tracking.store import connect

POLL = 1.0
"""Seconds between looks at trials that run elsewhere."""


@dataclass(frozen=True)
class Plan:
    """All that a worker needs to know, wherever it runs; paths are absolute.

    `tracking` is the tracking server's URI, `runs` the folder for what waits to be sent and for
    trained models.
    """

    search: Search
    call: Call
    storage: str
    tracking: str
    experiment: str
    parent: str
    runs: Path
    threads: int


def open_office(plan: Plan) -> Office:
    """Returns what this process keeps from trial to trial."""
    silence()
    study_spec = plan.search.study
    storage = open_storage(plan.storage, study_spec.survival.heartbeat)
    study = optuna.load_study(
        study_name=study_spec.name,
        storage=storage,
        pruner=make_pruner(study_spec.pruning, plan.search.base.training.total_epochs),
    )
    return Office(
        search=plan.search,
        ledger=Ledger(storage, study, plan.search),
        dataset=load_dataset(plan.search.base.data),
        store=connect(plan.experiment, plan.tracking, plan.runs / "unsent"),
        parent=plan.parent,
        cache=plan.runs / "cache",
        threads=plan.threads,
    )


def run_next(office: Office, call: Call) -> Verdict | None:
    """Returns None after a trial was run, or why there was none."""
    claimed = office.ledger.claim(call)
    if isinstance(claimed, Verdict):
        return claimed
    run_trial(office, claimed)
    return None


def work(office: Office, call: Call) -> None:
    """Runs trials until none is left: not even one that runs elsewhere and may yet be lost."""
    while (verdict := run_next(office, call)) in (None, Verdict.WAIT):
        office.interruption.check()
        if verdict is Verdict.WAIT:
            time.sleep(POLL)


def environment() -> dict[str, str]:
    """Returns the settings of this process that a worker on another machine needs too."""
    names = ("SMASH_DATA", "SMASH_REUSE", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    kept = {n: v for n, v in os.environ.items() if n in names or n.startswith(("MLFLOW_", "AWS_"))}
    if "SMASH_DATA" in kept:
        kept["SMASH_DATA"] = str(Path(kept["SMASH_DATA"]).resolve())
    return kept
