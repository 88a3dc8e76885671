"""What --resume refuses, finds and says, of runs that are parts of others and of lost specs."""

import base64
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest

from smash.workbench.runs.sources import SPEC_TAG


def below(workshop, run):
    found = workshop.client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    return {tag: one for one in found for tag in ("baseline", "ensemble") if tag in one.data.tags}


@pytest.fixture(scope="module")
def seeds(workshop):
    """A parent run of two seeds, each with a baseline, and their ensemble."""
    run = workshop.run(
        "tiny.yaml",
        *("--set", "total_epochs=1", "--set", "seeds=[5, 6]"),
        *("--set", "ensemble=true", "--set", "baselines=[climatology]"),
    )
    return workshop.client.get_run(run.tags["mlflow.parentRunId"])


def test_a_finished_run_of_seeds_stays_as_it_is(workshop, seeds):
    before = workshop.run_ids()
    metrics = seeds.data.metrics
    again = workshop.run("--resume", seeds.info.run_id)
    assert workshop.run_ids() == before
    parent = workshop.client.get_run(seeds.info.run_id)
    assert parent.info.status == "FINISHED"
    assert {k: v for k, v in parent.data.metrics.items() if k.startswith("test")} == {
        k: v for k, v in metrics.items() if k.startswith("test")
    }
    assert again.figures == {
        k.removeprefix("test/"): v for k, v in metrics.items() if k.startswith("test/")
    }


def test_a_seed_that_is_completed_says_how_to_complete_the_rest(workshop, seeds):
    (child, *_) = workshop.client.search_runs(
        [seeds.info.experiment_id],
        f"tags.mlflow.parentRunId = '{seeds.info.run_id}' and tags.seed = '6'",
    )
    said = f"--resume {seeds.info.run_id}"
    assert said not in workshop.invoke("--resume", child.info.run_id).output
    workshop.client.set_terminated(seeds.info.run_id, "KILLED")
    assert said in workshop.invoke("--resume", child.info.run_id).output


def test_a_part_of_a_run_is_resumed_with_the_whole(workshop, seeds):
    ensemble = below(workshop, seeds)["ensemble"]
    members = ensemble.data.tags["ensemble"].split(", ")
    baseline = below(workshop, workshop.client.get_run(members[0]))["baseline"]
    for part, whole in ((ensemble, seeds.info.run_id), (baseline, members[0])):
        refused = workshop.invoke("--resume", part.info.run_id)
        assert refused.exit_code == 2
        assert f"--resume {whole}" in refused.stderr
        assert workshop.client.get_run(part.info.run_id).info.status == "FINISHED"


def test_a_trial_is_left_to_its_search(workshop, finished):
    run = workshop.client.create_run(
        finished.logged.info.experiment_id, tags={"study": "crimes", "trial": "3"}
    )
    refused = workshop.invoke("--resume", run.info.run_id)
    assert refused.exit_code == 2
    assert "study crimes" in refused.stderr


def test_what_a_run_says_of_itself_is_had_from_its_folder_or_from_the_server(workshop):
    """A run that was killed as it began, or while the server was away, has one of the two."""
    done = workshop.run("tiny.yaml", "--set", "total_epochs=1", "--stage", "train")
    artifacts = Path(done.logged.info.artifact_uri)
    spec = (artifacts / "spec.yaml").read_text()
    for name in ("spec.yaml", "environment.txt", "data/audit.json", "data/summary.csv"):
        (artifacts / name).unlink()
    for tag in ("data/sha256", "data/time_unit"):
        workshop.client.delete_tag(done.run_id, tag)
    again = workshop.run("--resume", done.run_id)
    assert (artifacts / "spec.yaml").read_text() == spec
    assert (artifacts / "data/audit.json").exists()
    assert again.tags["data/sha256"] == done.tags["data/sha256"]
    shutil.rmtree(workshop.folder / "runs" / done.run_id)
    workshop.run("--resume", done.run_id)
    assert (workshop.folder / "runs" / done.run_id / "spec.yaml").read_text() == spec

    # The run was made with it, whatever was killed before it was written.
    shutil.rmtree(workshop.folder / "runs" / done.run_id)
    (artifacts / "spec.yaml").unlink()
    workshop.run("--resume", done.run_id)
    assert (workshop.folder / "runs" / done.run_id / "spec.yaml").read_text() == spec

    def refused_without(tag: str) -> Any:
        shutil.rmtree(workshop.folder / "runs" / done.run_id)
        (artifacts / "spec.yaml").unlink(missing_ok=True)
        if tag:
            workshop.client.set_tag(done.run_id, SPEC_TAG, tag)
        else:
            workshop.client.delete_tag(done.run_id, SPEC_TAG)
        refused = workshop.invoke("--resume", done.run_id)
        assert refused.exit_code == 2
        return refused

    bomb = base64.b64encode(zlib.compress(b" " * (3 * 10**6))).decode()
    for damaged in ("no base64!", "AAAA", bomb):
        assert "holds no spec" in refused_without(damaged).stderr
    refused = refused_without("")
    assert "nothing to go on with" in refused.stderr
    assert "run its spec anew" in refused.stderr


def test_a_run_goes_on_with_the_stage_and_the_model_that_it_began_with(workshop, finished):
    source = ("--stage", "test", "--from", finished.run_id)
    tested = workshop.run("tiny.yaml", *source, "--set", "baselines=[walk]")
    workshop.client.delete_tag(tested.run_id, "done/test")
    workshop.client.set_terminated(tested.run_id, "KILLED")
    before = workshop.run_ids()
    again = workshop.run("--resume", tested.run_id)
    assert again.test_metrics == tested.test_metrics
    assert "train/loss" not in again.metrics
    assert again.logged.info.status == "FINISHED"
    assert workshop.run_ids() == before


def test_a_finished_test_is_not_done_again(workshop, monkeypatch):
    done = workshop.run("tiny.yaml", "--set", "total_epochs=1", "--set", "baselines=[walk]")
    monkeypatch.setattr("smash.workbench.runs.stages.score_forecasts", None)
    monkeypatch.setattr("smash.workbench.runs.baseline_fits.fit_baseline", None)
    again = workshop.run("--resume", done.run_id)
    assert again.test_metrics == done.test_metrics
    assert again.figures == done.figures
    assert again.summary["runs"][0]["figures"]["walk"] == done.summary["runs"][0]["figures"]["walk"]


def test_a_model_is_registered_once_however_often_its_run_is_resumed(workshop):
    done = workshop.run("tiny.yaml", "--set", "total_epochs=1", "--register")
    workshop.run("--resume", done.run_id)
    versions = workshop.client.search_model_versions(f"run_id = '{done.run_id}'")
    assert len(versions) == 1
