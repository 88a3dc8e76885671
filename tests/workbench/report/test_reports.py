"""Reports of real runs: what they say is what MLflow holds, and one file is all of a page."""

import base64
import csv
import json
import re

import pytest
from PIL import Image
from pypdf import PdfReader
from typer.testing import CliRunner

from smash.workbench.cli.app import app
from smash.workbench.report.attachment import NOTE
from smash.workbench.report.forecaster_names import SCORE_MATCHING as MODEL
from smash.workbench.report.production import make_report
from smash.workbench.runs.drawn_intensity import FRAMES


def rows(made, name, of="simulated-"):
    path = made.written.folder / "tables" / f"{of}{name}.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def page(made):
    return made.written.html.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def printed(made):
    pages = PdfReader(made.written.pdf).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


@pytest.fixture(scope="module")
def runs(workshop, compared):
    experiment = compared.logged.info.experiment_id
    found = workshop.client.search_runs([experiment])
    of = {
        r.data.tags.get("baseline", MODEL): r
        for r in found
        if r.info.run_id in family(found, compared)
    }
    return of


def family(found, compared):
    parent = "mlflow.parentRunId"
    below = {r.info.run_id for r in found if r.data.tags.get(parent) == compared.run_id}
    return below | {compared.run_id}


@pytest.mark.parametrize("table", ["scores", "errors", "calibration"])
def test_the_figures_are_those_in_mlflow(made, runs, table):
    shown = rows(made, table)
    assert {row["forecaster"] for row in shown} == {MODEL, "climatology", "oracle"}
    compared = 0
    for row in shown:
        metrics = runs[row["forecaster"]].data.metrics
        for name, value in row.items():
            if f"test/{name}" in metrics:
                assert float(value) == metrics[f"test/{name}"]
                compared += 1
    assert compared >= 3 * 4


def test_the_skill_is_one_minus_the_ratio_to_climatology(made, runs):
    crps = {name: run.data.metrics["test/crps_time"] for name, run in runs.items()}
    shown = {row["forecaster"]: row["time"] for row in rows(made, "overview", of="")}
    assert shown.pop("climatology") == ""
    assert set(shown) == {MODEL, "oracle"}
    for name, skill in shown.items():
        assert float(skill) == pytest.approx(1 - crps[name] / crps["climatology"])


def test_the_overview_has_the_interval_that_each_forecaster_logged(workshop, made, runs):
    shown = {row["forecaster"]: row for row in rows(made, "overview", of="")}
    assert shown.keys() == runs.keys()
    for name, run in runs.items():
        path = workshop.artifact(run.info.run_id, "scores/comparison.json")
        logged = json.loads(path.read_text())
        for column, of in (("cs_time", "figures"), ("time", "skill")):
            if column in logged[of]:
                assert float(shown[name][f"{column}_low"]) == logged[of][column]["low"]
                assert float(shown[name][f"{column}_high"]) == logged[of][column]["high"]


def test_the_model_card_says_what_it_was_trained_on_and_where_it_may_not_be_trusted(
    workshop, compared, made
):
    shown = rows(made, "card")
    card = {row["what"]: row["value"] for row in shown}
    model = workshop.artifact(compared.run_id, "checkpoints/best/model.json").read_text()
    low = json.loads(model)["scaler"]["location_low"][0]
    limits = " ".join(row["value"] for row in shown if row["what"] == "limit")
    assert f"places of x {low:g}".replace("-", "−") in limits
    assert card["data"].startswith(f"simulated, SHA-256 {compared.tags['data/sha256'][:16]}")
    assert f"train: {compared.tags['data/train_events']} events" in card["splits"]
    assert "model.cond_dim=8" in card["settings other than the defaults"]
    assert compared.run_id in card["use"]


def test_page_and_print_have_the_same_content(made, page, printed):
    captions = re.findall(r"<b>((?:Table|Figure) \d+)\.</b>", page)
    assert len(captions) == len(set(captions)) > 10
    for caption in captions:
        assert f"{caption}:" in printed
    title = re.search("<h1>(.*)</h1>", page)
    assert title
    assert title[1] in printed


def test_both_name_the_run_its_data_and_its_commit(compared, page, printed):
    tags = compared.logged.data.tags
    for fact in (compared.run_id, tags["data/sha256"], tags["env/commit"]):
        assert fact in page
        assert fact in printed.replace(" ", "").replace("\u200b", "")


