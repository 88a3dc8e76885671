"""A run's model on the tracking server: made once, its files and its figures put to it."""

from pathlib import Path

import yaml
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Metric, Run
from mlflow.models import Model as PackedModel
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_IS_EXTERNAL

from smash.workbench.tracking.operations import Metrics, Model


def model_of(client: MlflowClient, run: Run) -> str | None:
    """Returns the id of the model that a run made, None where it made none."""
    made_by = f"source_run_id = '{run.info.run_id}'"
    found = client.search_logged_models([run.info.experiment_id], made_by, max_results=1)
    return found[0].model_id if found else None


def send_model(client: MlflowClient, write: Model) -> None:
    """Makes the run's model, or goes on with one that was begun; it is the run's output then."""
    run = client.get_run(write.run_id)
    model_id = model_of(client, run) or _made(client, run, write)
    if write.path is not None:
        _say_whose(Path(write.path) / MLMODEL_FILE_NAME, write.run_id, model_id)
        client.log_model_artifacts(model_id, write.path)
    client.finalize_logged_model(model_id, "READY")
    known = {output.model_id for output in (run.outputs.model_outputs if run.outputs else ())}
    if model_id not in known:
        client.log_outputs(write.run_id, [LoggedModelOutput(model_id, step=0)])


def _say_whose(description: Path, run_id: str, model_id: str) -> None:
    """Writes into a packed model's description which run and model it is of."""
    # MLflow's own reading takes the path for a URI.
    about = PackedModel.from_dict(yaml.safe_load(description.read_text(encoding="utf-8")))
    about.run_id, about.model_id = run_id, model_id
    about.save(description)


def _made(client: MlflowClient, run: Run, write: Model) -> str:
    made = client.create_logged_model(
        run.info.experiment_id,
        write.name,
        write.run_id,
        {} if write.path else {MLFLOW_MODEL_IS_EXTERNAL: "true"},
        dict(write.params),
        write.model_type,
    )
    return made.model_id


def send_model_file(client: MlflowClient, run_id: str, path: Path, folder: str | None) -> None:
    """Puts a file into a folder of the run's model.

    Raises:
        LookupError: when the run has no model.
    """
    model_id = model_of(client, client.get_run(run_id))
    if model_id is None:
        raise LookupError(f"run {run_id} has no model to put {path.name} to")
    client.log_model_artifact(model_id, str(path), folder)


def metrics_of(client: MlflowClient, write: Metrics) -> list[Metric]:
    """Returns values as MLflow takes them, those of the run's model marked as its own.

    A model's NaN would come back as 0, so it stays with the run alone.
    """
    model_id = model_of(client, client.get_run(write.run_id)) if write.dataset else None
    if model_id is None or write.dataset is None:
        return [Metric(*row) for row in write.values]
    owner = (model_id, *write.dataset)
    return [
        Metric(key, value, time, step, *(owner if value == value else ()))
        for key, value, time, step in write.values
    ]
