"""A pool of a run's model and baselines is tested, recalibrated, rolled out and compared."""

import json

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from tiny_runs import Outcome

import smash
from smash.forecast.histories import COLUMNS, read_history
from smash.workbench.report.production import make_report

MEMBERS = ("model", "climatology", "hawkes")
POOL = ("--set", f"pool=[{','.join(MEMBERS)}]", "--set", "baselines=[climatology,hawkes]")
EXACT = (
    *("--set", "objective.kind=likelihood", "--set", "sampler=inverse_cdf"),
    *("--set", "model.location_law=mixture", "--set", "total_epochs=1"),
    *("--set", "futures_horizon=1", "--set", "futures_paths=4"),
    *("--set", "data.simulator.sequences=[6, 6, 3]"),
)


def pool_below(workshop, run: Outcome):
    (pool,) = workshop.client.search_runs(
        [run.logged.info.experiment_id],
        f"tags.compared_with = '{run.run_id}' and tags.pool = '{', '.join(MEMBERS)}'",
    )
    return pool


@pytest.fixture(scope="module")
def pooled(workshop) -> Outcome:
    return workshop.run("tiny.yaml", *EXACT, *POOL)


def test_a_pool_is_a_run_below_the_models_with_its_shares(workshop, pooled):
    pool = pool_below(workshop, pooled)
    assert pool.data.tags["mlflow.parentRunId"] == pooled.run_id
    about = json.loads(workshop.artifact(pool.info.run_id, "pool/pool.json").read_text())
    assert tuple(about["weight"]) == MEMBERS
    assert sum(about["weight"].values()) == pytest.approx(1)
    assert about["learnt_by"] == "the whole event"
    assert about["split"] == "recalibration"
    for name, weight in about["weight"].items():
        assert pool.data.metrics[f"pool/{name}"] == weight
    assert about["weight"]["model"] != pytest.approx(1 / 3, abs=1e-3)


def test_it_has_the_scores_and_tests_of_any_forecaster(workshop, pooled):
    pool, figures = pool_below(workshop, pooled), pooled.summary["runs"][0]["figures"]
    metrics = pool.data.metrics
    assert figures["pool"]["event_log_loss"] == metrics["test/event_log_loss"]
    assert {"test_recalibrated/crps_time", "futures/crps_count"} <= metrics.keys()
    comparison = workshop.artifact(pool.info.run_id, "scores/comparison.json")
    assert set(json.loads(comparison.read_text())["against"]) == set(MEMBERS)
    own = workshop.artifact(pooled.run_id, "scores/comparison.json")
    assert "pool" in json.loads(own.read_text())["against"]


def test_its_density_is_the_mean_of_its_members_in_their_shares(workshop, pooled):
    pool, runs = pool_below(workshop, pooled), {"model": pooled.run_id}
    for found in workshop.client.search_runs(
        [pooled.logged.info.experiment_id], f"tags.compared_with = '{pooled.run_id}'"
    ):
        runs[found.data.tags.get("baseline", "")] = found.info.run_id
    density = {
        name: np.exp(-workshop.scores(runs[name])["event_log_loss"].to_numpy()) for name in MEMBERS
    }
    mixed = sum(pool.data.metrics[f"pool/{name}"] * density[name] for name in MEMBERS)
    found = workshop.scores(pool.info.run_id)["event_log_loss"].to_numpy()
    np.testing.assert_allclose(np.exp(-found), mixed)


def test_it_is_reported_by_its_members_with_their_shares(workshop, pooled, tmp_path):
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    made = make_report(run_ids=[pooled.run_id], out=tmp_path / "report", uri=uri, attached=False)
    page = made.written.html.read_text()
    assert "Shares of the members of pools" in page
    assert "pool of SMASH networks, likelihood, mixture places, climatology, hawkes" in page


@pytest.fixture(scope="module")
def by_part(workshop) -> Outcome:
    return workshop.run("tiny.yaml", *EXACT, *POOL, "--set", "pool_weights=stacking_by_part")


def test_a_pool_by_part_has_shares_for_times_marks_and_places(workshop, by_part):
    pool = pool_below(workshop, by_part)
    about = json.loads(workshop.artifact(pool.info.run_id, "pool/pool.json").read_text())
    assert about["learnt_by"] == "time, mark, place, each apart"
    for part in ("time", "mark", "place"):
        shares = [pool.data.metrics[f"pool/{part}/{name}"] for name in MEMBERS]
        assert shares == about["parts"][part]
        assert sum(shares) == pytest.approx(1)


def test_its_parts_are_the_means_of_its_members_parts(workshop, by_part):
    pool, runs = pool_below(workshop, by_part), {"model": by_part.run_id}
    for found in workshop.client.search_runs(
        [by_part.logged.info.experiment_id], f"tags.compared_with = '{by_part.run_id}'"
    ):
        runs[found.data.tags.get("baseline", "")] = found.info.run_id
    own = workshop.scores(pool.info.run_id)
    for part, loss in (("time", "time_log_loss"), ("place", "place_log_loss")):
        mixed = sum(
            pool.data.metrics[f"pool/{part}/{name}"]
            * np.exp(-workshop.scores(runs[name])[loss].to_numpy())
            for name in MEMBERS
        )
        np.testing.assert_allclose(np.exp(-own[loss].to_numpy()), mixed)


