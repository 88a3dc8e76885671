"""The tutorial on earthquakes: every command of it runs, as it is written."""

import json
import re

import pytest
from test_documents import blocks
from test_walkthrough import joined, shell
from tiny_runs import ROOT

pytest.importorskip("hvsampledata")
PAGE = ROOT / "docs/earthquakes-tutorial.md"
SHORTER = {
    "smash run": " --set epochs=2 --set total_samples=20 --set baselines=[poisson]"
    " --set pool=[model,poisson]",
    "smash contest": " --days 3 --paths 30",
    "smash forecast": " --paths 30",
}
"""Added to what takes long, to show that it works and no more."""


def shorter(block: str) -> str:
    """Returns a block of commands, those that take long cut short."""
    lines = joined(block)
    return "\n".join(
        line + next((more for start, more in SHORTER.items() if line.startswith(start)), "")
        for line in lines
    )


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder in which all commands of the page were run, and what each block printed."""
    folder, said = tmp_path_factory.mktemp("earthquakes"), []
    for block in blocks(PAGE.read_text(), "sh"):
        runs = [path.parent.name for path in folder.glob("runs/*/checkpoints")]
        command = shorter(block).replace("smash ", "python -m smash ")
        said.append(" ".join(shell(command.replace("RUN_ID", "".join(runs)), folder).split()))
    return folder, said


def test_a_threshold_is_told_and_the_page_takes_it(walked):
    folder, (first, second, *_) = walked
    (told,) = re.findall(r"--threshold (\S+) leaves these out", first)
    assert f"--threshold {told} " in PAGE.read_text()
    assert f"events below {told} left out" in second
    assert (folder / "first/magnitudes.png").stat().st_size > 10_000


def test_next_days_are_tested_for_every_forecaster(walked):
    folder, said = walked
    found = json.loads((folder / "days.json").read_text())["forecasters"]
    assert len(found) == 3
    for kept in found.values():
        assert len(kept["days"]) == 3
        assert set(kept["tests"]) == {"N", "S", "M", "PL"}
    assert "CRPS of the number" in said[3]
    assert (folder / "days.png").stat().st_size > 10_000


def test_tomorrow_is_forecast_from_the_agencys_own_table(walked):
    folder, said = walked
    assert "events within 1 days" in said[4]
    assert (folder / "map.png").stat().st_size > 10_000
    assert (folder / "forecast.parquet").exists()
