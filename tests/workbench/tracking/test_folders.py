"""Whatever a project's folder is called, all that is written stays in it and is found again."""

import sqlite3
from pathlib import Path

import pytest
from tiny_runs import Workshop
from typer.testing import CliRunner

from smash.model.smash import Smash
from smash.workbench.cli.app import app
from smash.workbench.runs.sources import find_checkpoint
from smash.workbench.search.storage import create_storage, default_storage
from smash.workbench.tracking.server import artifact_location, shown, sqlite_path, sqlite_uri

NAMES = ["my%20project", "q?x", "a#b", "with space", "ünï", "a;b{c}&d=e%"]
TOGETHER = ["my%20project", "q?x", "a#b;c with space ünï {d}"]


@pytest.mark.parametrize("name", TOGETHER)
def test_a_run_and_its_report_stay_in_the_folder_and_are_found_again(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    workshop = Workshop.at(tmp_path / name)
    done = workshop.run("tiny.yaml", "--register", "--set", "training.total_epochs=1")
    monkeypatch.chdir(workshop.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert workshop.artifact(done.run_id, "scores/events.parquet").exists()
    assert list(workshop.folder.glob(f"mlruns/*/{done.run_id}/artifacts/scores/events.parquet"))
    assert Smash.load(find_checkpoint("models:/tiny@champion")).about.digest
    made = CliRunner().invoke(app, ["report", "--run", done.run_id])
    assert made.exit_code == 0, (made.stderr, made.exception)
    assert workshop.artifact(done.run_id, "report/report.html").exists()
    assert {path.name for path in tmp_path.iterdir()} == {name}
    with sqlite3.connect(workshop.folder / "mlflow.db") as database:
        assert database.execute("select run_uuid from runs").fetchall() == [(done.run_id,)]


@pytest.mark.parametrize("name", NAMES)
def test_a_study_is_kept_in_the_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    url = default_storage(tmp_path / name)
    storage = create_storage(url, heartbeat=1)
    storage.create_new_study([], "study")
    assert sqlite_path(url) == tmp_path / name / "studies.db"
    assert {path.name for path in tmp_path.iterdir()} == {name}
    with sqlite3.connect(tmp_path / name / "studies.db") as database:
        assert database.execute("select study_name from studies").fetchall() == [("study",)]


@pytest.mark.parametrize("name", [*NAMES, "plain"])
def test_an_address_leads_back_to_its_file_and_is_said_as_the_file_is_called(name):
    path = Path("/tmp") / name / "mlflow.db"
    assert sqlite_path(sqlite_uri(path)) == path
    assert shown(sqlite_uri(path)) == f"sqlite:///{path}"
    assert sqlite_path(sqlite_uri(path, "sqlite:///x.db?timeout=5")) == path
    assert sqlite_uri(path, "sqlite:///x.db?timeout=5").endswith("?timeout=5")


def test_where_no_character_is_quoted_everything_is_as_mlflow_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = sqlite_uri(tmp_path / "mlflow.db")
    assert uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert artifact_location(uri, "crime") is None
    assert artifact_location("http://127.0.0.1:5000", "crime") is None
