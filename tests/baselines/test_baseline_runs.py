"""Baselines asked for in a spec become runs of their own, with or without a trained model."""

import json

import numpy as np
import pytest

from smash.baselines import Mixture
from smash.catalogue import load_dataset
from smash.workbench.specs.experiment_spec import load_spec

NAMES = ("oracle", "climatology", "markov", "walk", "hawkes", "mixture", "folded_mixture")


@pytest.fixture(scope="module")
def compared(workshop):
    return workshop.run(
        "tiny.yaml", "--stage", "baselines", "--set", f"baselines=[{', '.join(NAMES)}]"
    )


@pytest.fixture(scope="module")
def children(workshop, compared):
    experiment, below = compared.logged.info.experiment_id, f"compared_with = '{compared.run_id}'"
    runs = workshop.client.search_runs([experiment], f"tags.{below}")
    return {run.data.tags["baseline"]: run for run in runs}


def test_each_baseline_is_a_finished_run_below_the_spec_s(compared, children):
    assert set(children) == set(NAMES)
    for name, run in children.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == compared.run_id
        logged = compared.summary["runs"][0]["figures"][name]
        assert run.data.metrics["test/crps_time"] == logged["crps_time"]
        assert np.isfinite(logged["mark_log_loss"])


def test_each_baseline_is_held_against_climatology(workshop, children):
    for name, run in children.items():
        path = workshop.artifact(run.info.run_id, "scores/comparison.json")
        comparison = json.loads(path.read_text())
        figure = comparison["figures"]["crps_time"]
        assert figure["value"] == pytest.approx(run.data.metrics["test/crps_time"])
        assert figure["low"] <= figure["value"] <= figure["high"]
        if name == "climatology":
            assert comparison["skill"] == comparison["against"] == {}
            continue
        skill = 1 - figure["value"] / children["climatology"].data.metrics["test/crps_time"]
        assert run.data.metrics["test/skill_time"] == pytest.approx(skill)
        assert comparison["skill"]["time"]["value"] == pytest.approx(skill)


def test_a_model_is_held_against_the_baselines_of_its_run(workshop):
    run = workshop.run("tiny.yaml", "--set", "baselines=[climatology]")
    path = workshop.artifact(run.run_id, "scores/comparison.json")
    comparison = json.loads(path.read_text())
    difference = comparison["against"]["climatology"]["crps_time"]
    climatology = run.summary["runs"][0]["figures"]["climatology"]
    lost = run.figures["crps_time"] - climatology["crps_time"]
    assert difference["difference"] == pytest.approx(lost)
    assert 0 < difference["p_value"] <= 1
    assert run.metrics["test/skill_time"] == run.figures["skill_time"]


def test_no_model_is_trained(workshop, compared):
    assert "train/loss" not in compared.metrics
    assert not list(workshop.folder.glob(f"runs/{compared.run_id}/checkpoints"))
    assert "model" not in compared.summary["runs"][0]["figures"]


def test_what_was_fitted_is_logged(workshop, compared, children):
    spec = load_spec(workshop.artifact(compared.run_id, "spec.yaml"))
    folder = workshop.artifact(children["mixture"].info.run_id, "baseline/fitted")
    test = load_dataset(spec.data).test
    assert np.isfinite(Mixture.load(folder).log_densities(test).event).all()
    losses = workshop.history(children["mixture"].info.run_id, "validation/loss")
    assert list(losses) == list(range(1, len(losses) + 1))
    path = workshop.artifact(children["hawkes"].info.run_id, "baseline/fitted/parameters.json")
    assert json.loads(path.read_text())["decay"] > 0


def test_the_folded_mixture_is_fitted_to_sequences_of_both_clocks(workshop, children):
    def first_loss(name):
        return workshop.history(children[name].info.run_id, "train/loss")[1]

    # Twice the sequences are twice the steps of an epoch.
    assert first_loss("folded_mixture") < first_loss("mixture")


def test_a_baseline_of_equal_seed_has_equal_figures(workshop, compared):
    arguments = ("--stage", "baselines", "--set", "baselines=[climatology, mixture]")
    again = workshop.run("tiny.yaml", *arguments)
    figures = (outcome.summary["runs"][0]["figures"]["mixture"] for outcome in (again, compared))
    assert next(figures) == next(figures)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--stage", "baselines"), "baselines=[climatology"),
        (("--stage", "baselines", "--set", "baselines=[prophet]"), "one of oracle, climatology"),
        (("--stage", "baselines", "--set", "baselines=[walk]", "--from", "x"), "needs none"),
    ],
    ids=["none named", "an unknown one", "with a model"],
)
def test_what_cannot_be_is_refused(workshop, arguments, said):
    result = workshop.invoke("tiny.yaml", *arguments)
    assert result.exit_code == 2
    assert said in result.output
