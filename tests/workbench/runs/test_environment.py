"""What a run records about where it ran: always there, never an error."""

import subprocess

import pytest
from tiny_runs import ROOT

from smash.workbench.runs import environment
from smash.workbench.runs.environment import (
    command_of,
    environment_tags,
    environment_text,
    git_state,
)


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


def test_tags_are_short_texts_with_one_prefix(tmp_path):
    tags = environment_tags("cpu", tmp_path)
    assert {"env/commit", "env/dirty", "env/python", "env/host", "env/device"} <= tags.keys()
    assert all(key.startswith("env/") and value for key, value in tags.items())
    assert tags["env/version_torch"].startswith("2.")


def test_a_command_names_the_checkout_s_files_from_there():
    root = ROOT
    spec = str(root / "experiments" / "crime.yaml")
    said = command_of([str(root / "run_experiment.py"), spec, "--from", "/elsewhere/model"])
    assert said == "run_experiment.py experiments/crime.yaml --from /elsewhere/model"


def test_outside_a_checkout_the_commit_is_unknown(tmp_path):
    assert git_state(tmp_path) == ("unknown", "unknown")


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == ("unknown", "unknown")


def test_a_changed_checkout_is_dirty(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "file").write_text("a")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first", "--no-verify")
    commit, dirty = git_state(tmp_path)
    assert len(commit) == 40
    assert dirty == "false"
    (tmp_path / "file").write_text("b")
    assert git_state(tmp_path) == (commit, "true")


def test_an_absent_gpu_and_package_are_unknown():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert environment.device_name("cuda:0") == "unknown"
    assert environment._version("no-such-package-here") == "unknown"


def test_every_package_stands_in_the_text():
    lines = environment_text().splitlines()
    assert lines[0].startswith("# Python 3.")
    assert any(line.startswith("torch==") for line in lines)
    assert len(lines) == len(set(lines))
