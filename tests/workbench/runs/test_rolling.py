"""Futures that a run scores when asked: of the model and of all baselines that give a law."""

import pandas as pd
import pytest

BOTH = ("tiny.yaml", "--set", "baselines=[oracle,climatology]", "--set", "futures_paths=10")


def test_futures_are_scored_for_models_and_baselines(workshop):
    run = workshop.run(*BOTH, "--set", "futures_horizon=2")
    client = workshop.client
    children = client.search_runs(
        [run.logged.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.run_id}'"
    )
    names = {child.data.tags["baseline"]: child for child in children}
    of_all = [run.metrics, *(child.data.metrics for child in names.values())]
    assert {"climatology", "oracle"} <= set(names)
    for metrics in of_all:
        assert metrics["futures/n_windows"] == of_all[0]["futures/n_windows"] > 0
        assert 0 <= metrics["futures/tmap"] <= 1
        assert metrics["futures/transport_distance"] > 0
        assert metrics["futures/time_error_1"] > 0
        assert 0 <= metrics["futures/coverage_count_90"] <= 1
        assert metrics["futures/energy_pattern"] > 0
    table = pd.read_parquet(workshop.artifact(run.run_id, "futures/windows.parquet"))
    assert len(table) == of_all[0]["futures/n_windows"]
    happened, mean = table["happened"].sum(), table["mean"].sum()
    assert mean / happened == pytest.approx(of_all[0]["futures/relative_count"])


def test_nothing_is_rolled_out_unasked(finished):
    assert not [name for name in finished.metrics if name.startswith("futures/")]