def test_the_page_is_one_file_without_scripts(page):
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert "url(" not in re.sub(r"url\(#", "", page)
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_a_model_with_an_intensity_has_a_film_of_it(workshop, tmp_path):
    likelihood = {
        "objective.kind": "likelihood",
        "model.location_law": "mixture",
        "sampling.sampler": "inverse_cdf",
        "sampling.denoise": "none",
    }
    settings = [word for k, v in likelihood.items() for word in ("--set", f"{k}={v}")]
    run = workshop.run("tiny.yaml", *settings, "--seed", "12", draw=True)
    film = workshop.artifact(run.run_id, "figures/intensity.gif")
    with Image.open(film) as frames:
        assert frames.n_frames == FRAMES
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    made = make_report(run_ids=[run.run_id], out=tmp_path, uri=uri, attached=False)
    page = made.written.html.read_text(encoding="utf-8")
    assert base64.b64encode(film.read_bytes()).decode("ascii") in page
    caption = re.search(r"<b>(Figure \d+)\.</b> Intensity by", page)
    assert caption
    printed = " ".join(page.extract_text() for page in PdfReader(made.written.pdf).pages)
    assert f"{caption[1]}: Intensity by" in " ".join(printed.split())


def test_every_table_is_there_as_csv_and_latex(made, page):
    files = {path.name for path in (made.written.folder / "tables").iterdir()}
    stems = {name.rpartition(".")[0] for name in files}
    assert files == {f"{stem}.{ending}" for stem in stems for ending in ("csv", "tex")}
    assert len(stems) == len(re.findall(r"<b>Table \d+", page))


def test_it_is_kept_with_the_run_and_linked_once(workshop, compared, made):
    listed = {item.path for item in workshop.client.list_artifacts(compared.run_id, "report")}
    assert {"report/report.html", "report/report.pdf"} <= listed
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    (made.written.folder / "mine.txt").write_text("of somebody else")
    workshop.client.set_tag(compared.run_id, NOTE, note(workshop, compared) + "\n\nMine.")
    again = CliRunner().invoke(
        app,
        ["report", "--run", compared.run_id, "--out", str(made.written.folder)],
        env={"MLFLOW_TRACKING_URI": uri},
    )
    assert again.exit_code == 0, again.output
    text = note(workshop, compared)
    assert text.count("report.html](#/experiments/") == 1
    assert "Mine." in text
    listed = {item.path for item in workshop.client.list_artifacts(compared.run_id, "report")}
    assert listed == {"report/report.html", "report/report.pdf", "report/tables"}


def note(workshop, compared):
    return workshop.client.get_run(compared.run_id).data.tags[NOTE]


def test_an_option_of_a_run_makes_its_report(workshop):
    run = workshop.run("tiny.yaml", "--set", "total_epochs=1", "--seed", "9", "--report")
    assert workshop.artifact(run.run_id, "report/report.pdf").exists()
    assert (workshop.folder / "runs" / run.run_id / "report" / "report.html").exists()


def test_audits_and_tests_are_shown_as_they_were_logged(workshop, compared, made, page):
    audit = json.loads(workshop.artifact(compared.run_id, "data/audit.json").read_text())
    sizes = {row["what"]: row for row in rows(made, "sizes")}
    for split, found in audit["sizes"].items():
        assert float(sizes["distinct targets"][split]) == found["distinct_targets"]
    estimators = json.loads(
        workshop.artifact(compared.run_id, "scores/estimator_audit.json").read_text()
    )
    shown = {row["forecaster"]: row for row in rows(made, "estimators")}
    for row in estimators["rows"]:
        assert float(shown[row["forecaster"]]["cs_time"]) == row["cs_time"]
    logged = json.loads(workshop.artifact(compared.run_id, "scores/comparison.json").read_text())
    against = {row["baseline"]: row for row in rows(made, "against")}
    for rival, tests in logged["against"].items():
        for score in ("crps_time", "energy_location"):
            assert float(against[rival][score]) == tests[score]["difference"]
            assert float(against[rival][f"{score}_low"]) == tests[score]["low"]
            assert float(against[rival][f"{score}_p"]) == tests[score]["p_value"]
    assert "95 % interval of the paired difference" in page
    assert "chance alone, gap" in page
    assert "No data audit" not in page


def test_recalibrated_figures_stand_beside_the_raw_ones(compared, made):
    raw, after = rows(made, "recalibrated")
    assert (raw["figures"], after["figures"]) == ("raw", "recalibrated")
    for name in ("cs_time", "ece"):
        assert float(raw[name]) == compared.metrics[f"test/{name}"]
        assert float(after[name]) == compared.metrics[f"test_recalibrated/{name}"]
