"""Models put in MLflow's registry, where the best one on validation data is the champion."""

import re

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from smash.errors import TrackingError
from smash.workbench.runs.logged_model import ARTIFACT
from smash.workbench.tracking.server import find_run, tracking_uri

CHAMPION = "champion"
SCORE = "validation/relative_score"
"""What models are chosen by: proper scores relative to climatology, comparable across settings."""
DIGEST = "data/digest"
VALIDATION_SAMPLES = 100
"""Samples an event for this score, where the spec asks for none."""


def registered_name(experiment: str) -> str:
    """Returns the name that an experiment's models are registered under."""
    return re.sub(r"[/:'%]+", "-", experiment)


def register(run_id: str, experiment: str, data_digest: str) -> str:
    """Returns what became of a finished run's model, for whoever watches.

    It becomes the next version of the experiment's model, and the champion when there is none,
    when the champion was chosen on other data, or when it scores better than the champion did.

    Raises:
        TrackingError: when the run has no model or no score, or the registry cannot be used.
    """
    uri, name, run = tracking_uri(), registered_name(experiment), find_run(run_id)
    score = run.data.metrics.get(SCORE)
    if score is None:
        raise TrackingError(f"run {run_id} has no {SCORE}, by which models are chosen")
    client = MlflowClient(uri)
    try:
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        best = _is_best(client, name, score, data_digest, run_id)
        # A run that was killed as it registered, and is gone on with, has its version already.
        before = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
        version = (
            before[0]
            if before
            else client.create_model_version(
                name,
                f"{run.info.artifact_uri}/{ARTIFACT}",
                run_id,
                tags={SCORE: repr(score), DIGEST: data_digest},
            )
        ).version
        if best:
            client.set_registered_model_alias(name, CHAMPION, version)
    except MlflowException as error:
        raise TrackingError(f"{name}: cannot be registered ({error.message})") from error
    became = f"models:/{name}@{CHAMPION}" if best else "not the champion, which scores no worse"
    return f"registered as models:/{name}/{version}: {became}"


def _is_best(client: MlflowClient, name: str, score: float, data_digest: str, run_id: str) -> bool:
    try:
        champion = client.get_model_version_by_alias(name, CHAMPION)
    except MlflowException:
        return True  # there is none yet
    before = champion.tags
    return (
        champion.run_id == run_id
        or before.get(DIGEST) != data_digest
        or score < float(before.get(SCORE, "inf"))
    )
