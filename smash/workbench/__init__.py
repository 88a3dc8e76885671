"""All that knows MLflow, Optuna and YAML: specs, runs, tracking, search, reports, commands."""

from pathlib import Path

__all__ = ["load"]


def load(reference: str) -> Path:
    """Returns the folder with a trained model, for `smash.load`.

    `reference` is a run's id or a registered model such as `models:/quakes@champion`, looked for
    where `MLFLOW_TRACKING_URI` says, else in `mlflow.db` of the current folder.

    Raises:
        TrackingError: when there is no such run or model.
    """
    # Imported here, as it needs MLflow, which takes seconds to import.
    from smash.workbench.runs.sources import find_checkpoint

    return find_checkpoint(reference)
