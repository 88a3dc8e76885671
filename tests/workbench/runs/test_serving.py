"""A registered model behind MLflow's own server: answers, refuses with a reason, stays up."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from patience import HANGING
from tiny_runs import environment

import smash
from smash.errors import SmashError
from smash.workbench.runs.registry import CHAMPION, registered_name

REGISTER = ("tiny.yaml", "--stage", "train", "--register", "--set", "validation_samples=4")
BESIDE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""The search path of an activated environment, in which MLflow finds its server."""
HISTORY = {"sequence": [1, 1], "time": [0.4, 1.1], "x": [0.1, 0.3], "y": [0.0, 0.2]}
EVENTS = HISTORY | {"mark": [0, 2]}


@pytest.fixture(scope="module")
def registered(workshop):
    """The folder of two registered runs, one of them hardly trained."""
    for more in ((), ("--set", "learning_rate=1e-9", "--set", "final_learning_rate=0")):
        done = workshop.invoke(*REGISTER, *more)
        assert done.exit_code == 0, (done.output, done.exception)
    return workshop


@pytest.fixture(scope="module")
def server(registered):
    """The address of a server of the champion."""
    with served(registered, f"models:/tiny@{CHAMPION}") as address:
        yield address


@contextmanager
def served(workshop, model):
    """Yields the address of a server of a model on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = workshop.folder / "server.log"
    command = ["mlflow", "models", "serve", "-m", model, "-p", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "-h", "127.0.0.1", "--env-manager", "local"],
            cwd=workshop.folder,
            env=tracked(workshop),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _answers(f"{address}/ping"):
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=HANGING)


def tracked(workshop):
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    return environment() | {"MLFLOW_TRACKING_URI": uri, "PATH": BESIDE}


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def ask(server, body, **params):
    """Returns status and content of a reply to a body, a table unless it is bytes."""
    if not isinstance(body, bytes):
        body = json.dumps({"dataframe_split": split(body), "params": params}).encode()
    request = urllib.request.Request(
        f"{server}/invocations", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=HANGING) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def split(events):
    return {key: value for key, value in pd.DataFrame(events).to_dict("split").items()}


def test_the_best_on_validation_data_is_the_champion(registered):
    client, name = registered.client, registered_name("tiny")
    versions = client.search_model_versions(f"name='{name}'")
    scores = {int(v.version): float(v.tags["validation/relative_score"]) for v in versions}
    assert len(scores) >= 2
    champion = client.get_model_version_by_alias(name, CHAMPION)
    assert int(champion.version) == min(scores, key=scores.get)


def test_a_registered_model_is_loaded_by_its_name(registered, monkeypatch):
    monkeypatch.chdir(registered.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    forecaster = smash.load(smash.workbench.load(f"models:/tiny@{CHAMPION}"))
    assert forecaster.about.dataset == "simulated"
    with pytest.raises(SmashError, match="no model models:/tiny@nobody"):
        smash.workbench.load("models:/tiny@nobody")


def test_it_answers_with_forecasts(server):
    status, reply = ask(server, EVENTS, n_samples=20)
    assert status == 200, reply
    [row] = reply["predictions"]
    assert row["sequence"] == 1
    assert row["gap_low_90"] <= row["gap_median"] <= row["gap_high_90"]
    assert sum(row[f"mark_{k}"] for k in range(3)) == pytest.approx(1, abs=1e-5)


WRONG = {
    "not JSON": b"{",
    "no table": b"{}",
    "a column is missing": {"sequence": [1], "time": [0.1], "x": [0.1]},
    "text for a number": EVENTS | {"x": ["east", "west"]},
    "an unknown mark": EVENTS | {"mark": [0, 9]},
    "a missing time": EVENTS | {"time": [0.4, None]},
    "no rows": {name: [] for name in EVENTS},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_request_is_refused_with_a_reason_and_the_server_stays_up(server, what):
    status, reply = ask(server, WRONG[what])
    assert 400 <= status < 500
    assert len(json.loads(reply)["message"]) > 20
    assert ask(server, EVENTS)[0] == 200


def test_huge_requests_are_refused_and_large_ones_answered(server):
    status, reply = ask(server, EVENTS, n_samples=10**8)
    assert status == 400
    assert "n_samples: 100000000; give a whole number from 2 to 20000" in reply
    status, reply = ask(server, EVENTS, n_samples=20_000, sampling_steps=10**6)
    assert status == 400
    assert "too many for one request" in reply
    n = 300_000
    many = {"sequence": [1] * n, "time": [0.0] * n, "x": [0.1] * n, "y": [0.1] * n, "mark": [0] * n}
    status, reply = ask(server, many)
    assert status == 400
    assert "300000 events" in reply
    few = pd.DataFrame(EVENTS)
    hundred = pd.concat([few.assign(sequence=i) for i in range(100)])
    status, reply = ask(server, hundred)
    assert status == 200
    assert len(reply["predictions"]) == 100


@pytest.mark.parametrize(
    ("column", "value"), [("x", 1e30), ("y", -1e19), ("time", 1e300), ("x", 1e8)]
)
def test_places_and_times_from_nowhere_are_refused_with_a_reason(server, column, value):
    far = EVENTS | {column: [EVENTS[column][0], value]}
    status, reply = ask(server, far)
    assert status == 400
    assert "event 1" in reply or "times" in reply


def test_computing_stops_before_the_server_gives_up(server):
    """A request that would take many minutes is refused by the model, not by a 504."""
    status, reply = ask(server, EVENTS, n_samples=20_000, sampling_steps=5_000)
    assert status == 400
    assert "longer than the 60 s that the server gives it" in reply
    assert ask(server, EVENTS)[0] == 200


def test_requests_at_once_are_answered_like_requests_in_turn(server):
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: ask(server, EVENTS, seed=i % 2), range(16)))
    assert {status for status, _ in replies} == {200}
    for i, (_, reply) in enumerate(replies):
        assert reply == replies[i % 2][1]
    assert replies[0][1] != replies[1][1]


def test_a_pool_is_served_as_a_model_is(workshop):
    exact = ("objective.kind=likelihood", "sampler=inverse_cdf", "model.location_law=mixture")
    members = ("baselines=[climatology]", "pool=[model,climatology]", "total_epochs=1")
    sets = [part for change in (*exact, *members) for part in ("--set", change)]
    run = workshop.run("tiny.yaml", *sets, "--set", "data.simulator.sequences=[6, 6, 3]")
    [pool] = workshop.client.search_runs(
        [run.logged.info.experiment_id],
        f"tags.compared_with = '{run.run_id}' and tags.pool = 'model, climatology'",
    )
    [made] = pool.outputs.model_outputs
    with served(workshop, f"models:/{made.model_id}") as address:
        status, reply = ask(address, EVENTS, n_samples=20)
        assert status == 200, reply
        [row] = reply["predictions"]
        assert row["gap_low_90"] <= row["gap_median"] <= row["gap_high_90"]
        assert sum(row[f"mark_{k}"] for k in range(3)) == pytest.approx(1, abs=1e-5)
        status, reply = ask(address, EVENTS | {"mark": [0, 9]})
        assert status == 400
        assert "mark" in reply


def test_a_csv_is_forecast_without_a_server(registered, tmp_path):
    pd.DataFrame(EVENTS).to_csv(tmp_path / "history.csv", index=False)
    command = ["mlflow", "models", "predict", "-m", f"models:/tiny@{CHAMPION}", "-t", "csv"]
    files = ["-i", str(tmp_path / "history.csv"), "-o", str(tmp_path / "forecast.json")]
    subprocess.run(
        [sys.executable, "-m", *command, *files, "--env-manager", "local"],
        cwd=registered.folder,
        env=tracked(registered),
        check=True,
        capture_output=True,
    )
    [row] = json.loads((tmp_path / "forecast.json").read_text())["predictions"]
    assert row["gap_median"] > 0


OTHERWISE = {
    "no training": ("--stage", "baselines", "--set", "baselines=[climatology]"),
    "a given model": ("--stage", "test", "--from", "somewhere"),
    "a quick profile": ("--profile", "quick"),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_only_a_trained_model_is_registered(workshop, what):
    done = workshop.invoke("tiny.yaml", "--register", *OTHERWISE[what])
    assert done.exit_code == 2
    assert "--register" in done.output
