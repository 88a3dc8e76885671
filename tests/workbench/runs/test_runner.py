"""Whole runs on tiny simulated data: what they log, and that they can be had again from it."""

import json

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch
from original_naming import save_original

from smash.catalogue import load_dataset
from smash.data.protocol import QUIRKS
from smash.model.smash import Smash
from smash.scores import score_events, summarise
from smash.scores.evaluation import TIE_SEED, scales_of
from smash.settings import ScoreSettings
from smash.workbench.runs.samples_file import read_samples
from smash.workbench.specs.experiment_spec import flatten, load_spec, spec_digest

TEST_AGAIN = ("tiny.yaml", "--stage", "test", "--from")
LEVELS = ScoreSettings().levels
# Draws only ranks and modes; the file of samples keeps neither the modes nor all digits.
NOT_IN_SAMPLES = {"accuracy_original"}


@pytest.fixture(scope="session")
def spec(workshop, finished):
    return load_spec(workshop.artifact(finished.run_id, "spec.yaml"))


def test_parameters_are_the_whole_resolved_spec(finished, spec):
    assert finished.params == flatten(spec)
    assert finished.params["training.total_epochs"] == "2"
    assert finished.params["device"] == "cpu"


def test_tags_say_what_was_run_on_what(finished, spec):
    digest = load_dataset(spec.data).digest
    assert finished.tags["protocol"] == "strict"
    assert finished.tags["profile"] == "full"
    assert finished.tags["dataset"] == "simulated"
    assert finished.tags["spec_digest"] == spec_digest(spec) == finished.summary["spec_digest"]
    assert finished.tags["data/sha256"] == digest == finished.summary["data_digest"]
    for name in ("commit", "dirty", "host", "device_name", "version_torch", "command"):
        assert finished.tags[f"env/{name}"]
    assert finished.logged.info.status == "FINISHED"


def test_the_data_set_is_an_input_with_its_sizes(finished, spec):
    dataset = load_dataset(spec.data)
    (logged,) = (found.dataset for found in finished.logged.inputs.dataset_inputs)
    profile = json.loads(logged.profile)
    assert logged.name == "simulated"
    assert profile["sha256"] == dataset.digest
    for split, sequences in dataset.splits():
        sizes = {"sequences": len(sequences), "events": sequences.n_events}
        assert profile[split] == sizes


def test_metrics_have_stable_names_and_steps(workshop, finished):
    scores = set(summarise(workshop.scores(finished.run_id), LEVELS))
    assert {"cs_time", "mae_location", "accuracy", "ece", "cs_time_original"} <= scores
    assert set(finished.test_metrics) == scores
    assert {f"blocks/{name}" for name in scores} <= set(finished.metrics)
    for name in ("train/loss", "train/learning_rate", "train/events_per_second"):
        assert list(workshop.history(finished.run_id, name)) == [1, 2]
    assert list(workshop.history(finished.run_id, "validation/loss_mark")) == [1, 2]
    assert list(workshop.history(finished.run_id, "sampled/mae_time")) == [2]
    blocks = workshop.history(finished.run_id, "blocks/crps_time")
    assert list(blocks) == [2, 4]
    assert blocks[4] == finished.metrics["test/crps_time"] != blocks[2]


@pytest.mark.parametrize("name", ["coverage", "coverage_error", "forecasts", "training"])
def test_figures_are_pictures(workshop, finished, name):
    picture = matplotlib.image.imread(workshop.artifact(finished.run_id, f"figures/{name}.png"))
    assert picture.shape[0] > 200
    assert picture.std() > 0.05


def test_environment_data_and_history_are_artifacts(workshop, finished):
    assert "torch==" in workshop.artifact(finished.run_id, "environment.txt").read_text()
    history = pd.read_parquet(workshop.artifact(finished.run_id, "training/history.parquet"))
    assert history["loss"].tolist() == list(
        workshop.history(finished.run_id, "train/loss").values()
    )
    summary = pd.read_csv(workshop.artifact(finished.run_id, "data/summary.csv"))
    assert summary["split"].tolist() == ["train", "validation", "test"]


def test_the_score_file_gives_the_logged_figures(workshop, finished):
    again = summarise(workshop.scores(finished.run_id), LEVELS)
    assert again == finished.test_metrics == finished.figures


def test_the_samples_file_gives_the_logged_figures(workshop, finished, spec):
    targets, samples = read_samples(workshop.artifact(finished.run_id, "samples/samples.parquet"))
    test = load_dataset(spec.data).test.targets()
    for name in ("sequence", "event", "time", "gap", "location", "mark"):
        np.testing.assert_array_equal(getattr(targets, name), getattr(test, name))
    scales = scales_of(load_dataset(spec.data).train)
    ties = torch.Generator().manual_seed(TIE_SEED)
    figures = summarise(score_events(samples, targets, ScoreSettings(), ties, scales), LEVELS)
    assert set(figures) == set(finished.figures) - NOT_IN_SAMPLES
    # The file keeps seven digits, so a level may fall on the other side of one event.
    slack = {True: 1 / len(targets), False: 1e-6}
    for name, value in figures.items():
        rank = name.startswith(("cs_", "coverage_"))
        assert finished.figures[name] == pytest.approx(value, rel=1e-5, abs=slack[rank]), name


