"""SMASH: forecasts of marked spatio-temporal point processes by score matching."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smash.forecast.event_forecaster import EventForecaster

__all__ = ["load"]


def load(path: Path | str, device: str = "cpu") -> "EventForecaster":
    """Returns the forecaster whose checkpoint lies in the folder `path`.

    Such a folder is `runs/RUN_ID/checkpoints/best`, or what `experiments.load` returns.

    Raises:
        CheckpointError: when a file is missing, damaged or of another format.
    """
    # Imported here, as it needs torch, which takes seconds to import.
    from smash.forecast.event_forecaster import load_forecaster

    return load_forecaster(path, device)
