"""SMASH: forecasts of marked spatio-temporal point processes by score matching.

`docs/api.md` shows all that is public here. Names are looked up when they are first used, as what
stands behind them needs torch, which takes seconds to import.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smash.manifest import POOL
from smash.shipped_files import find_models

if TYPE_CHECKING:
    from smash.catalogue.loading import load_data
    from smash.forecast.event_forecaster import EventForecaster
    from smash.law.forecaster import Forecaster
    from smash.scores.evaluation import evaluate
    from smash.scores.forecaster_comparison import compare

__all__ = ["Forecaster", "__version__", "compare", "evaluate", "load", "load_data"]
__version__ = "0.1.0"

_PLACES = {
    "Forecaster": "smash.law.forecaster",
    "compare": "smash.scores.forecaster_comparison",
    "evaluate": "smash.scores.evaluation",
    "load_data": "smash.catalogue.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'smash' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load(path: Path | str | Sequence[Path | str], device: str = "cpu") -> "EventForecaster":
    """Returns the forecaster whose checkpoint lies in the folder `path`.

    Such a folder is `runs/RUN_ID/checkpoints/best`, or what `smash.workbench.load` returns;
    `pretrained:football` is one of the kept models, `runs/RUN_ID/pool` the pool of a run. Several
    models, in a list or between commas, are forecast from together as an ensemble: their laws are
    mixed in equal parts.

    Raises:
        CheckpointError: when a file is missing, damaged or of another format, or models of
            different data are to be mixed.

    >>> import smash
    >>> smash.load("pretrained:football").about.time_unit
    'seconds'
    """
    folders = find_models(path)
    if len(folders) == 1 and (folders[0] / POOL).exists():
        from smash.baselines.kept_pools import load_pool

        return load_pool(folders[0], device)
    from smash.forecast.event_forecaster import load_forecaster

    return load_forecaster(folders, device)
