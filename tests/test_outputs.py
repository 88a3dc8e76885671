"""Every option that writes: what people have is not destroyed, whatever they name."""

import errno
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest
import smash.data.__main__
import yaml
from tiny_runs import IMPORTED_FROM, ROOT, TINY, environment
from typer.testing import CliRunner

from smash.data.scaling import Scaler
from smash.errors import OutputError
from smash.model.smash import About, Smash
from smash.settings import ModelSettings
from smash.workbench.pages.records import record
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_store import Selection

PLACED = ("FILE", "FOLDER", "DIR", "NAME", "URL")
"""Placeholders of options that may name something on the disk."""
READS = {
    ("smash.__main__", "forecast", "model"),
    ("smash.__main__", "forecast", "history"),
    ("smash.data.__main__", "check", "table"),
    ("smash.scores.__main__", "audit", "source"),
    ("run_experiment", "main", "spec"),
    ("run_experiment", "main", "source"),
    ("tune", "main", "dataset"),
    ("tune", "main", "study"),
    ("smash.workbench.pages.results_page", "write", "records"),
}
FORECAST = ("forecast", "model", "history.csv")
CHECK = ("check", "table.csv")
AUDIT = ("audit", "table.csv", "--from", "model")


@dataclass(frozen=True)
class Writes:
    """A call that writes where `{}` stands; `own`: what it reads, which must not be named."""

    arguments: tuple[str, ...]
    own: tuple[str, ...] = ()
    kind: str = "file"
    ending: str = ""


WRITES = {
    ("smash.__main__", "forecast", "out"): Writes(
        (*FORECAST, "--out", "{}"), ("history.csv", "linked.csv", "hard.csv"), ending=".csv"
    ),
    ("smash.__main__", "forecast", "plot"): Writes(
        (*FORECAST, "--plot", "{}"), ("model/new.png",), ending=".png"
    ),
    ("smash.__main__", "forecast", "geojson"): Writes(
        (*FORECAST, "--geojson", "{}"), ("history.csv", "linked.csv", "model/model.json")
    ),
    ("smash.data.__main__", "check", "out"): Writes((*CHECK, "--out", "{}"), kind="folder"),
    ("smash.scores.__main__", "audit", "summary"): Writes(
        (*AUDIT, "--summary", "{}"), ("table.csv", "model/model.json")
    ),
    ("run_experiment", "main", "summary"): Writes(
        ("tiny.yaml", "--set", "data.path=table.csv", "--summary", "{}"),
        ("tiny.yaml", "table.csv", "mlflow.db"),
    ),
    ("tune", "main", "storage"): Writes(
        ("--study", "study.yaml", "--storage", "sqlite:///{}"), ("mlflow.db",)
    ),
    ("reports.__main__", "main", "out"): Writes(("crime", "--out", "{}"), kind="folder"),
    ("smash.workbench.pages.results_page", "record", "into"): Writes(
        ("record", "crime", "--into", "{}"), (), "folder"
    ),
    ("smash.workbench.pages.results_page", "write", "out"): Writes(
        ("write", "--records", "records", "--out", "{}"), ("records/crime.json",)
    ),
    ("smash.workbench.runs.kept_models", "main", "name"): Writes(("0" * 32, "{}"), kind="name"),
    ("tune", "main", "overrides"): Writes(
        ("--study", "study.yaml", "--set", "name='{}'"), kind="name"
    ),
}


def modules() -> Iterator[str]:
    """Yields the modules with a command line."""
    folders = ("smash", "experiments", "studies", "reports")
    for path in (*ROOT.glob("*.py"), *(p for f in folders for p in (ROOT / f).rglob("*.py"))):
        if "typer.Typer(" in path.read_text(encoding="utf-8"):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def placed() -> Iterator[tuple[str, str, str]]:
    """Yields module, command and option of everything that may name a file or a folder."""
    for module in modules():
        for command in importlib.import_module(module).app.registered_commands:
            hints = get_type_hints(command.callback, include_extras=True)
            for name, hint in hints.items():
                kind, *infos = get_args(hint) or (hint,)
                words = {w for info in infos for w in re.split(r"\W+", info.metavar or "")}
                if Path in (kind, *get_args(kind)) or words & set(PLACED):
                    yield module, command.name or command.callback.__name__, name