def test_the_logged_spec_runs_again_with_equal_figures(workshop, finished):
    again = workshop.run(str(workshop.artifact(finished.run_id, "spec.yaml")))
    assert again.run_id != finished.run_id
    assert again.params == finished.params
    assert again.test_metrics == finished.test_metrics


@pytest.mark.parametrize("kind", ["run", "folder"])
def test_a_trained_model_is_tested_again_with_equal_figures(workshop, finished, kind):
    folder = workshop.artifact(finished.run_id, "checkpoints/best")
    source = {"run": finished.run_id, "folder": str(folder)}[kind]
    again = workshop.run(*TEST_AGAIN, source)
    assert again.test_metrics == finished.test_metrics
    assert again.tags["from"] == source
    assert "train/loss" not in again.metrics


def test_the_time_stage_measures_and_scores_nothing(workshop, finished):
    arguments = ("tiny.yaml", "--stage", "time", "--from", finished.run_id)
    timed = workshop.run(*arguments, "--profile", "quick", "--set", "sampling_steps=6")
    assert not timed.test_metrics
    times = timed.summary["runs"][0]["times"]
    assert {f"time/{name}": value for name, value in times.items()}.items() <= timed.metrics.items()
    n_events = finished.figures["n_events"]
    assert times["events_per_second"] * times["total_seconds"] == pytest.approx(n_events)
    assert times["samples_per_second"] == pytest.approx(6 * times["events_per_second"])
    blocks = pd.read_csv(workshop.artifact(timed.run_id, "time/blocks.csv"))
    assert blocks["step"].tolist() == [2, 4, 6]
    assert blocks["seconds"].mean() == pytest.approx(times["seconds_per_block"])


def test_the_quick_profile_is_said_on_the_run(workshop, finished):
    values = ("sampling_steps=600", "per_step=600", "total_samples=20", "n_samples=20")
    overrides = [part for value in values for part in ("--set", value)]
    arguments = ("tiny.yaml", "--stage", "time", "--from", finished.run_id, *overrides)
    quick = workshop.run(*arguments, "--profile", "quick")
    assert quick.tags["profile"] == quick.summary["profile"] == "quick"
    assert "quick profile" in quick.tags["mlflow.note.content"].lower()
    cut = {name: quick.params[f"sampling.{name}"] for name in ("sampling_steps", "total_samples")}
    assert cut == {"sampling_steps": "500", "total_samples": "10"}


def test_seeds_are_children_and_their_parent_holds_mean_and_deviation(workshop, finished):
    first = workshop.run("tiny.yaml", "--set", "seeds=[5, 6]")
    assert first.test_metrics == finished.test_metrics  # as if its seed had been run alone
    runs = [workshop.client.get_run(run["run_id"]) for run in first.summary["runs"]]
    assert [run.data.params["seed"] for run in runs] == ["5", "6"]
    (parent,) = {run.data.tags["mlflow.parentRunId"] for run in runs}
    metrics = workshop.client.get_run(parent).data.metrics
    for name in ("mae_time", "cs_location", "accuracy"):
        values = [run.data.metrics[f"test/{name}"] for run in runs]
        assert metrics[f"test/{name}"] == first.figures[name] == pytest.approx(np.mean(values))
        assert metrics[f"test_sd/{name}"] == pytest.approx(np.std(values, ddof=1))
    assert runs[0].data.metrics["test/mae_time"] != runs[1].data.metrics["test/mae_time"]


def test_an_ensemble_of_the_seeds_is_a_run_of_its_own(workshop):
    seeds = workshop.run("tiny.yaml", "--set", "seeds=[5, 6]", "--set", "ensemble=true")
    members = [run["run_id"] for run in seeds.summary["runs"]]
    parent = seeds.tags["mlflow.parentRunId"]
    children = workshop.client.search_runs(
        [seeds.logged.info.experiment_id], f"tags.mlflow.parentRunId = '{parent}'"
    )
    (ensemble,) = [run for run in children if run.info.run_id not in members]
    assert ensemble.data.tags["ensemble"] == ", ".join(members)
    assert ensemble.data.metrics["test/n_samples"] == 6
    alone = [workshop.scores(run_id)["mark_confidence"] for run_id in members]
    both = workshop.scores(ensemble.info.run_id)["mark_confidence"]
    # The mean of two laws is never surer than their mean.
    assert (both <= (alone[0] + alone[1]) / 2 + 0.15).all()
    assert (both - alone[0]).abs().max() > 1e-4
    again = load_spec(workshop.artifact(members[0], "spec.yaml"))
    assert not again.ensemble


