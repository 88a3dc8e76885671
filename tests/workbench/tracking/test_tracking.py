"""Runs in a real MLflow: what is logged is there, in one piece, whatever happens on the way."""

import _thread
import json
import logging
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from patience import HANGING

from smash.data.dataset import build_dataset
from smash.data.events import build_sequences
from smash.errors import TrackingError
from smash.workbench.tracking import delivery, server, tracker
from smash.workbench.tracking.operations import Artifact, save_writes
from smash.workbench.tracking.server import (
    download_artifact,
    find_run,
    open_client,
    shown,
    tracking_uri,
)
from smash.workbench.tracking.store import connect

ROOT = Path(__file__).parents[3]
INTERRUPTED = """
import sys
from sqlalchemy import Engine, event
from smash.workbench.tracking.server import open_client

@event.listens_for(Engine, "after_cursor_execute")
def interrupt(connection, cursor, statement, *_):
    if "CREATE TABLE _alembic_tmp_" in statement:
        raise KeyboardInterrupt

open_client(sys.argv[1])
"""
"""Opens a new database and is interrupted in the midst of MLflow's migrations."""


@pytest.fixture
def store(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return connect(f"test-{tmp_path.name}", uri, tmp_path / "spool")


def history(uri, run_id, key):
    rows = MlflowClient(uri).get_metric_history(run_id, key)
    return [(row.step, row.value) for row in sorted(rows, key=lambda row: row.step)]


def start(store, **options):
    return store.start("run", system_metrics=False, **options)


def make_dataset(last=3.0):
    def split(name):
        time = np.array([0.5, 1.0, last, 1.0, 2.0])
        return build_sequences(time, np.arange(10.0).reshape(5, 2), None, [3, 2], name)

    return build_dataset("tiny", split("train"), split("validation"), split("test"))


def test_what_is_logged_is_there(store, uri):
    with start(store) as run:
        run.log_params({f"p{i}": i for i in range(230)} | {"long": "x" * 10_000, "empty": ""})
        run.set_tags({"protocol": "strict", "note": "y" * 9000})
        for epoch in range(50):
            run.log_metrics({"train/loss": 1 / (epoch + 1), "lr": 1e-3}, epoch)
        run.log_metrics({"test/mae": np.float32(0.5), "mark/a=b é": 1})
    found = find_run(run.run_id, uri)
    assert found.info.status == "FINISHED"
    assert {found.data.params[f"p{i}"] for i in range(230)} == {str(i) for i in range(230)}
    assert found.data.params["long"] == "x" * 5999 + "…"
    assert found.data.params["empty"] == ""
    assert found.data.tags["protocol"] == "strict"
    assert len(found.data.tags["note"]) == 8000
    assert history(uri, run.run_id, "train/loss") == [(e, 1 / (e + 1)) for e in range(50)]
    assert found.data.metrics["test/mae"] == 0.5
    assert found.data.metrics["mark/a_b é"] == 1


def test_a_database_is_made_whole_or_not_at_all(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", INTERRUPTED, uri]
    stopped = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in stopped.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"mlflow.db.lock"}
    assert open_client(uri).search_experiments()


@pytest.mark.parametrize("form", ["sqlite:///{}//new/./mlflow.db", "sqlite:///{}/sqlite?timeout=9"])
def test_a_database_may_be_named_in_any_form(form, tmp_path):
    uri = form.format(tmp_path)
    assert open_client(uri).search_experiments()
    path = server.sqlite_path(uri)
    assert path is not None
    assert {found.name for found in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}


def test_many_epochs_take_few_requests(store, uri):
    with start(store) as run:
        for epoch in range(2000):
            run.log_metrics({"a": epoch, "b": -epoch}, epoch)
        assert run.drain(HANGING)
        assert run.requests <= math.ceil(4000 / 1000) + 1
        assert run.seconds > 0
    assert history(uri, run.run_id, "b") == [(e, -e) for e in range(2000)]


def test_nan_survives_and_infinity_is_the_largest_float(store, uri):
    with start(store) as run:
        run.log_metrics({"nan": float("nan"), "up": math.inf, "down": -math.inf})
    metrics = find_run(run.run_id, uri).data.metrics
    assert math.isnan(metrics["nan"])
    assert metrics["up"] == -metrics["down"] == pytest.approx(sys.float_info.max)


def test_artifacts_are_copied_when_logged_and_leave_no_trace(store, uri, tmp_path):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "weights").write_text("first")
    with start(store) as run:
        run.log_artifact(folder, "checkpoints")
        run.log_artifact(folder / "weights")
        assert (folder / "weights").read_text() == "first"
        (folder / "weights").write_text("second")
        run.log_text("name: é\n", "spec/spec.yaml")
        run.log_figure(Figure(), "figures/empty.png")
        run.log_table(pd.DataFrame({"a": [1, 2]}), "samples.parquet")
    out = tmp_path / "out"
    for path in ("weights", "checkpoints/checkpoint/weights"):
        assert download_artifact(run.run_id, path, out, uri).read_text() == "first"
    assert download_artifact(run.run_id, "spec", out, uri).joinpath("spec.yaml").read_text(
        encoding="utf-8"
    ) == ("name: é\n")
    assert download_artifact(run.run_id, "figures/empty.png", out, uri).stat().st_size > 0
    table = pd.read_parquet(download_artifact(run.run_id, "samples.parquet", out, uri))
    assert table["a"].tolist() == [1, 2]
    assert not list(store.spool.rglob("*"))


