"""Runs that are stopped at random moments and gone on with, beside the same runs left alone.

Each is a process of its own, forked from one that has imported all of it.
"""

import fcntl
import functools
import importlib
import json
import multiprocessing
import os
import resource
import select
import shutil
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from patience import HANGING
from tiny_runs import TINY

from smash.workbench.tracking.store import Store
from smash.workbench.tracking.tracker import Tracker

SCENARIOS: Mapping[str, tuple[str, ...]] = {
    "one seed": ("sample_every=1", "validation_samples=4", "baselines=[climatology, walk]"),
    "seeds": ("seeds=[5, 6]", "ensemble=true", "baselines=[climatology]"),
    "baselines": ("baselines=[climatology, markov, hawkes]",),
}
STAGES = {"baselines": ("--stage", "baselines")}
MEASURED = ("seconds", "per_second")
"""Endings of metrics that no two runs share."""
WRITTEN = (
    "spec.yaml",
    "environment.txt",
    "data/audit.json",
    "data/summary.csv",
    "recalibration.json",
    "scores/comparison.json",
    "scores/estimator_audit.json",
)
IMPORTED_LATE = (
    "smash.workbench.runs.runner",
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "torch._dynamo",
    "torch.onnx",
)
"""What a run imports on its way, which takes longer than all the rest of a tiny one."""


@dataclass(frozen=True)
class Stop:
    """What stops a process: a signal, at a share of the time that the run takes if left alone.

    `away`: the tracking server is, from the moment that it has made the first run. `terminal`: it
    comes from the system, as the terminal that the process was started from is closed.
    """

    number: signal.Signals
    share: float
    away: bool = False
    terminal: bool = False