def test_the_oracle_is_a_run_beside_the_model(workshop, finished):
    tested = workshop.run(*TEST_AGAIN, finished.run_id, "--set", "baselines=[oracle]")
    figures = tested.summary["runs"][0]["figures"]
    (oracle,) = workshop.client.search_runs(
        [tested.logged.info.experiment_id], f"tags.compared_with = '{tested.run_id}'"
    )
    assert oracle.data.tags["baseline"] == "oracle"
    assert oracle.data.metrics["test/crps_time"] == figures["oracle"]["crps_time"]
    assert figures["model"] == finished.figures
    assert "test/crps_time" not in figures["model"]


def test_without_marks_nothing_is_said_of_marks(workshop):
    overrides = ("--set", "marked=false", "--set", "total_epochs=1")
    unmarked = workshop.run("tiny.yaml", *overrides, draw=True)
    assert not [name for name in unmarked.metrics if "mark" in name and "/loss" not in name]
    assert "accuracy" not in unmarked.figures
    assert np.isfinite(list(unmarked.test_metrics.values())).all()
    samples = pd.read_parquet(workshop.artifact(unmarked.run_id, "samples/samples.parquet"))
    assert not [name for name in samples if "mark" in name]


OWN_TABLE = [
    part
    for key, value in {
        "data.name": "own",
        "data.path": "own.csv",
        "columns.sequence": "who",
        "columns.split": "part",
        "columns.mark": "kind",
        "time_unit": "weeks",
        "log_normalization": "false",
        "total_epochs": "1",
    }.items()
    for part in ("--set", f"{key}={value}")
]


def test_an_own_table_with_raw_gaps_runs(workshop):
    write_own_table(workshop.folder / "own.csv")
    own = workshop.run("tiny.yaml", *OWN_TABLE)
    assert own.tags["dataset"] == "own"
    assert own.params["scaling.log_normalization"] == "false"
    assert own.figures["n_events"] == 8
    model = Smash.load(workshop.artifact(own.run_id, "checkpoints/best"))
    assert model.about.mark_names == ("calm", "wild")
    assert model.about.time_unit == "weeks"


def test_a_test_that_stands_in_training_is_said_and_tagged(workshop):
    path = workshop.folder / "own.csv"
    write_own_table(path)
    assert workshop.run("tiny.yaml", *OWN_TABLE).tags["data/test_in_train"] == "0"
    table = pd.read_csv(path)
    parts = [table[table["part"] == part] for part in ("train", "val")]
    pd.concat([*parts, parts[0].assign(part="test")]).to_csv(path, index=False)
    done = workshop.invoke("tiny.yaml", *OWN_TABLE, "--stage", "train", "--summary", "leak.json")
    said = "100 % of the test targets stand in train too (8 distinct)"
    assert said in " ".join(done.output.split())
    (found,) = json.loads((workshop.folder / "leak.json").read_text())["runs"]
    tags = workshop.client.get_run(found["run_id"]).data.tags
    assert tags["data/test_in_train"] == "1"
    assert tags["data/shared_events"] == said
    assert said in tags["data/warnings"]
    audit = json.loads(workshop.artifact(found["run_id"], "data/audit.json").read_text())
    assert [pair["share"] for pair in audit["shared"]] == [0, 1, 0]
    assert audit["rows"] == {"read": 30, "kept": 30, "repeated": 0, "left_out": []}


def write_own_table(path):
    """Two sequences of five events a split, their marks named."""
    rng = np.random.default_rng(0)
    rows = [
        (part, who, time, *rng.normal(size=2), rng.choice(["calm", "wild"]))
        for part in ("train", "val", "test")
        for who in ("a", "b")
        for time in np.cumsum(rng.exponential(size=5))
    ]
    table = pd.DataFrame(rows, columns=["part", "who", "time", "x", "y", "kind"])
    table.to_csv(path, index=False)


@pytest.fixture(scope="session")
def original(workshop):
    return workshop.run("tiny.yaml", "--set", "protocol=original", "--set", "total_epochs=1")


def test_the_original_protocol_lists_its_quirks(original):
    assert original.tags["protocol"] == "original"
    assert original.tags["quirks"] == ", ".join(QUIRKS)
    assert all(words in original.tags["mlflow.note.content"] for words in QUIRKS.values())


def test_an_original_checkpoint_is_tested_as_the_model_it_is(workshop, original):
    model = Smash.load(workshop.artifact(original.run_id, "checkpoints/best"))
    save_original(model, workshop.folder / "model_best.pkl")
    tested = workshop.run(*TEST_AGAIN, "model_best.pkl")
    assert tested.tags["protocol"] == "original"
    assert tested.test_metrics == original.test_metrics


def test_another_data_set_is_warned_of(workshop, finished):
    arguments = ("tiny.yaml", "--stage", "time", "--from", finished.run_id)
    result = workshop.invoke(*arguments, "--set", "data.simulator.seed=1")
    assert result.exit_code == 0
    assert "trained on other events" in " ".join(result.stderr.split())