def test_an_absent_file_is_refused_when_logged(store, tmp_path):
    with start(store) as run, pytest.raises(TrackingError, match="nothing-here"):
        run.log_artifact(tmp_path / "nothing-here")


def test_the_data_set_is_an_input_with_sizes_and_the_whole_digest(store, uri):
    dataset, other = make_dataset(), make_dataset(last=3.5)
    with start(store) as run:
        run.log_dataset(dataset)
    found = find_run(run.run_id, uri)
    [given] = found.inputs.dataset_inputs
    profile = json.loads(given.dataset.profile)
    assert given.dataset.name == "tiny"
    assert dataset.digest.startswith(given.dataset.digest)
    assert not other.digest.startswith(given.dataset.digest)
    assert profile["sha256"] == found.data.tags["data/sha256"] == dataset.digest
    assert profile["train"] == {"sequences": 2, "events": 5}
    assert found.data.tags["data/test_events"] == "5"


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")]
)
def test_a_run_ends_as_it_ended(store, uri, error, status):
    run = start(store)
    run.log_metrics({"loss": 1.0})
    with pytest.raises(error), run:
        raise error
    found = find_run(run.run_id, uri)
    assert found.info.status == status
    assert found.data.metrics == {"loss": 1.0}


def test_runs_live_side_by_side_and_below_each_other(store, uri):
    with start(store, tags={"kind": "parent"}) as parent:
        children = [start(store, parent=parent.run_id) for _ in range(2)]
        for value, child in enumerate(children):
            child.log_metrics({"score": value})
        parent.log_metrics({"score": 0.5})
        for child in children:
            child.close()
    for value, child in enumerate(children):
        found = find_run(child.run_id, uri)
        assert found.data.tags["mlflow.parentRunId"] == parent.run_id
        assert found.data.metrics == {"score": value}
    found = find_run(parent.run_id, uri)
    assert (found.data.tags["kind"], found.data.metrics) == ("parent", {"score": 0.5})


