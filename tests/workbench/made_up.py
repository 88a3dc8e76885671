"""Runs that never took place: written into a store, or only thought of."""

from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from smash.workbench.report.logged_run import Run

FIGURES = {
    "n_events": 1000.0,
    "n_distinct": 1000.0,
    "n_samples": 300.0,
    "cs_floor": 0.011,
    "cs_time": 0.01,
    "cs_location": 0.01,
    "crps_time": 1.0,
    "energy_location": 1.0,
    "mark_log_loss": 1.0,
    "accuracy": 0.5,
    "cs_time_original": 0.14,
    "cs_location_original": 0.03,
    "mae_time": 1.2,
    "mae_location": 0.05,
}


def run(name: str = "run", baseline: str | None = None, seed: int = 0, **about: Any) -> Run:
    """Returns a finished, tested run; `about` replaces figures, and `params` are added."""
    params = {"seed": str(seed), "seeds": "[]", **about.pop("params", {})}
    tags = {"dataset": about.pop("dataset", "crime"), "data/sha256": about.pop("digest", "d" * 64)}
    tags |= {"protocol": "strict", "profile": "full", **about.pop("tags", {})}
    tags |= {"baseline": baseline} if baseline else {}
    metrics = {f"test/{figure}": value for figure, value in (FIGURES | about).items()}
    identity = f"{name}-{baseline}-{seed}"
    return Run(identity, name, "e", "1", "FINISHED", 0, 1000, params, metrics, tags)


def write(client: MlflowClient, experiment: str, made_up: Run, status: str = "FINISHED") -> str:
    """Returns the id of a run now in the store; it has no artifacts."""
    found = client.get_experiment_by_name(experiment)
    place = found.experiment_id if found else client.create_experiment(experiment)
    run_id = client.create_run(place, run_name=made_up.name).info.run_id
    client.log_batch(
        run_id,
        [Metric(key, value, 0, 0) for key, value in made_up.metrics.items()],
        [Param(key, value) for key, value in made_up.params.items()],
        [RunTag(key, value) for key, value in made_up.tags.items()],
    )
    if status != "RUNNING":
        client.set_terminated(run_id, status)
    return run_id
