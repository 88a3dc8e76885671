"""Every option that writes: what people have is not destroyed, whatever they name."""

import errno
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
import typer
import yaml
from tiny_runs import IMPORTED_FROM, TINY, environment
from typer.testing import CliRunner

from smash.data.scaling import Scaler
from smash.errors import OutputError
from smash.model.smash import About, Smash
from smash.settings import ModelSettings
from smash.workbench.cli.app import app
from smash.workbench.pages.records import record
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_store import Selection

PLACED = ("FILE", "FOLDER", "DIR", "NAME", "URL")
"""Placeholders of options that may name something on the disk."""
READS = {
    ("forecast", "model"),
    ("forecast", "history"),
    ("data check", "table"),
    ("data check", "region"),
    ("data convert", "source"),
    ("contest earthquakenpp", "folder"),
    ("contest next-day", "folder"),
    ("contest next-day", "spec"),
    ("contest page", "records"),
    ("results nats", "records"),
    ("data estimators", "source"),
    ("run", "spec"),
    ("run", "source"),
    ("baselines", "spec"),
    ("run", "baseline"),
    ("baselines", "baseline"),
    ("tune", "dataset"),
    ("tune", "study"),
    ("results write", "records"),
    ("resend", "folder"),
}
RIVALS = ("contest", "rivals", "--data", "simulated", "--forecasters", "climatology")
LADDER = ("contest", "ladder", "marks", "--forecasters", "hawkes")
PAGE = ("contest", "page", "--records", "records")
FORECAST = ("forecast", "model", "history.csv")
CHECK = ("data", "check", "table.csv")
AUDIT = ("data", "estimators", "table.csv", "--from", "model")


@dataclass(frozen=True)
class Writes:
    """A call that writes where `{}` stands; `own`: what it reads, which must not be named."""

    arguments: tuple[str, ...]
    own: tuple[str, ...] = ()
    kind: str = "file"
    ending: str = ""


WRITES = {
    ("forecast", "out"): Writes(
        (*FORECAST, "--out", "{}"), ("history.csv", "linked.csv", "hard.csv"), ending=".csv"
    ),
    ("forecast", "plot"): Writes((*FORECAST, "--plot", "{}"), ("model/new.png",), ending=".png"),
    ("forecast", "geojson"): Writes(
        (*FORECAST, "--geojson", "{}"), ("history.csv", "linked.csv", "model/model.json")
    ),
    ("forecast", "intensity"): Writes(
        (*FORECAST, "--intensity", "{}"), ("model/new.png",), ending=".png"
    ),
    ("data check", "out"): Writes((*CHECK, "--out", "{}"), kind="folder"),
    ("data resplit", "out"): Writes(("data", "resplit", "simulated", "--out", "{}"), kind="folder"),
    ("data estimators", "summary"): Writes(
        (*AUDIT, "--summary", "{}"), ("table.csv", "model/model.json")
    ),
    ("data convert", "out"): Writes(
        ("data", "convert", "table.csv", "{}"), ("table.csv",), ending=".csv"
    ),
    ("contest earthquakenpp", "out"): Writes(
        ("contest", "earthquakenpp", "--folder", "records", "--out", "{}")
    ),
    ("contest next-day", "export"): Writes(
        ("contest", "next-day", "--folder", "records", "--export", "{}"), kind="folder"
    ),
    ("contest next-day", "out"): Writes(
        ("contest", "next-day", "--folder", "records", "--out", "{}"), ("records/crime.json",)
    ),
    ("contest next-day", "plot"): Writes(
        ("contest", "next-day", "--folder", "records", "--plot", "{}"),
        ("records/new.png",),
        ending=".png",
    ),
    ("contest rivals", "into"): Writes((*RIVALS, "--into", "{}"), kind="folder"),
    ("contest ladder", "into"): Writes((*LADDER, "--into", "{}"), kind="folder"),
    ("contest ladder", "figure"): Writes(
        (*LADDER, "--into", "records", "--table", "new.csv", "--figure", "{}"),
        ("records/new.png",),
        ending=".png",
    ),
    ("contest ladder", "table"): Writes(
        (*LADDER, "--into", "records", "--figure", "new.png", "--table", "{}"),
        ("records/crime.json",),
    ),
    ("contest page", "out"): Writes((*PAGE, "--out", "{}"), ("records/crime.json",)),
    ("contest page", "table"): Writes(
        (*PAGE, "--out", "page.md", "--csv", "{}"), ("records/crime.json",)
    ),
    ("run", "summary"): Writes(
        ("run", "tiny.yaml", "--set", "data.path=table.csv", "--summary", "{}"),
        ("tiny.yaml", "table.csv", "mlflow.db"),
    ),
    ("tune", "storage"): Writes(
        ("tune", "--study", "study.yaml", "--storage", "sqlite:///{}"), ("mlflow.db",)
    ),
    ("report", "out"): Writes(("report", "crime", "--out", "{}"), kind="folder"),
    ("results record", "into"): Writes(
        ("results", "record", "crime", "--into", "{}"), (), "folder"
    ),
    ("results write", "out"): Writes(
        ("results", "write", "--records", "records", "--out", "{}"), ("records/crime.json",)
    ),
    ("keep", "name"): Writes(("keep", "0" * 32, "{}"), kind="name"),
    ("tune", "overrides"): Writes(
        ("tune", "--study", "study.yaml", "--set", "name='{}'"), kind="name"
    ),
}


