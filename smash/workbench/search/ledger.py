"""Who runs which trial of a study that several processes share, and which comes next."""

import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from threading import Event, Thread
from typing import Any
from uuid import getnode

import optuna
import psutil
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from smash.workbench.search.samplers import make_sampler
from smash.workbench.search.space import grid
from smash.workbench.search.storage import only_one
from smash.workbench.search.study_spec import Search
from smash.workbench.search.trial_history import (
    HISTORY,
    KILLS,
    PUBLISHED,
    Call,
    History,
    earlier_numbers,
)

WORKER = "worker"
"""The attribute of a trial that says in which process it runs."""


class Verdict(Enum):
    """Why there is no trial to run; WAIT: the last ones run elsewhere and may yet be lost."""

    WAIT = "wait"
    DONE = "done"
    TIMEOUT = "timeout"
    FAILING = "failing"


class Ledger:
    """A study in its storage, as one process sees it."""

    def __init__(self, storage: RDBStorage, study: optuna.Study, search: Search) -> None:
        self.storage, self.study, self.search = storage, study, search

    def history(self) -> History:
        """Returns what became of the study's trials so far."""
        return History.of(self.study, self.search)

    def claim(self, call: Call) -> optuna.Trial | Verdict:
        """Returns a trial that is this process's to run, its parameters drawn, or why none is.

        One process at a time: so a trial goes to one process, and the budget is kept exactly.
        """
        study = self.study
        with only_one(self.storage, study.study_name):
            self.recover()
            history = self.history()
            if (verdict := self._verdict(history, call)) is not None:
                return verdict
            study.sampler = make_sampler(self.search.study.search, len(history.trials))
            trial = _ask(study, self.search)
            self.storage.record_heartbeat(trial._trial_id)
            trial.set_user_attr(WORKER, this_process())
            return trial

    def recover(self) -> None:
        """Puts trials back into the queue whose process is gone or has long been silent.

        For the holder of the study's lock: a running trial without a process is then one whose
        process was killed while it made its claim.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not _is_alive(trial.user_attrs.get(WORKER)):
                self.study.tell(trial.number, state=TrialState.FAIL)
        for trial in self.history().left_behind:
            _requeue(self.study, trial, kills=1)

    def release(self, trial: optuna.Trial) -> None:
        """Gives an interrupted trial back, to be tried again."""

        def give_back() -> None:
            with only_one(self.storage, self.study.study_name):
                frozen = self.storage.get_trial(trial._trial_id)
                if frozen.state == TrialState.RUNNING:
                    self.study.tell(trial.number, state=TrialState.FAIL)
                    _requeue(self.study, frozen, kills=0)

        patiently(give_back)

    def tell(
        self, trial: optuna.Trial, state: TrialState, values: tuple[float, ...] | None = None
    ) -> bool:
        """Returns True once a trial's end is recorded; False when it was taken for lost before."""
        try:
            patiently(lambda: self.study.tell(trial, values, state))
        except ValueError:  # a suspended machine, say, whose trial another process took over
            return False
        return True

    @contextmanager
    def heartbeats(self, trial: optuna.Trial) -> Iterator[None]:
        """Gives a sign of life every few seconds from a thread of its own."""
        over = Event()

        def beat() -> None:
            while not over.wait(self.search.study.survival.heartbeat):
                try:
                    self.storage.record_heartbeat(trial._trial_id)
                except StorageInternalError:  # away for a moment; the next one says the same
                    continue

        thread = Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _verdict(self, history: History, call: Call) -> Verdict | None:
        study = self.search.study
        if history.failures_in_a_row(call) >= study.survival.failures:
            return Verdict.FAILING
        if call.deadline is not None and time.time() >= call.deadline:
            return Verdict.TIMEOUT
        # A grid is queued whole, so that there is nothing left where nothing waits.
        spent = study.search.sampler == "grid" and not history.holds(TrialState.WAITING)
        if spent or len(history.counted) >= study.budget.trials:
            return Verdict.WAIT if history.holds(TrialState.RUNNING) else Verdict.DONE
        return None


def enqueue(study: optuna.Study, search: Search) -> None:
    """Queues the published setting as first trial, and all of a grid; what is there stays."""
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(search.published(), user_attrs={PUBLISHED: True})
    if search.study.search.sampler == "grid":
        for point in grid(search.space):
            study.enqueue_trial(point, skip_if_exists=True)


def patiently(request: Callable[[], object]) -> None:
    """Makes a request of the storage, again for half a minute while it is away."""
    for pause in (1, 2, 4, 8, 16):
        try:
            request()
            return
        except StorageInternalError:
            time.sleep(pause)
    request()


@cache
def this_process() -> dict[str, Any]:
    """Returns what tells this process from all others, on any machine and at any time."""
    return {
        "host": _host(),
        "pid": os.getpid(),
        "born": psutil.Process().create_time(),
    }


def _ask(study: optuna.Study, search: Search) -> optuna.Trial:
    """Returns the next trial, running, with a value for each key of the space."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage")  # `Ledger.heartbeats` gives them
        return study.ask({key: part.distribution() for key, part in search.space.items()})


def _requeue(study: optuna.Study, trial: FrozenTrial, kills: int) -> None:
    """Queues a trial again under a new number, with the same parameters."""
    attributes = trial.system_attrs | {
        HISTORY: [*earlier_numbers(trial), trial.number],
        KILLS: trial.system_attrs.get(KILLS, 0) + kills,
    }
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={k: v for k, v in trial.user_attrs.items() if k == PUBLISHED},
            system_attrs=attributes,
        )
    )


def _host() -> str:
    return f"{socket.gethostname()}-{getnode():012x}"


def _is_alive(worker: dict[str, Any] | None) -> bool:
    """Returns False for a process that is known to be gone; its heartbeats tell of the others."""
    if worker is None:
        return False
    if worker["host"] != _host():
        return True
    try:
        process = psutil.Process(worker["pid"])
        same = abs(process.create_time() - worker["born"]) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
