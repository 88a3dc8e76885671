"""The command line: answers at once, refuses before it starts, goes on after an interruption."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import torch
from filelock import FileLock
from patience import HANGING
from tiny_runs import SCRIPT, environment

HEAVY = ("torch", "mlflow", "numpy", "pandas", "matplotlib", "scipy", "pydantic")
EPOCHS = 5


def python(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=HANGING,
    )


def processor_seconds(*arguments: str) -> float:
    """Returns the least processor time that a command took in three tries."""
    times = []
    for _ in range(3):
        before = os.times()
        assert python(*arguments).returncode == 0
        after = os.times()
        spent = after.children_user + after.children_system
        times.append(spent - before.children_user - before.children_system)
    return min(times)


def test_help_names_every_option_and_loads_nothing_heavy():
    shown = python("-X", "importtime", str(SCRIPT), "--help")
    for option in (
        "--set",
        "--seed",
        "--stage",
        "--from",
        "--resume",
        "--profile",
        "--summary",
        "--report",
    ):
        assert option in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & set(HEAVY)


def test_help_costs_little_more_than_the_library_that_prints_it():
    assert processor_seconds(str(SCRIPT), "--help") < 4 * processor_seconds("-c", "import typer")


WRONG = {
    "no spec": ((), "name a spec"),
    "a missing spec": (("none.yaml",), "none.yaml"),
    "an unknown key": (("tiny.yaml", "--set", "simga_time=1"), "model.sigma_time"),
    "an impossible value": (("tiny.yaml", "--set", "sigma_time=-1"), "model.sigma_time"),
    "a key without a value": (("tiny.yaml", "--set", "sigma_time"), "key=value"),
    "an unknown data set": (("tiny.yaml", "--set", "data.name=crimes"), "crime"),
    "a missing file": (("tiny.yaml", "--set", "data.path=none.csv"), "none.csv"),
    "a test of nothing": (("tiny.yaml", "--stage", "test"), "--from"),
    "a time of nothing": (("tiny.yaml", "--stage", "time"), "--from"),
    "training what is trained": (("tiny.yaml", "--from", "0" * 32), "--stage test"),
    "an unknown run": (("tiny.yaml", "--stage", "test", "--from", "0" * 32), "no run 000"),
    "a missing folder": (("tiny.yaml", "--stage", "test", "--from", "a/b"), "a/b"),
    "a missing checkpoint": (("tiny.yaml", "--stage", "test", "--from", "m.pkl"), "m.pkl"),
    "a folder without a model": (("tiny.yaml", "--stage", "test", "--from", "."), "model.json"),
    "a file that is no checkpoint": (
        ("tiny.yaml", "--stage", "test", "--from", "no.pkl"),
        "not a file of plain weights",
    ),
    "many seeds of one model": (
        ("tiny.yaml", "--stage", "test", "--from", "0" * 32, "--set", "seeds=[1, 2]"),
        "seeds=[]",
    ),
    "resuming an unknown run": (("--resume", "0" * 32), "no run 000"),
    "resuming another spec": (("tiny.yaml", "--resume", "0" * 32), "leave out"),
    "resuming with another seed": (("--resume", "0" * 32, "--seed", "1"), "leave out"),
    "resuming another model": (("--resume", "0" * 32, "--from", "x"), "leave out"),
    "resuming in another profile": (("--resume", "0" * 32, "--profile", "quick"), "leave out"),
    "an oracle of other data": (
        ("tiny.yaml", "--set", "baselines=[oracle]", "--set", "data.name=crime"),
        "simulated data alone",
    ),
    "an oracle without marks": (
        ("tiny.yaml", "--set", "baselines=[oracle]", "--set", "marked=false"),
        "baselines=[]",
    ),
    "a summary in a folder's place": (("tiny.yaml", "--summary", "."), "name a file"),
    "a device that is no device": (("tiny.yaml", "--device", "gpu"), "cuda:N"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_in_a_line_before_anything_is_done(workshop, finished, case):
    arguments, expected = WRONG[case]
    (workshop.folder / "no.pkl").write_bytes(b"nothing")
    runs, files = workshop.run_ids(), set(workshop.folder.iterdir())
    result = workshop.invoke(*arguments)
    message = result.stderr.strip()
    assert result.exit_code == 2, (message, result.exception)
    assert message.startswith("error: ")
    assert expected in message
    problems = message.splitlines()[1:]  # those of a spec file stand below it, a line each
    assert len(problems) <= 1
    assert all(line.startswith("  ") for line in problems)
    assert workshop.run_ids() == runs
    assert set(workshop.folder.iterdir()) == files


def test_unknown_options_and_words_are_refused(workshop):
    for arguments in (("--what",), ("tiny.yaml", "--stage", "nothing"), ("tiny.yaml", "more")):
        result = workshop.invoke(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, so this is no mistake")
def test_a_gpu_that_is_not_there_is_said(workshop):
    result = workshop.invoke("tiny.yaml", "--device", "cuda")
    assert result.exit_code == 2
    assert "no GPU" in result.stderr


@contextmanager
def silent_server() -> Iterator[str]:
    """Yields the address of a server that takes requests and never answers them."""
    leave = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            leave.wait()

        do_POST = do_GET

    server = HTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        leave.set()
        server.shutdown()
        server.server_close()


def test_a_server_out_of_reach_is_said_before_training(workshop):
    folders = set(workshop.folder.glob("runs/*"))
    with silent_server() as silent:
        for uri in ("http://127.0.0.1:9", silent):
            result = workshop.invoke("tiny.yaml", MLFLOW_TRACKING_URI=uri)
            assert result.exit_code == 2
            assert uri in result.stderr
            assert "MLFLOW_TRACKING_URI" in result.stderr
            assert "epoch" not in result.stderr
    assert set(workshop.folder.glob("runs/*")) == folders


def test_an_interrupted_and_killed_run_ends_as_if_nothing_had_happened(workshop):
    arguments = ("tiny.yaml", "--stage", "train", "--set", f"total_epochs={EPOCHS}")
    before = workshop.run_ids()

    stopped = workshop.interrupt(signal.SIGINT, 1, *arguments)
    assert stopped.code == 130
    (run_id,) = workshop.run_ids() - before
    assert f"--resume {run_id}" in " ".join(stopped.errors.split())
    assert workshop.client.get_run(run_id).info.status == "KILLED"

    resume = ("--resume", run_id, "--stage", "train")
    killed = workshop.interrupt(signal.SIGKILL, 1, *resume)
    assert killed.code == -signal.SIGKILL
    epochs_done = len(workshop.history(run_id, "train/loss"))

    result = workshop.invoke(*resume)
    assert result.exit_code == 0, result.output
    assert "resuming after epoch" in result.stderr
    whole = workshop.run(*arguments)
    assert epochs_done < EPOCHS
    assert workshop.client.get_run(run_id).info.status == "FINISHED"
    losses = workshop.history(whole.run_id, "train/loss")
    assert workshop.history(run_id, "train/loss") == losses
    assert len(losses) == EPOCHS
    for folder in ("best", f"epoch-{EPOCHS:05d}"):
        once, again = (
            workshop.folder / "runs" / name / "checkpoints" / folder / "weights.safetensors"
            for name in (whole.run_id, run_id)
        )
        assert once.read_bytes() == again.read_bytes()


def test_a_run_that_goes_on_elsewhere_is_not_resumed(workshop):
    done = workshop.run("tiny.yaml", "--stage", "train", "--set", "total_epochs=1")
    with FileLock(workshop.folder / "runs" / done.run_id / "run.lock"):
        result = workshop.invoke("--resume", done.run_id, "--stage", "train")
    assert result.exit_code == 2
    assert f"run {done.run_id} is still going on" in " ".join(result.stderr.split())
    assert workshop.client.get_run(done.run_id).info.status == "FINISHED"


def test_an_interruption_that_python_drops_ends_a_run_all_the_same(workshop):
    arguments = ("tiny.yaml", "--stage", "train", "--set", "total_epochs=2000")
    stopped = workshop.interrupt(signal.SIGINT, 1, *arguments, how="dropped")
    assert stopped.code == 130
    assert "interrupted" in stopped.errors
    assert "Traceback" not in stopped.errors


def test_resuming_a_finished_run_changes_nothing_even_where_its_folder_is_gone(workshop):
    done = workshop.run("tiny.yaml", "--stage", "train", "--set", "total_epochs=1")
    folder = workshop.folder / "runs" / done.run_id
    weights = (folder / "checkpoints" / "best" / "weights.safetensors").read_bytes()
    losses = workshop.history(done.run_id, "train/loss")
    for lost in (False, True):
        if lost:
            shutil.rmtree(folder)
        result = workshop.invoke("--resume", done.run_id)
        assert result.exit_code == 0, (result.output, result.exception)
        assert workshop.history(done.run_id, "train/loss") == losses
        assert (folder / "checkpoints" / "best" / "weights.safetensors").read_bytes() == weights


def test_a_lost_checkpoint_of_an_unfinished_training_is_said(workshop):
    done = workshop.run("tiny.yaml", "--stage", "train", "--set", "total_epochs=1")
    weights = workshop.folder / "runs" / done.run_id / "checkpoints/best/weights.safetensors"
    before = weights.read_bytes()
    workshop.client.delete_tag(done.run_id, "done/train")
    shutil.rmtree(workshop.folder / "runs" / done.run_id)
    result = workshop.invoke("--resume", done.run_id)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "no checkpoint" in result.stderr
    assert weights.read_bytes() == before


def test_a_key_is_explained_without_a_spec(workshop):
    result = workshop.invoke("--explain", "sigma_time")
    assert result.exit_code == 0
    assert result.output.startswith("model.sigma_time\n")
    assert "default: 0.2" in result.output
    wrong = workshop.invoke("--explain", "sigma_tme")
    assert wrong.exit_code == 2
    assert "the nearest known key is model.sigma_time" in wrong.output
