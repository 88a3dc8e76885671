"""Models put in MLflow's registry, where the best one on validation data is the champion."""

import json
import re

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from smash.errors import TrackingError
from smash.workbench.tracking.model_delivery import model_of
from smash.workbench.tracking.server import find_run, tracking_uri
from smash.workbench.tracking.tracker import MODEL

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
        tags = {SCORE: repr(score), DIGEST: data_digest}
        version = (before[0] if before else _new_version(client, name, run, tags)).version
        if best:
            client.set_registered_model_alias(name, CHAMPION, version)
    except MlflowException as error:
        raise TrackingError(f"{name}: cannot be registered ({error.message})") from error
    became = f"models:/{name}@{CHAMPION}" if best else "not the champion, which scores no worse"
    return f"registered as models:/{name}/{version}: {became}"


def _new_version(client: MlflowClient, name: str, run: Run, tags: dict[str, str]) -> ModelVersion:
    """Returns the new version that a run's model is, and says so of the model."""
    run_id, model_id = run.info.run_id, model_of(client, run)
    if model_id is None:  # a run of before models were logged by themselves
        return client.create_model_version(name, f"{run.info.artifact_uri}/{MODEL}", run_id, tags)
    place = client.get_logged_model(model_id).artifact_location
    made = client.create_model_version(name, place, run_id, tags, model_id=model_id)
    known = [{"name": name, "version": made.version}]
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(known)})
    return made


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
