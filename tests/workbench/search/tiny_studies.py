"""Tiny studies, run for real: a space of a few keys over a spec that trains in a second."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import yaml
from click.testing import Result
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import FrozenTrial
from tiny_runs import IMPORTED_FROM, TINY, environment
from typer.testing import CliRunner

import tune
from smash.workbench.search.storage import create_storage
from smash.workbench.search.worker import open_office, work
from smash.workbench.tracking.server import open_client, sqlite_uri

TUNE = Path(tune.__file__)
STUDY: dict[str, Any] = {
    "base": "tiny.yaml",
    "space": {
        "sigma_time": {"low": 0.05, "high": 0.8, "log": True},
        "cond_dim": [8, 16],
    },
    "goal": {"samples": 6},
    "search": {"sampler": "random"},
    "budget": {"trials": 3},
}
SHARED = {"langevin_step": {"low": 0.0001, "high": 0.01, "log": True}}
"""A space whose trials share one training, which a test may hold back: `hold_training`."""
TUNED = """
import signal
from pathlib import Path
from smash.workbench.runs.signals import leave_at_once
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background job
leave_at_once()
Path("begun").touch()
import tune
{}
tune.app()
"""
"""What tune.py does as a program; it says that Ctrl-C is heard from now on."""
WITHOUT_PLOTS = """
import smash.workbench.search.findings
smash.workbench.search.findings.plots = lambda *_: iter(())
"""


@dataclass(frozen=True)
class StudyRoom:
    """A folder with a study and its base experiment, in which tune.py is called."""

    folder: Path

    @classmethod
    def at(cls, folder: Path, **changes: Any) -> "StudyRoom":
        for path in _databases().iterdir():
            shutil.copy(path, folder)
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        (folder / "study.yaml").write_text(yaml.safe_dump({**STUDY, **changes}))
        return cls(folder)

    @property
    def storage(self) -> str:
        return sqlite_uri(self.folder / "studies.db")

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(sqlite_uri(self.folder / "mlflow.db"))

    def invoke(self, *arguments: str, plots: bool = False) -> Result:
        """Returns what tune.py did here, its trials run in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.setattr("smash.workbench.search.search.run_locally", _run_here)
            if not plots:
                patch.setattr("smash.workbench.search.findings.plots", lambda *_: iter(()))
            return CliRunner().invoke(tune.app, ["--study", "study.yaml", *arguments])

    def run(self, *arguments: str, plots: bool = False) -> Result:
        """Returns what tune.py did here; it must succeed."""
        result = self.invoke(*arguments, plots=plots)
        assert result.exit_code == 0, (result.output, result.exception)
        return result

    def studies(self) -> list[str]:
        return optuna.get_all_study_names(self.storage)

    def study(self, name: str = "study") -> optuna.Study:
        return optuna.load_study(study_name=name, storage=self.storage)

    def trials(self, name: str = "study") -> list[FrozenTrial]:
        return self.study(name).get_trials(deepcopy=False)

    def parent(self, name: str = "study") -> Run:
        return self.client.get_run(self.study(name).user_attrs["mlflow"]["run"])

    def children(self, name: str = "study") -> dict[int, Run]:
        """Returns the runs below the study's run by their trials' numbers."""
        parent = self.parent(name)
        runs = self.client.search_runs(
            [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
        )
        return {int(run.data.tags["trial"]): run for run in runs}

    def artifact(self, run: Run, path: str) -> Path:
        return Path(self.client.download_artifacts(run.info.run_id, path))

    def table(self, name: str = "study") -> pd.DataFrame:
        return pd.read_parquet(self.artifact(self.parent(name), "trials.parquet"))

    def best(self, name: str = "study") -> Path:
        return self.folder / "runs" / "studies" / name / "best.yaml"

    def training_lock(self) -> Path | None:
        """Returns the lock of the only training of a study in `SHARED`, None before it starts."""
        locks = list((self.folder / "runs" / "cache").glob("*.lock"))
        return locks[0] if locks else None

    @contextmanager
    def hold_training(self) -> Iterator[None]:
        """Keeps every trial of a study in `SHARED` from its end, as if it took very long."""
        lock = self.training_lock()
        assert lock, "no trial of the study has started"
        with FileLock(lock):
            yield

    @contextmanager
    def process(
        self, *arguments: str, plots: bool = False, prelude: str = "", **variables: str
    ) -> Iterator[subprocess.Popen]:
        """Yields tune.py as a process of its own, which is killed at the end at the latest.

        Unless told to it draws no plots, which take longer than all the rest.
        `prelude` is run first.
        """
        script = TUNED.format(prelude + ("" if plots else WITHOUT_PLOTS))
        command = [sys.executable, "-c", script, "--study", "study.yaml", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment() | {"PYTHONPATH": IMPORTED_FROM} | variables,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


@cache
def _databases() -> Path:
    """Returns a folder with databases whose tables are made, which takes seconds."""
    folder = Path(tempfile.mkdtemp())
    open_client(f"sqlite:///{folder / 'mlflow.db'}")
    create_storage(f"sqlite:///{folder / 'studies.db'}", heartbeat=1)
    return folder


def _run_here(plan: Any, jobs: int, watch: Callable[[], None], _: Any) -> None:
    work(open_office(plan), plan.call)
    watch()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen, seconds: float) -> None:
    """Waits until something is so, as long as a process runs."""
    last = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise AssertionError(f"it ended by itself: {process.communicate()}")
        assert time.monotonic() < last, "it took too long"
        time.sleep(0.3)


def values_of(trials: list[FrozenTrial]) -> Mapping[int, Any]:
    """Returns what is known of finished trials, to see that none of it is lost."""
    return {
        t.number: (t.state, t.values, json.dumps(t.params))
        for t in trials
        if t.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    }


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
