"""Runs that are not there, not finished, without samples, of several data sets, oddly named."""

import csv
from dataclasses import replace

import pandas as pd
import pytest
from made_up import run, write
from mlflow import MlflowClient
from pypdf import PdfReader
from typer.testing import CliRunner

from smash.workbench.cli.app import app
from smash.workbench.report.run_store import open_store
from smash.workbench.tracking.store import connect

EVIL = '<script>alert(1)</script> #panic("x") $\\alpha$ \\input{/etc/passwd} [*b*] _a_ & "q"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("made-up")


@pytest.fixture(scope="module")
def client(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        connect("empty")
        yield MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture
def report(client, tmp_path):
    def report(*arguments):
        out = ("--out", str(tmp_path)) if arguments else ()
        return CliRunner().invoke(app, ["report", *arguments, *out])

    return report


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name an experiment"),
        (("nowhere",), "There is no experiment nowhere"),
        (("--run", "0123"), "There is no run 0123"),
        (("empty",), "The experiment empty has no runs"),
        (("--run", "0123", "nowhere"), "There is no run 0123"),
    ],
)
def test_nothing_to_report_is_one_line(report, arguments, words):
    result = report(*arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert words in result.output


def test_a_store_that_is_not_there_is_one_line(report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = report("crime")
    assert result.exit_code == 2
    assert "mlflow.db" in result.output
    assert not (tmp_path / "mlflow.db").exists()


def test_what_is_there_is_shown_and_what_is_not_is_said(client, report, tmp_path):
    there = write(client, "some", run("there"))
    running = write(client, "some", run("under way", seed=1), "RUNNING")
    failed = write(client, "some", run("broken", seed=2), "FAILED")
    result = report("some", "--run", "0123")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    for words in (
        "There is no run 0123",
        f"{running} (under way) is not finished",
        f"{failed} (broken) did not finish",
        f"{there} has no samples/samples.parquet",
        f"{there} has no table of scored events",
        f"{there} logged no training",
        "No data audit",
        "No estimator audit",
        "not known whether it earned its keep",
    ):
        assert words in result.output + page, words
    assert "not kept with any" in result.output
    assert (tmp_path / "report.pdf").exists()


def test_data_sets_are_not_mixed(client, report, tmp_path):
    write(client, "mixed", run(dataset="crime", digest="a" * 64, crps_time=3.0))
    write(client, "mixed", run(dataset="crime", digest="b" * 64, crps_time=4.0))
    write(client, "mixed", run(dataset="taxis", digest="c" * 64, crps_time=5.0))
    result = report("mixed")
    assert "of 3 data sets" in result.output
    scores = sorted((tmp_path / "tables").glob("*-scores.csv"))
    assert len(scores) == 3
    assert all(len(path.read_text().splitlines()) == 2 for path in scores)


def test_markup_in_names_is_printed_not_run(client, report, tmp_path):
    tags = {"env/command": EVIL, "data/time_unit": EVIL, "data/location_unit": EVIL}
    for seed in (0, 1):
        params = {"model.kind": f"{EVIL}{seed}"}
        write(client, EVIL, run(EVIL, dataset=EVIL, tags=tags, params=params))
    write(client, EVIL, run(EVIL, "climatology", dataset=EVIL, tags=tags))
    result = report(EVIL)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; #panic(&#34;x&#34;)" in page
    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages)
    text = "".join(text.split()).replace("\u200b", "")
    assert "<script>alert(1)</script>#panic" in text
    assert "\\input{/etc/passwd}[*b*]_a_" in text
    latex = "".join(path.read_text() for path in (tmp_path / "tables").glob("*.tex"))
    assert "\\input" not in latex
    assert r"\textbackslash{}input\{/etc/passwd\}" in latex


def test_a_large_store_is_searched_once_and_few_artifacts_are_asked_for(client, monkeypatch):
    for seed in range(30):
        write(client, "large", run(f"r{seed}", params={"model.cond_dim": str(seed)}))
    calls = []
    for name in ("search_runs", "get_run", "download_artifacts", "get_metric_history"):
        count(monkeypatch, name, calls)
    with open_store() as store:
        from smash.workbench.report.contents import build

        report = build(store, store.select(["large"], []))
    assert calls.count("search_runs") == 1
    assert calls.count("download_artifacts") < 30
    assert calls.count("get_metric_history") == 0
    assert "best of 30 models" in report.verdicts[0].full.lower()


def count(monkeypatch, name, calls):
    original = getattr(MlflowClient, name)

    def counted(*arguments, **options):
        calls.append(name)
        return original(*arguments, **options)

    monkeypatch.setattr(MlflowClient, name, counted)


def test_a_training_under_way_is_drawn(client, report, tmp_path):
    training = run("training")
    run_id = write(client, "under way", replace(training, metrics={}), "RUNNING")
    for epoch, loss in enumerate([3.0, 2.0, 1.5], start=1):
        client.log_metric(run_id, "train/loss", loss, step=epoch)
    result = report("under way")
    assert result.exit_code == 0, result.output
    assert "is not finished" in result.output
    page = (tmp_path / "report.html").read_text()
    assert "Training of the run training" in page
    assert "there are no scores to judge" in page


def test_a_study_shows_its_trials_best_first(client, report, tmp_path):
    study = replace(run("my study", tags={"study": "mine"}), metrics={})
    run_id = write(client, "studies", study)
    trials = pd.DataFrame(
        {
            "trial": [0, 1, 2],
            "state": ["complete", "fail", "complete"],
            "model.sigma_time": [0.1, 0.2, 0.4],
            "validation/relative_score": [1.2, None, 0.9],
            "published": [True, False, False],
        }
    )
    trials.to_parquet(tmp_path / "trials.parquet")
    client.log_artifact(run_id, str(tmp_path / "trials.parquet"))
    assert report("studies").exit_code == 0
    page = (tmp_path / "report.html").read_text()
    assert "best first (2 complete, 1 fail)" in page
    (path,) = (tmp_path / "tables").glob("*-trials.csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["trial"] for row in rows] == ["2", "0"]
    assert rows[1]["note"] == "published setting"


def test_a_folder_that_cannot_be_is_one_line(client, tmp_path):
    write(client, "nowhere to go", run())
    (tmp_path / "file").touch()
    arguments = ["nowhere to go", "--out", str(tmp_path / "file" / "below")]
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert "--out" in result.output


def test_damaged_artifacts_are_as_good_as_none(client, report, tmp_path):
    run_id = write(client, "damaged", run())
    for name in ("scores/events.parquet", "scores/comparison.json", "data/audit.json"):
        client.log_text(run_id, "[1, {", name)
    client.log_text(run_id, "{}", "scores/estimator_audit.json")
    client.log_text(run_id, "no samples", "samples/samples.parquet")
    result = report("damaged")
    assert result.exit_code == 0, result.output
    assert f"{run_id} has no table of scored events" in result.output
    assert "so no forecast of it is drawn" in result.output
