"""The walkthrough with own data: every command of it runs, as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from patience import HANGING
from test_documents import blocks, section
from tiny_runs import ROOT, SCRIPT, environment

from smash.errors import SmashError

pytest.importorskip("hvsampledata")
TITLE = "Own data in five minutes"
SHORTER = " --set epochs=2 --set eval_every=1 --set total_samples=40"
"""Added to the run, which shows that it works and no more."""


def shell(command: str, folder: Path) -> str:
    """Returns what a command of the page printed, run in a folder with the project's files."""
    found = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env=environment() | {"PATH": found, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=HANGING,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder in which the first block of the walkthrough was run."""
    folder = tmp_path_factory.mktemp("walkthrough")
    (folder / SCRIPT.name).symlink_to(SCRIPT)
    first, _ = blocks(section(TITLE), "sh")
    shell(first.replace("quakes/spec.yaml", "quakes/spec.yaml" + SHORTER), folder)
    return folder


def test_every_command_runs(walked):
    [run] = [path.parent.name for path in walked.glob("runs/*/checkpoints")]
    _, second = blocks(section(TITLE), "sh")
    said = shell(second.replace("RUN_ID", run), walked)
    assert re.search(r"90% interval +│ 2024-\d\d-\d\d", said)
    assert "mark mag >= 5" in said
    assert "events within 1 days" in said
    table = pd.read_parquet(walked / "forecast.parquet")
    assert table["path"].nunique() > 900
    assert str(table["time"].dt.tz) == "UTC"
    assert (walked / "map.png").stat().st_size > 10_000


def test_the_readme_has_the_same_commands():
    page = ("\n".join(blocks(section(title), "sh")) for title in (TITLE, "Own data to a forecast"))
    walk, short = ({" ".join(c.split()) for c in joined(text)} for text in page)
    assert len(short) == 5
    assert {command for command in short if not command.startswith("mlflow ui")} <= walk


def joined(text: str) -> list[str]:
    """Returns the commands of a block, each on one line."""
    return text.replace("\\\n", " ").splitlines()


REFUSED = {
    "--horizon 0d": "not a duration above 0",
    "--horizon soon": "no duration",
    "--out futures.txt": "name a file that ends in",
    "--plot map.exe": "name a file that ends in",
    "--mark depth_class": "is unknown",
    "--now 2024-04-02": "lies after",
    "--time place": "neither a number nor an ISO 8601 timestamp|which is not a number",
}


@pytest.mark.parametrize("option", REFUSED)
def test_bad_requests_end_with_a_reason_and_write_nothing(walked, option, monkeypatch):
    from typer.testing import CliRunner

    from smash.workbench.cli.app import app

    monkeypatch.chdir(walked)
    [checkpoint] = walked.glob("runs/*/checkpoints/best")
    before = {path.name for path in walked.iterdir()}
    columns = ["--x", "lon", "--y", "lat", "--mark", "mag", "--paths", "2"]
    arguments = ["forecast", str(checkpoint), "quakes.csv", *columns, *option.split()]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2, done.output
    assert re.search(REFUSED[option], done.output)
    assert not isinstance(done.exception, SmashError)
    assert {path.name for path in walked.iterdir()} == before