def commands(app: typer.Typer, before: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yields all commands with the words that call them."""
    for command in app.registered_commands:
        assert command.callback
        yield before + (command.name or command.callback.__name__), command.callback
    for group in app.registered_groups:
        assert group.typer_instance
        yield from commands(group.typer_instance, f"{before}{group.name} ")


def placed() -> Iterator[tuple[str, str]]:
    """Yields command and option of everything that may name a file or a folder."""
    for command, callback in commands(app):
        for name, hint in get_type_hints(callback, include_extras=True).items():
            kind, *infos = get_args(hint) or (hint,)
            words = {w for info in infos for w in re.split(r"\W+", info.metavar or "")}
            if Path in (kind, *get_args(kind)) or words & set(PLACED):
                yield command, name


def test_every_option_that_names_a_place_is_known_to_read_or_to_write():
    found = set(placed())
    assert len(found) > len(READS)
    assert found - READS - WRITES.keys() == set(), "add it here, and a check before any work"
    assert READS - found == set()
    assert WRITES.keys() - found == {("tune", "overrides")}


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
    monkeypatch.setattr("smash.workbench.runs.signals.signal.signal", lambda *_: None)
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


def refused(desk: Path, *arguments: str) -> str:
    """Returns the line that a command refuses with, having changed nothing."""
    before = surroundings(desk)
    result = CliRunner().invoke(app, arguments)
    message = result.stderr.strip()
    assert result.exit_code == 2, (message, result.exception)
    assert message.startswith("error: ")
    assert "\n" not in message
    assert surroundings(desk) == before
    return message


def hazards() -> Iterator[Any]:
    for (command, option), writes in WRITES.items():
        places: tuple[str, ...] = ("full" + writes.ending, "history.csv/x" + writes.ending)
        if writes.kind == "folder":
            places = ("history.csv", "history.csv/x", "pipe")
        elif writes.kind == "name":
            places = ("../x", "..", ".", "a/b", "x/../../../y", "two words", "~")
        elif not writes.ending and option != "storage":
            places = (*places, "pipe")
        for place in (*places, *writes.own):
            yield pytest.param(writes, place, id=f"{command} {option} {place}")


@pytest.mark.parametrize(("writes", "place"), list(hazards()))
def test_what_would_destroy_is_refused_before_anything_is_done(desk, writes, place):
    arguments = [argument.replace("{}", place) for argument in writes.arguments]
    message = refused(desk, *arguments)
    assert place in message or "storage" in message


STRANGERS = {
    "events": ((*CHECK, "--out", "quakes"), "quakes/events.parquet"),
    "a spec": ((*CHECK, "--out", "quakes"), "quakes/spec.yaml"),
    "a page": (("report", "crime", "--out", "site"), "site/report.html"),
    "a print": (("report", "crime", "--out", "site"), "site/report.pdf"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_file_of_somebody_else_s_in_a_folder_to_write_to_is_refused(desk, case):
    arguments, stranger = STRANGERS[case]
    (desk / stranger).write_text("mine")
    assert Path(stranger).name in refused(desk, *arguments)


def test_a_table_is_not_checked_into_its_own_place(desk):
    (desk / "quakes" / "events.parquet").write_text("mine")
    arguments = ("data", "check", "quakes/events.parquet", "--out", "quakes")
    assert "is read as well" in refused(desk, *arguments)


def test_a_spec_that_was_edited_is_not_written_over(desk):
    own_table(desk)
    arguments = (
        "data",
        "check",
        "table.csv",
        "--out",
        "new",
        "--mark",
        "mark",
        "--time-unit",
        "hours",
    )
    for _ in range(2):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    spec = desk / "new" / "spec.yaml"
    edited = spec.read_text().replace("context_dropout: 0.3", "context_dropout: 0.2")
    assert edited != spec.read_text()
    spec.write_text(edited)
    assert "holds spec.yaml" in refused(desk, *arguments)


def test_two_outputs_in_one_file_are_refused(desk):
    arguments = (*FORECAST, "--out", "new.csv", "--geojson", "./new.csv")
    assert "--geojson new.csv: is --out's file too" in refused(desk, *arguments)


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
from smash.workbench.cli.app import app
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


FULL: dict[str, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    "a check": (
        (*CHECK, "--out", "quakes", "--mark", "mark", "--time-unit", "hours"),
        own_table,
    ),
    "a page of results": (
        ("results", "write", "--records", "records", "--out", "new.md"),
        lambda desk: (desk / "records" / "crime.json").write_text('{"format": 1, "runs": []}'),
    ),
    "scores": (
        (
            "data",
            "estimators",
            "simulated",
            "--events",
            "20",
            "--samples",
            "4",
            "--summary",
            "new.json",
        ),
        lambda _: None,
    ),
}


@pytest.mark.parametrize("case", FULL)
def test_a_full_disk_is_said_in_a_line_and_leaves_all_as_it_was(desk, monkeypatch, case):
    arguments, prepare = FULL[case]
    prepare(desk)
    monkeypatch.setattr("smash.files.os.fsync", full)
    assert "No space left on device" in refused(desk, *arguments)
