"""Kept models: they forecast and are tested without training, as long as nobody touched them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import smash
from smash.catalogue import load_dataset
from smash.errors import CheckpointError, DataError, OutputError
from smash.settings import DataSettings
from smash.workbench.cli.app import app
from smash.workbench.runs import kept_models
from smash.workbench.runs.kept_models import keep
from smash.workbench.specs.experiment_spec import ExperimentSpec

RECENT = pd.DataFrame({"time": [0.4, 1.1], "x": [0.1, 0.3], "y": [0.0, 0.2], "mark": [0, 2]})


@pytest.fixture(scope="module")
def original(workshop, finished):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workshop.folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return keep(finished.run_id, workshop.folder / "pretrained" / "tiny")


@pytest.fixture
def kept(original, tmp_path):
    """A copy of the kept model, to do harm to."""
    return shutil.copytree(original, tmp_path / "tiny")


def test_it_forecasts_as_the_run_s_model_does(workshop, finished, kept):
    [own] = [workshop.folder / "runs" / finished.run_id / "checkpoints" / "best"]
    forecasts = [smash.load(folder).next(RECENT).samples for folder in (own, kept)]
    pd.testing.assert_frame_equal(*forecasts)


def test_spec_and_scores_are_kept_beside(finished, kept):
    scores = json.loads((kept / "scores.json").read_text())
    assert scores["run_id"] == finished.run_id
    assert scores["scores"]["test/crps_time"] == pytest.approx(finished.figures["crps_time"])
    assert (kept / "spec.yaml").exists()


def test_a_kept_spec_names_own_files_from_the_project_on_or_the_data_by_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    inside, outside = str(tmp_path / "data" / "a.csv"), "/elsewhere/secret/a.csv"

    def kept_data(**given):
        spec = ExperimentSpec(data=DataSettings(**given))
        return kept_models.without_machine(spec, "quakes").data

    assert kept_data(path=inside).path == "data/a.csv"
    assert kept_data(path="data/a.csv") == DataSettings(path="data/a.csv")
    assert kept_data(path=outside) == DataSettings(name="quakes")
    splits = {"train": inside, "validation": inside, "test": outside}
    assert kept_data(**splits) == DataSettings(name="quakes")
    with pytest.raises(DataError, match="for own files set"):
        load_dataset(kept_data(path=outside))


def test_a_kept_model_is_the_source_by_the_name_it_was_asked_for(workshop, finished, kept):
    shutil.copytree(kept, workshop.folder / "experiments" / "pretrained" / "asked")
    asked = "pretrained:asked"
    runs = [workshop.run(asked, "--stage", "test")]
    runs.append(workshop.run("tiny.yaml", "--stage", "test", "--from", asked))
    for run in runs:
        assert run.tags["from"] == asked
        assert run.test_metrics["crps_time"] == finished.test_metrics["crps_time"]


def test_it_is_tested_without_training(workshop, finished, kept):
    again = workshop.run(str(kept), "--stage", "test")
    assert again.test_metrics["crps_time"] == finished.test_metrics["crps_time"]
    retrained = workshop.invoke(str(kept))
    assert retrained.exit_code == 2
    assert "--stage test" in retrained.stderr


def snapshot(folder):
    """Returns all files below a folder with their contents."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["..", ".", "../results", "../../X", "a/b", "", "two words"])
def test_a_name_that_is_more_than_a_name_is_refused(workshop, finished, monkeypatch, name):
    monkeypatch.chdir(workshop.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(kept_models, "PRETRAINED", workshop.folder / "code" / "pretrained")
    (workshop.folder / "code" / "results").mkdir(parents=True, exist_ok=True)
    (workshop.folder / "code" / "results" / "crime.json").write_text("{}")
    before = snapshot(workshop.folder)
    result = CliRunner().invoke(app, ["keep", finished.run_id, name])
    assert result.exit_code == 2
    assert "NAME" in result.stderr
    assert "letters, digits" in result.stderr
    assert snapshot(workshop.folder) == before


def test_what_is_kept_again_replaces_a_kept_model_and_nothing_else(
    workshop, finished, kept, tmp_path, monkeypatch
):
    monkeypatch.chdir(workshop.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = snapshot(tmp_path)
    keep(finished.run_id, kept)
    assert snapshot(tmp_path) == before
    (kept / "notes.md").write_text("mine")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "spec.yaml").write_text("mine")
    before = snapshot(tmp_path)
    for folder, found in ((kept, "notes.md"), (mine, "spec.yaml")):
        with pytest.raises(OutputError, match=f"holds {found}"):
            keep(finished.run_id, folder)
    assert snapshot(tmp_path) == before


def swap_weights(folder):
    """Another model's weights, whole and of the right shapes."""
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))


def rename_marks(folder):
    model = json.loads((folder / "model.json").read_text())
    model["about"]["mark_names"] = ["2", "1", "0"]
    (folder / "model.json").write_text(json.dumps(model))


def claim_other_data(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["data"]["digest"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))


def add_recalibration(folder):
    (folder / "extra.json").write_text("{}")


def link_outside(folder):
    outside = shutil.move(folder / "weights.safetensors", folder.parent / "weights")
    (folder / "weights.safetensors").symlink_to(outside)


def name_a_file_outside(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../other"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))


def link_to_nothing(folder):
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").symlink_to("nowhere")


HARM = {
    "weights.safetensors: leads out of the folder": link_outside,
    "'../other' is no file of its folder": name_a_file_outside,
    "manifest.json: no such file": link_to_nothing,
    "weights.safetensors: not the file that was kept": swap_weights,
    "model.json: not the file that was kept": rename_marks,
    "a model of other data": claim_other_data,
    "extra.json: not the file that was kept": add_recalibration,
    "scores.json: no such file": lambda folder: (folder / "scores.json").unlink(),
    "manifest.json: damaged": lambda folder: (folder / "manifest.json").write_text('{"format": 1}'),
}


@pytest.mark.parametrize("message", HARM)
def test_a_model_that_was_tampered_with_is_refused(kept, message):
    HARM[message](kept)
    with pytest.raises(CheckpointError, match=message):
        smash.load(kept)


def test_a_forecast_of_a_kept_model_is_a_number(kept):
    assert np.isfinite(smash.load(kept).simulate(RECENT, horizon=1.0, n_paths=5).counts).all()