def test_every_option_that_names_a_place_is_known_to_read_or_to_write():
    found = set(placed())
    assert len(found) > len(READS)
    assert found - READS - WRITES.keys() == set(), "add it here, and a check before any work"
    assert READS - found == set()
    assert WRITES.keys() - found == {("tune", "main", "overrides")}


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A project with inputs, links to them, folders and strangers' files."""
    folder = tmp_path / "project"
    for name in ("model", "records", "full", "full.csv", "full.png", "quakes", "site", "book"):
        (folder / name).mkdir(parents=True)
        (folder / name / "mine.txt").write_text("mine")
    (tmp_path / "outside.txt").write_text("mine")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("tune.signal.signal", lambda *_: None)
    for name in ("history.csv", "table.csv", "mlflow.db", "model/model.json", "records/crime.json"):
        Path(name).write_text(f"what is in {name}")
    os.link("history.csv", "hard.csv")
    Path("linked.csv").symlink_to("history.csv")
    Path("tiny.yaml").write_text(yaml.safe_dump(TINY))
    space = {"cond_dim": [8, 16]}
    Path("study.yaml").write_text(yaml.safe_dump({"base": "tiny.yaml", "space": space}))
    os.mkfifo("pipe")
    return folder


def surroundings(desk: Path) -> dict[Path, bytes | None]:
    """Returns all that lies in the project and beside it, with what is in it."""
    found = sorted(desk.parent.rglob("*"))
    return {path: path.read_bytes() if path.is_file() else None for path in found}


def refused(desk: Path, module: str, *arguments: str) -> str:
    """Returns the line that a command refuses with, having changed nothing."""
    before = surroundings(desk)
    result = CliRunner().invoke(importlib.import_module(module).app, arguments)
    message = result.stderr.strip()
    assert result.exit_code == 2, (message, result.exception)
    assert message.startswith("error: ")
    assert "\n" not in message
    assert surroundings(desk) == before
    return message


def hazards() -> Iterator[Any]:
    for (module, _, option), writes in WRITES.items():
        places: tuple[str, ...] = ("full" + writes.ending, "history.csv/x" + writes.ending)
        if writes.kind == "folder":
            places = ("history.csv", "history.csv/x", "pipe")
        elif writes.kind == "name":
            places = ("../x", "..", ".", "a/b", "x/../../../y", "two words", "~")
        elif not writes.ending and option != "storage":
            places = (*places, "pipe")
        for place in (*places, *writes.own):
            yield pytest.param(module, option, writes, place, id=f"{module} {option} {place}")


@pytest.mark.parametrize(("module", "option", "writes", "place"), hazards())
def test_what_would_destroy_is_refused_before_anything_is_done(desk, module, option, writes, place):
    arguments = [argument.replace("{}", place) for argument in writes.arguments]
    message = refused(desk, module, *arguments)
    assert place in message or "storage" in message


