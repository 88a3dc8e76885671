"""SMASH: forecasts of marked spatio-temporal point processes by score matching."""

from pathlib import Path
from typing import TYPE_CHECKING

from smash.shipped_files import find_model

if TYPE_CHECKING:
    from smash.forecast.event_forecaster import EventForecaster

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def load(path: Path | str, device: str = "cpu") -> "EventForecaster":
    """Returns the forecaster whose checkpoint lies in the folder `path`.

    Such a folder is `runs/RUN_ID/checkpoints/best`, or what `smash.workbench.load` returns;
    `pretrained:football` is one of the kept models.

    Raises:
        CheckpointError: when a file is missing, damaged or of another format.
    """
    # Imported here, as it needs torch, which takes seconds to import.
    from smash.forecast.event_forecaster import load_forecaster

    return load_forecaster(find_model(path), device)