def test_a_resumed_run_goes_on_where_it_was(store, uri):
    run = start(store)
    run.log_params({"epochs": 2, "seed": 1})
    run.log_metrics({"loss": 2.0}, 0)
    run.close("KILLED")
    with store.resume(run.run_id, system_metrics=False) as again:
        assert find_run(run.run_id, uri).info.status == "RUNNING"
        again.log_params({"epochs": 4, "seed": 1, "new": 2})
        again.log_metrics({"loss": 1.0}, 1)
    found = find_run(run.run_id, uri)
    assert again.run_id == run.run_id
    assert found.info.status == "FINISHED"
    assert found.data.params == {"epochs": "2", "seed": "1", "new": "2"}
    assert found.data.tags["changed/epochs"] == "4"
    assert "changed/seed" not in found.data.tags
    assert history(uri, run.run_id, "loss") == [(0, 2.0), (1, 1.0)]


def test_system_metrics_are_logged_even_of_a_short_run(store, uri):
    with store.start("run"):
        pass
    [run] = MlflowClient(uri).search_runs([store.experiment_id])
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= set(
        run.data.metrics
    )


def test_unknown_runs_and_artifacts_are_named(store, uri, tmp_path):
    with pytest.raises(TrackingError, match="no run 0123"):
        find_run("0123", uri)
    with pytest.raises(TrackingError, match="no run 0123"):
        store.resume("0123")
    with start(store) as run:
        run.log_text("a", "there.txt")
    with pytest.raises(TrackingError, match=r"no artifact absent; it has there\.txt"):
        download_artifact(run.run_id, "absent", tmp_path / "out", uri)


def test_looking_for_runs_where_there_are_none_creates_nothing(tmp_path):
    with pytest.raises(TrackingError, match="no such file"):
        find_run("0123", f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert not list(tmp_path.iterdir())


def test_a_deleted_experiment_is_named(uri, tmp_path):
    store = connect("deleted", uri, tmp_path)
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match="restore"):
        connect("deleted", uri, tmp_path)


def test_the_default_is_a_database_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    stale = tmp_path / "mlruns" / "0"
    stale.mkdir(parents=True)
    (stale / "meta.yaml").write_text("")
    assert tracking_uri() == f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere")
    assert tracking_uri() == "http://somewhere"


def test_passwords_are_not_shown():
    assert shown("postgresql://me:secret@host:5432/db") == "postgresql://me:***@host:5432/db"
    assert shown("http://127.0.0.1:5000") == "http://127.0.0.1:5000"


def test_what_could_not_be_sent_is_kept_and_can_be_sent_later(store, uri, tmp_path, monkeypatch):
    def away(client, write):
        raise ConnectionError("away")

    run = start(store)
    with monkeypatch.context() as patch:
        patch.setattr(tracker, "send", away)
        run.log_metrics({"loss": 1.0}, 3)
        run.log_text("kept", "a.txt")
        run.log_dataset(make_dataset())
        with pytest.raises(TrackingError, match="could not be sent") as kept:
            run.close(deadline=0.1)
    folder = store.spool / run.run_id
    assert str(folder) in str(kept.value)
    assert find_run(run.run_id, uri).info.status == "RUNNING"
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "send", away)
        with pytest.raises(TrackingError, match="was not sent"):
            delivery.resend(folder, uri)
    delivery.resend(folder, uri)
    found = find_run(run.run_id, uri)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"loss": 1.0})
    assert len(found.inputs.dataset_inputs) == 1
    out = download_artifact(run.run_id, "a.txt", tmp_path / "out", uri)
    assert out.read_text() == "kept"
    assert not folder.exists()


def test_what_was_sent_is_removed_and_nothing_beside_it(store, uri, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("sent")
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    run = start(store)
    writes = [Artifact(run.run_id, str(tmp_path / "folder" / "a.txt"), None)]
    save_writes(writes, tmp_path / "folder" / "writes.jsonl")
    delivery.resend(tmp_path / "folder", uri)
    run.close()
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"a.txt", "mine.txt"}