STRANGERS = {
    "events": ("smash.data.__main__", (*CHECK, "--out", "quakes"), "quakes/events.parquet"),
    "a spec": ("smash.data.__main__", (*CHECK, "--out", "quakes"), "quakes/spec.yaml"),
    "a page": ("reports.__main__", ("crime", "--out", "site"), "site/report.html"),
    "a print": ("reports.__main__", ("crime", "--out", "site"), "site/report.pdf"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_file_of_somebody_else_s_in_a_folder_to_write_to_is_refused(desk, case):
    module, arguments, stranger = STRANGERS[case]
    (desk / stranger).write_text("mine")
    assert Path(stranger).name in refused(desk, module, *arguments)


def test_a_table_is_not_checked_into_its_own_place(desk):
    (desk / "quakes" / "events.parquet").write_text("mine")
    arguments = ("check", "quakes/events.parquet", "--out", "quakes")
    assert "is read as well" in refused(desk, "smash.data.__main__", *arguments)


def test_a_spec_that_was_edited_is_not_written_over(desk):
    own_table(desk)
    arguments = ("check", "table.csv", "--out", "new", "--mark", "mark", "--time-unit", "hours")
    for _ in range(2):
        assert CliRunner().invoke(smash.data.__main__.app, arguments).exit_code == 0
    spec = desk / "new" / "spec.yaml"
    spec.write_text(spec.read_text().replace("patience: 20", "patience: 30"))
    assert "holds spec.yaml" in refused(desk, "smash.data.__main__", *arguments)


def test_two_outputs_in_one_file_are_refused(desk):
    arguments = (*FORECAST, "--out", "new.csv", "--geojson", "./new.csv")
    assert "--geojson new.csv: is --out's file too" in refused(desk, "smash.__main__", *arguments)


def test_a_study_s_best_spec_does_not_replace_the_base_it_is_searched_from(desk):
    place = desk / "runs" / "studies" / "again"
    place.mkdir(parents=True)
    (desk / "tiny.yaml").rename(place / "best.yaml")
    base = "base=runs/studies/again/best.yaml"
    arguments = ("--study", "study.yaml", "--set", base, "--set", "name=again")
    assert "is read as well" in refused(desk, "tune", *arguments)


def test_an_experiment_is_recorded_in_the_folder_alone(desk):
    figures = {"test/n_events": 1.0}
    made_up = Run("1", "run", "../outside", "1", "FINISHED", 0, 1, {}, figures, {})
    before = surroundings(desk)
    with pytest.raises(OutputError, match=r"the experiment '\.\./outside': a name is made of"):
        record(None, Selection((made_up,), (), ""), Path("records"))  # type: ignore[arg-type]
    assert surroundings(desk) == before


@pytest.fixture
def forecasting(desk) -> Path:
    """The project with a model and a history that a forecast can be made of."""
    (desk / "model" / "model.json").unlink()
    (desk / "model" / "mine.txt").unlink()
    sizes = ModelSettings(cond_dim=8, n_layers=1, num_units=8)
    about = About(mark_names=("a", "b"), time_unit="hours")
    Smash(sizes, 2, Scaler(True, 1e-4, -3.0, 3.0, (0.0, 0.0), (1.0, 1.0)), about).save(
        desk / "model"
    )
    table = pd.DataFrame({"time": [1.0, 2.0], "x": [0.3, 0.5], "y": [0.2, 0.4], "mark": ["a", "b"]})
    table.to_csv(desk / "history.csv", index=False)
    return desk


SMALL = """
import resource, sys
from smash.__main__ import app
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
app(sys.argv[1:])
"""
"""A forecast in a process that may write files of up to 100 bytes."""


@pytest.mark.parametrize("names", ["--out f.csv", "--out f.parquet", "--plot f.png", "--geojson f"])
def test_a_forecast_that_cannot_be_written_whole_leaves_the_old_one(forecasting, names):
    option, name = names.split()
    (forecasting / name).write_text("of yesterday")
    before = surroundings(forecasting)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SMALL, *FORECAST, "--paths", "9", option, name],
        env=environment() | {"PYTHONPATH": IMPORTED_FROM},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (
        2,
        f"error: {name}: cannot be written (File too large); what was there is as it was",
    )
    assert surroundings(forecasting) == before


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def own_table(desk: Path) -> None:
    n = np.arange(300)
    columns = {"time": n * 1.5 + n % 3 / 7, "x": n * 7 % 5, "y": n * 3 % 4, "mark": n % 2}
    pd.DataFrame(columns).to_csv(desk / "table.csv", index=False)


FULL: dict[str, tuple[str, tuple[str, ...], Callable[[Path], None]]] = {
    "a check": (
        "smash.data.__main__",
        (*CHECK, "--out", "quakes", "--mark", "mark", "--time-unit", "hours"),
        own_table,
    ),
    "a page of results": (
        "smash.workbench.pages.results_page",
        ("write", "--records", "records", "--out", "new.md"),
        lambda desk: (desk / "records" / "crime.json").write_text('{"format": 1, "runs": []}'),
    ),
    "scores": (
        "smash.scores.__main__",
        ("audit", "simulated", "--events", "20", "--samples", "4", "--summary", "new.json"),
        lambda _: None,
    ),
}


@pytest.mark.parametrize("case", FULL)
def test_a_full_disk_is_said_in_a_line_and_leaves_all_as_it_was(desk, monkeypatch, case):
    module, arguments, prepare = FULL[case]
    prepare(desk)
    monkeypatch.setattr("smash.files.os.fsync", full)
    assert "No space left on device" in refused(desk, module, *arguments)
