"""Tiny experiments, run for real: a spec that trains in a second, and a folder to run it in."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.artifacts
import pandas as pd
import pytest
import yaml
from click.testing import Result
from mlflow import MlflowClient
from mlflow.entities import Run
from typer.testing import CliRunner

import run_experiment
from smash.workbench.runs import single_run
from smash.workbench.tracking.server import sqlite_uri
from smash.workbench.tracking.tracker import Tracker

ROOT = Path(run_experiment.__file__).parent
SCRIPT = ROOT / "run_experiment.py"
IMPORTED_FROM = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "simulated", "simulator": {"sequences": [6, 3, 3], "events": [5, 8]}},
    "model": {"cond_dim": 8, "n_layers": 1, "num_units": 8},
    "training": {"total_epochs": 2, "batch_size": 2, "eval_every": 1},
    "sampling": {
        "sampler": "langevin",
        "denoise": "tweedie",
        "sampling_steps": 4,
        "per_step": 2,
        "n_samples": 3,
        "total_samples": 6,
        "location_steps": 2,
    },
    "seed": 5,
    "device": "cpu",
    "threads": 1,  # equal bits are promised for equal numbers of threads
}


@dataclass(frozen=True)
class Outcome:
    """One finished run of `Workshop.run`: its id, its test figures, what MLflow holds of it."""

    run_id: str
    figures: Mapping[str, float]
    summary: Mapping[str, Any]
    logged: Run

    @property
    def params(self) -> Mapping[str, str]:
        return self.logged.data.params

    @property
    def tags(self) -> Mapping[str, str]:
        return self.logged.data.tags

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.logged.data.metrics

    @property
    def test_metrics(self) -> dict[str, float]:
        """Returns the logged test figures but seconds, which no run repeats."""
        named = {k.removeprefix("test/"): v for k, v in self.metrics.items() if k[:5] == "test/"}
        return {name: v for name, v in named.items() if not name.endswith("seconds")}


STOPPED = """
import os, signal, sys
import run_experiment
from dropped_interruptions import interrupt_where_python_drops_it
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's background job
from smash.model.training import Trainer
number, epochs, dropped = int(sys.argv.pop(1)), int(sys.argv.pop(1)), sys.argv.pop(1)
step, before = Trainer._step, []
def stopped(trainer, *arguments):
    done = len(trainer.result.records)
    before.append(done)
    if done - before[0] == epochs:
        interrupt_where_python_drops_it() if dropped == "dropped" else os.kill(os.getpid(), number)
    return step(trainer, *arguments)
Trainer._step = stopped
run_experiment.app()
"""
"""The command line, which sends itself a signal at each batch of the epoch after some epochs."""


@dataclass(frozen=True)
class Interrupted:
    """A process that was stopped: its exit code and what it said."""

    code: int
    errors: str


@dataclass(frozen=True)
class Workshop:
    """A folder with a spec, in which the command line is run; its runs are in its `mlflow.db`."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> "Workshop":
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        return cls(folder)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(sqlite_uri(self.folder / "mlflow.db"))

    def invoke(self, *arguments: str, **environment: str) -> Result:
        """Returns what the command line did in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            return CliRunner().invoke(run_experiment.app, arguments, env=environment)

    def run(self, *arguments: str, draw: bool = False) -> Outcome:
        """Returns the run that the command line made; it must succeed.

        Drawing takes most of a tiny run's time, so figures are left out unless `draw` is set.
        """
        with pytest.MonkeyPatch.context() as patch:
            if not draw:
                patch.setattr(Tracker, "log_figure", lambda *_: None)
                patch.setattr(single_run, "log_film", lambda *_: None)
            result = self.invoke(*arguments, "--summary", "summary.json")
        assert result.exit_code == 0, (result.output, result.exception)
        summary = json.loads((self.folder / "summary.json").read_text())
        run_id = summary["runs"][0]["run_id"]
        return Outcome(run_id, summary["figures"], summary, self.client.get_run(run_id))

    def artifact(self, run_id: str, path: str) -> Path:
        """Returns where an artifact of a run lies."""
        return Path(self.client.download_artifacts(run_id, path))

    def model(self, run_id: str) -> Path:
        """Returns where the model that a run trained lies, as MLflow packs it."""
        [made] = self.client.get_run(run_id).outputs.model_outputs
        place = self.client.get_logged_model(made.model_id).artifact_location
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=place))

    def scores(self, run_id: str) -> pd.DataFrame:
        """Returns the table of scored events that a run logged."""
        return pd.read_parquet(self.artifact(run_id, "scores/events.parquet"))

    def history(self, run_id: str, metric: str) -> dict[int, float]:
        """Returns a metric's value at each of its steps."""
        return {row.step: row.value for row in self.client.get_metric_history(run_id, metric)}

    def run_ids(self) -> set[str]:
        """Returns the ids of all runs of the folder, which need not have any."""
        if not (self.folder / "mlflow.db").exists():
            return set()
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        return {run.info.run_id for run in self.client.search_runs(experiments)}

    def interrupt(
        self, signal_number: signal.Signals, epochs: int, *arguments: str, how: str = "heard"
    ) -> Interrupted:
        """Returns a run stopped by a signal in the middle of the epoch after some epochs more.

        `how`: "heard" or "dropped", where Python ignores what the signal's handler raises.
        """
        done = subprocess.run(
            [sys.executable, "-c", STOPPED, str(int(signal_number)), str(epochs), how, *arguments],
            cwd=self.folder,
            env=environment() | {"PYTHONPATH": IMPORTED_FROM},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return Interrupted(done.returncode, done.stderr)


def environment() -> dict[str, str]:
    """Returns the environment for a process of its own, without a tracking server."""
    kept = {name: v for name, v in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return kept | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def find_program(name: str) -> str | None:
    """Returns where a program of this environment is, None where it is not installed."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)