def test_two_processes_may_start_at_once_on_a_fresh_database(tmp_path):
    program = (
        "from smash.workbench.tracking.store import connect\n"
        "with connect('both').start('run', system_metrics=False) as run:\n"
        "    run.log_metrics({'loss': 1.0})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "true"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment)
        for _ in range(2)
    ]
    assert [process.wait(HANGING) for process in started] == [0, 0]
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("both")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.data.metrics for run in runs] == [{"loss": 1.0}] * 2
    assert experiment.artifact_location.startswith(str(tmp_path / "mlruns"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_server_that_is_not_there_is_named_at_once():
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TrackingError, match=uri) as refused:
        connect("any", uri)
    assert "MLFLOW_TRACKING_URI" in str(refused.value)
    assert "Connection refused)" in str(refused.value)


def test_a_server_that_never_answers_is_given_up_on(monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(TrackingError, match=r"cannot be used \(timed out\)"):
            connect("any", f"http://127.0.0.1:{silent.getsockname()[1]}")


class Server:
    """`mlflow server` on a free port of this machine, killed and started again at will."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self):
        options = {
            "--backend-store-uri": f"sqlite:///{self.folder / 'server.db'}",
            "--artifacts-destination": str(self.folder / "artifacts"),
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--workers": "1",
        }
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *sum(options.items(), ())],
                env={**os.environ, **quiet},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        while self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def test_a_server_killed_in_the_middle_costs_one_warning_and_nothing_else(
    uri, tmp_path, caplog, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "PATIENCE", int(HANGING))
    shutil.copy(uri.removeprefix("sqlite:///"), tmp_path / "server.db")  # saves making tables
    served = Server(tmp_path)
    served.start()
    try:
        store = connect("outage", served.uri)
        with caplog.at_level(logging.INFO, "smash.workbench.tracking"), start(store) as run:
            for epoch in range(10):
                run.log_metrics({"loss": epoch}, epoch)
            run.log_text("before", "before.txt")
            assert run.drain(HANGING)
            served.kill()
            for epoch in range(10, 20):
                run.log_metrics({"loss": epoch}, epoch)
            run.log_text("during", "during.txt")
            run.set_tags({"during": "yes"})
            back = threading.Timer(0.5, served.start)
            back.start()
            for epoch in range(20, 30):
                run.log_metrics({"loss": epoch}, epoch)
            back.join()
            assert run.drain(HANGING)
        found = find_run(run.run_id, served.uri)
        assert found.info.status == "FINISHED"
        assert found.data.tags["during"] == "yes"
        assert history(served.uri, run.run_id, "loss") == [(e, e) for e in range(30)]
        for name in ("before", "during"):
            path = download_artifact(run.run_id, f"{name}.txt", tmp_path / "out", served.uri)
            assert path.read_text() == name
    finally:
        served.kill()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "kept until it can" in caplog.text


@pytest.mark.parametrize("moment", ["as the thread starts", "as the server answers"])
@pytest.mark.parametrize("opening", ["create_run", "update_run"])
def test_a_run_that_is_interrupted_as_it_is_opened_does_not_seem_to_run(
    store, uri, monkeypatch, opening, moment
):
    """The interruption comes when nobody knows the run yet that the server has or will have."""
    before = start(store)
    before.close()
    opened = []
    request = getattr(MlflowClient, opening)

    def interrupted(*arguments, **named):
        opened.append(request(*arguments, **named))
        if moment == "as the server answers":
            _thread.interrupt_main()
            time.sleep(0.1)
        return opened[0]

    def begin(thread):
        started(thread)
        if thread.name == "opening" and moment == "as the thread starts":
            signal.raise_signal(signal.SIGINT)

    started = threading.Thread.start

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, opening, interrupted)
            patch.setattr(threading.Thread, "start", begin)
            with pytest.raises(KeyboardInterrupt):
                store.resume(before.run_id) if opening == "update_run" else start(store)
    finally:
        signal.signal(signal.SIGINT, handler)
    run_id = before.run_id if opening == "update_run" else opened[0].info.run_id
    info = find_run(run_id, uri).info
    assert info.status == "KILLED"
    # A new one holds nothing, and is not left about.
    assert info.lifecycle_stage == ("active" if opening == "update_run" else "deleted")
