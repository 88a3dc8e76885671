"""A trained model packed as MLflow's generic model, so that anybody can load and serve it.

The folder holds weights (safetensors), descriptions (JSON), the code of `smash` and
`experiments/served_model.py`; nothing is pickled, and it loads outside this checkout. Logged as
the run's artifact `model`, it is had with `mlflow.pyfunc.load_model("runs:/RUN_ID/model")`.
"""

import json
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

import smash
from experiments.server import quiet
from smash.model import Smash
from smash.settings import SamplingSettings

ARTIFACT = "model"
REQUIRED = (
    *("mlflow", "torch", "numpy", "pandas", "scipy", "safetensors", "annotated-types"),
    "scoringrules",
)


def pack_model(checkpoint: Path, sampling: SamplingSettings, folder: Path) -> Path:
    """Returns `folder`, which now holds the saved model in `checkpoint` as an MLflow model.

    Raises:
        CheckpointError: when there is no model in `checkpoint` or it is damaged.
    """
    model = Smash.load(checkpoint)
    with tempfile.TemporaryDirectory() as scratch, quiet("mlflow.pyfunc"):
        settings = Path(scratch) / "sampling.json"
        settings.write_text(json.dumps(asdict(sampling), indent=2))
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"checkpoint": str(checkpoint), "sampling": str(settings)},
            code_paths=[str(Path(smash.__file__).parent)],
            signature=signature(model, sampling),
            input_example=example(model),
            pip_requirements=[f"{name}=={_release(name)}" for name in REQUIRED],
        )
    return folder


def signature(model: Smash, sampling: SamplingSettings) -> ModelSignature:
    """Returns the columns of histories and summaries, and the parameters of a prediction."""
    numbers = ["gap_low_90", "gap_low_50", "gap_median", "gap_high_50", "gap_high_90"]
    numbers += ["x_mean", "y_mean"]
    numbers += [f"mark_{k}" for k in range(model.n_marks)] if model.marked else []
    inputs = [
        ColSpec("long", "sequence"),
        *(ColSpec("double", name) for name in ("time", "x", "y")),
    ]
    parameters = {
        "n_samples": sampling.total_samples,
        "sampling_steps": sampling.sampling_steps,
        "seed": 0,
        "recalibrated": 0,
    }
    return ModelSignature(
        inputs=Schema([*inputs, ColSpec("long", "mark", required=model.marked)]),
        outputs=Schema([ColSpec("long", "sequence"), *(ColSpec("double", n) for n in numbers)]),
        params=ParamSchema([ParamSpec(name, "long", d) for name, d in parameters.items()]),
    )


def example(model: Smash) -> pd.DataFrame:
    """Returns a history of two events in the middle of the model's range."""
    scaler = model.scaler
    gap = float(scaler.unscale_gap(np.array([0.5]))[0])
    x, y = scaler.unscale_location(np.array([[0.5, 0.5]]))[0]
    events = {"sequence": [0, 0], "time": [gap, 2 * gap], "x": [x, x], "y": [y, y]}
    return pd.DataFrame(events | ({"mark": [0, 0]} if model.marked else {}))


def _release(name: str) -> str:
    """Returns a package's version without the build it came as, which no index holds."""
    return version(name).partition("+")[0]