def test_it_is_kept_to_forecast_with(workshop, by_part):
    kept = workshop.folder / "runs" / by_part.run_id / "pool"
    pool = smash.load(kept)
    shares = pool_below(workshop, by_part).data.metrics
    assert pool.forecaster.shares.time == tuple(shares[f"pool/time/{name}"] for name in MEMBERS)
    assert pool.forecaster.shares.place == tuple(shares[f"pool/place/{name}"] for name in MEMBERS)
    logged = workshop.artifact(pool_below(workshop, by_part).info.run_id, "kept/pool/pool.json")
    assert json.loads(logged.read_text()) == json.loads((kept / "pool.json").read_text())


def test_it_is_a_model_that_mlflow_loads_and_serves(workshop, by_part):
    pool = pool_below(workshop, by_part)
    [logged] = workshop.client.search_logged_models(
        [pool.info.experiment_id], f"source_run_id = '{pool.info.run_id}'"
    )
    served = mlflow.pyfunc.load_model(logged.artifact_location)
    events = {"sequence": [4, 4, 9], "time": [0.4, 1.1, 0.3], "x": [0.1, 0.3, 0.2]}
    table = pd.DataFrame(events | {"y": [0.0, 0.2, 0.1], "mark": [0, 2, 1]})
    found = served.predict(table, params={"n_samples": 400, "seed": 3})
    assert found["sequence"].tolist() == [4, 9]
    kept = smash.load(workshop.folder / "runs" / by_part.run_id / "pool")
    history = read_history(table[:2], kept.about, 3, columns=COLUMNS)
    law = kept.forecaster.law_after(history.events)
    drawn = law.sample(400, torch.Generator().manual_seed(3))
    assert found["gap_median"][0] == np.median(drawn.gap)
    assert found["x_mean"][0] == pytest.approx(drawn.location[0, :, 0].mean())
    shares = found[[f"mark_{k}" for k in range(3)]].to_numpy()
    np.testing.assert_allclose(shares[0], drawn.mark_probability[0])
    with pytest.raises(MlflowException, match="without a recalibration"):
        served.predict(table, params={"recalibrated": 1})


def test_a_pool_by_part_is_reported_so(workshop, by_part, tmp_path):
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    made = make_report(run_ids=[by_part.run_id], out=tmp_path / "report", uri=uri, attached=False)
    page = made.written.html.read_text()
    assert "pool by part of SMASH networks, likelihood, mixture places, climatology" in page
    assert all(f"share of {part}" in page for part in ("times", "marks", "places"))
    assert "share of whole events" not in page


def test_a_finished_pool_is_not_made_again(workshop, pooled):
    before = workshop.run_ids()
    again = workshop.run("--resume", pooled.run_id)
    assert workshop.run_ids() == before
    assert again.summary["runs"][0]["figures"]["pool"]["n_events"] == pooled.figures["n_events"]
    pool = pool_below(workshop, pooled)
    refused = workshop.invoke("--resume", pool.info.run_id)
    assert refused.exit_code == 2
    assert f"the pool of run {pooled.run_id}" in " ".join(refused.stderr.split())


def test_score_matching_is_pooled_in_equal_shares_and_said(workshop, finished):
    arguments = ("tiny.yaml", *POOL, "--stage", "test", "--from", finished.run_id)
    done = workshop.invoke(*arguments, "--set", "recalibration_samples=0")
    assert done.exit_code == 0, (done.output, done.exception)
    said = " ".join(done.output.split())
    assert "model: score matching knows no density" in said
    assert "pool_weights: equal ones are taken, as a member lacks a density" in said
    assert "pool: model 0.333, climatology 0.333, hawkes 0.333 (equal)" in said


def test_a_pool_goes_on_without_a_member_that_fails(workshop):
    absent = "nowhere.at_all:fit"
    chosen = ("tiny.yaml", "--stage", "baselines", "--set", "recalibration_samples=0")
    baselines = ("--set", f"baselines=[climatology, hawkes, '{absent}']")
    run = workshop.run(*chosen, *baselines, "--set", f"pool=[climatology, '{absent}', hawkes]")
    [found] = run.summary["runs"]
    assert set(found["failures"]) == {absent}
    assert set(found["figures"]) == {"climatology", "hawkes", "pool"}
    pools = workshop.client.search_runs(
        [run.logged.info.experiment_id], f"tags.compared_with = '{run.run_id}' and tags.pool != ''"
    )
    assert [pool.data.tags["pool"] for pool in pools] == ["climatology, hawkes"]
    run = workshop.run(*chosen, *baselines, "--set", f"pool=[climatology, '{absent}']")
    [found] = run.summary["runs"]
    assert "fewer than two of its members" in found["failures"]["pool"]
    assert set(found["figures"]) == {"climatology", "hawkes"}