@dataclass(frozen=True)
class Plan:
    """A scenario and the stops of its first processes, one after another."""

    scenario: str
    stops: tuple[Stop, ...]

    @classmethod
    def drawn(cls, number: int) -> "Plan":
        """Returns the plan of a number: most are killed, some early, some more than once."""
        rng = np.random.default_rng(20261126 + number)
        ways = [signal.SIGKILL] * 5 + [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
        stops = []
        for _ in range(rng.choice([1, 1, 2])):
            share = rng.uniform() * rng.choice([0.05, 1, 1, 1])
            way = signal.SIGKILL if (away := rng.uniform() < 0.2) else ways[rng.integers(8)]
            stops.append(Stop(way, float(share), bool(away)))
        return cls(list(SCENARIOS)[number % len(SCENARIOS)], tuple(stops))


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, what it said, seconds from its first run to the end."""

    code: int
    said: str
    seconds: float


@dataclass(frozen=True)
class Room:
    """A folder in which runs of a scenario take place."""

    folder: Path

    @classmethod
    def at(cls, folder: Path, database: Path) -> "Room":
        folder.mkdir(parents=True)
        shutil.copy(database, folder / "mlflow.db")
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        return cls(folder)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def process(
        self, *arguments: str, stop: Stop | None = None, seconds: float = 0.0, full: str = ""
    ) -> Ended:
        """Returns how the command line ended here, stopped at a share of `seconds`.

        The disk is full whenever the function named `full` is called.
        """
        how = (self.folder, arguments, stop, seconds, full)
        process = _context().Process(target=_run, args=how)
        process.start()
        process.join(HANGING)
        assert process.exitcode is not None, "it hangs"
        path = self.folder / "seconds.json"
        spent = json.loads(path.read_text()) if path.exists() else 0.0
        return Ended(process.exitcode, (self.folder / "said.txt").read_text(), spent)

    def started(self, scenario: str, **how: Any) -> Ended:
        """Returns how a new run of a scenario ended."""
        changes = [part for change in SCENARIOS[scenario] for part in ("--set", change)]
        return self.process("tiny.yaml", *STAGES.get(scenario, ()), *changes, **how)

    def runs(self) -> dict[tuple[str, ...], Run]:
        """Returns all runs by what they are below which other; no two are the same."""
        experiments = [found.experiment_id for found in self.client.search_experiments()]
        by_id = {run.info.run_id: run for run in self.client.search_runs(experiments)}

        def place(run: Run) -> tuple[str, ...]:
            tags = run.data.tags
            above = by_id.get(tags.get("mlflow.parentRunId", ""))
            named = (f"{name} {tags[name]}" for name in ("baseline", "seed") if name in tags)
            own = "ensemble" if "ensemble" in tags else next(named, "top")
            return (*place(above), own) if above else (own,)

        places: dict[tuple[str, ...], Run] = {}
        for run in by_id.values():
            assert place(run) not in places, f"{place(run)} is there twice"
            places[place(run)] = run
        return places

    def top(self) -> Run | None:
        """Returns the run above all others, None before there is one."""
        return next((run for place, run in self.runs().items() if len(place) == 1), None)


@cache
def _context() -> Any:
    """Returns what makes processes, of which the first imports everything once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_runs", "run_experiment", *IMPORTED_LATE])
    return context


def _run(
    folder: Path, arguments: tuple[str, ...], stop: Stop | None, seconds: float, full: str
) -> None:
    """Runs the command line in a folder; what a process of `Room` does."""
    os.chdir(folder)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.setsid()
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    hang_up = _terminal(said) if stop and stop.terminal else None
    if hang_up is None:
        os.dup2(said, 1)
        os.dup2(said, 2)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's `&` has them ignored
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
    Tracker.log_figure = lambda self, figure, name: self.log_text("drawn", name)  # type: ignore
    if full:
        _fill_disk(full)
    began = _stopping(stop, seconds, hang_up)
    sys.argv = ["run_experiment.py", *arguments]
    import run_experiment

    try:
        run_experiment.app()
    finally:
        sys.stdout.flush()
        if began and not stop:
            Path("seconds.json").write_text(json.dumps(time.perf_counter() - began[0]))


def _terminal(said: int) -> Callable[[], None]:
    """Makes a terminal this process's own; returns what closes it. `said` gets what it shows."""
    master, slave = os.openpty()
    closed, close = os.pipe()
    if os.fork() == 0:
        while (
            closed not in (ready := select.select([master, closed], [], [])[0]) or master in ready
        ):
            os.write(said, os.read(master, 2**16))
        os._exit(0)
    os.close(master)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.dup2(slave, 1)
    os.dup2(slave, 2)
    return lambda: os.write(close, b"x") and None


def _fill_disk(where: str) -> None:
    """Has no file grow while the function at `where` (module:attributes) is called."""
    module, _, attributes = where.partition(":")
    *owners, name = attributes.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    function = getattr(owner, name)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def called(*arguments: Any, **named: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            return function(*arguments, **named)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    setattr(owner, name, called)


def _stopping(stop: Stop | None, seconds: float, hang_up: Callable[[], None] | None) -> list[float]:
    """Has the first run that is opened start the clock; returns where its start will be."""
    began: list[float] = []

    def watched(opening: Any) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            if not began:
                began.append(time.perf_counter())
                if stop:
                    kill = threading.Timer(
                        stop.share * seconds, os.kill, (os.getpid(), stop.number)
                    )
                    kill.daemon = True
                    kill.start()
            tracker = opening(*arguments, **named)
            if stop and stop.away:
                tracker.send = _away  # type: ignore[assignment]
            return tracker

        return called

    Store.start = watched(Store.start)  # type: ignore[method-assign]
    Store.resume = watched(Store.resume)  # type: ignore[method-assign]
    return began


def _away(client: Any, write: Any) -> None:
    raise ConnectionError("away")


@dataclass
class Story:
    """What came of a plan: its processes, and whether there was a run to go on with."""

    plan: Plan
    ended: list[Ended] = field(default_factory=list)
    outcome: str = ""

    def __str__(self) -> str:
        stops = [
            f"{stop.number.name} at {stop.share:.0%}{', the server away' * stop.away}"
            for stop in self.plan.stops
        ]
        codes = [ended.code for ended in self.ended]
        return f"{self.plan.scenario}: {'; '.join(stops)}: exit codes {codes}: {self.outcome}"


def told(plan: Plan, room: Room, alone: Room, seconds: float) -> Story:
    """Returns what came of a plan, after checks that all of its runs are whole in the end."""
    story, arguments = Story(plan), None
    for stop in plan.stops:
        how: Any = {"stop": stop, "seconds": seconds}
        done = (
            room.process("--resume", arguments, **how)
            if arguments
            else room.started(plan.scenario, **how)
        )
        story.ended.append(done)
        check_end(room, stop, done)
        if (top := room.top()) is None:
            story.outcome = "there was no run yet"
            return story
        arguments = top.info.run_id
    assert arguments is not None
    last = room.process("--resume", arguments)
    story.ended.append(last)
    assert last.code == 0, last.said
    check_equal(room, alone)
    story.outcome = "whole"
    return story


def check_end(room: Room, stop: Stop, ended: Ended) -> None:
    """Checks that a stopped process ended as it should, unless it was done before."""
    if ended.code == 0:
        return
    assert "Traceback" not in ended.said, ended.said
    if stop.number == signal.SIGKILL:
        assert ended.code == -signal.SIGKILL, ended.said
        return
    assert ended.code == 128 + stop.number, ended.said
    statuses = {run.info.status for run in room.runs().values()}
    assert statuses <= {"KILLED", "FINISHED"}, (statuses, ended.said)
    # What was stopped as it said its figures lacks nothing.
    if "KILLED" in statuses and not stop.terminal:
        assert "--resume" in ended.said, ended.said


def check_equal(room: Room, alone: Room) -> None:
    """Checks that runs which were gone on with hold all that runs left alone hold, once."""
    runs, others = room.runs(), alone.runs()
    assert runs.keys() == others.keys()
    for place, run in runs.items():
        other = others[place]
        assert run.info.status == "FINISHED", place
        assert run.data.params == other.data.params
        assert other.data.tags.keys() <= run.data.tags.keys() | {"ensemble"}
        digests = [[i.dataset.digest for i in r.inputs.dataset_inputs] for r in (run, other)]
        assert digests[0] == digests[1]
        assert len(digests[0]) == 1
        check_metrics(room.client, run, alone.client, other)
        check_files(Path(run.info.artifact_uri), Path(other.info.artifact_uri))
    assert not list((room.folder / "runs" / "unsent").glob("*"))


def check_metrics(
    client: MlflowClient, run: Run, client_of_other: MlflowClient, other: Run
) -> None:
    def logged(client: MlflowClient, run: Run) -> dict[str, list[tuple[int, str]]]:
        keys = [key for key in run.data.metrics if not key.startswith("system/")]
        rows = {key: client.get_metric_history(run.info.run_id, key) for key in keys}
        return {key: sorted((r.step, repr(r.value)) for r in found) for key, found in rows.items()}

    own, theirs = logged(client, run), logged(client_of_other, other)
    assert own.keys() == theirs.keys()
    for key in own:
        if key.endswith(MEASURED):
            assert {step for step, _ in own[key]} == {step for step, _ in theirs[key]}, key
        else:
            assert own[key] == theirs[key], key


def check_files(folder: Path, other: Path) -> None:
    def files(below: Path) -> set[str]:
        found = {str(p.relative_to(below)) for p in below.rglob("*") if p.is_file()}
        return {name for name in found if "__pycache__" not in name}

    assert files(folder) == files(other)
    for name in WRITTEN:
        if (other / name).exists():
            assert (folder / name).read_text() == (other / name).read_text(), name
    for table in ("scores/events.parquet", "recalibration/events.parquet"):
        if (other / table).exists():
            pd.testing.assert_frame_equal(*(pd.read_parquet(p / table) for p in (folder, other)))
    for weights in other.glob("checkpoints/best/*.safetensors"):
        kept = folder / weights.relative_to(other)
        assert kept.read_bytes() == weights.read_bytes()
