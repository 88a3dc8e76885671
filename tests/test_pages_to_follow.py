"""The pages that say how something is added: followed to the letter in a copy, they work."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from patience import HANGING
from tiny_runs import ROOT, TINY

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w/]+\.py)`")
PLAIN = ("-p", "no:xdist", "-p", "no:cacheprovider")
NEEDED = ("smash", "pyproject.toml", "tests/conftest.py", "tests/synthetic.py")


def copy_tree(folder: Path, tests: str) -> None:
    """Copies the package, and a folder of its tests with what these share."""
    for name in (*NEEDED, tests):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def follow(page: str, folder: Path) -> list[list[str]]:
    """Makes in `folder` the files and changes that a page shows; returns the commands it gives.

    A block belongs to the last Python file that is named before it.
    """
    text, commands = (ROOT / page).read_text(), []
    for block in BLOCK.finditer(text):
        kind, body = block.groups()
        path = folder / FILE.findall(text[: block.start()])[-1]
        match kind:
            case "python":
                assert not path.exists()
                path.write_text(body)
            case "diff":
                path.write_text(changed(path.read_text(), body))
            case "sh":
                commands += [shlex.split(line) for line in body.splitlines()]
    return commands


def changed(text: str, diff: str) -> str:
    """Returns `text` with the lines of `diff` in place of those it starts from."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, before
    return text.replace(before, after)


def called(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Returns what a command did in `folder`, with the package that lies there."""
    module = ["smash"] if command[0] == "smash" else []
    program = [sys.executable, *(["-m", *module] if module else []), *command[1:]]
    imported = os.pathsep.join(map(str, (folder, folder / "tests")))
    environment = {**os.environ, "PYTHONPATH": imported, "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANGING
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def of_spec(command: list[str], spec: Path) -> list[str]:
    """Returns a command of the page with another spec."""
    return [spec.name if argument.endswith(".yaml") else argument for argument in command]


@pytest.fixture
def tiny(tmp_path) -> Path:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(yaml.safe_dump(TINY))
    return spec


def test_a_baseline_is_added_by_following_its_page(tmp_path, tiny):
    copy_tree(tmp_path, "tests/law")
    contract, run = follow("docs/add-a-baseline.md", tmp_path)
    done = called([*contract, *PLAIN, "-rA"], tmp_path)
    assert "steady-True" in done.stdout
    assert "steady-False" in done.stdout
    done = called(of_spec(run, tiny), tmp_path)
    assert "steady" in done.stdout


def test_a_location_head_is_added_by_following_its_page(tmp_path, tiny):
    copy_tree(tmp_path, "tests/model")
    laws, run = follow("docs/add-a-location-head.md", tmp_path)
    called([*laws, *PLAIN], tmp_path)
    assert "energy" in called(of_spec(run, tiny), tmp_path).stdout
