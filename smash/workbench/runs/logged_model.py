"""A trained model, or a pool with one, packed as MLflow's generic model for anybody to serve.

The folder holds weights (safetensors), descriptions (JSON), the code of `smash` and
`smash/workbench/runs/served_model.py`; nothing is pickled, and it loads outside this checkout.
It is logged as the run's model (MLflow's *Models* tab shows it), and had with
`mlflow.pyfunc.load_model("models:/MODEL_ID")`.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

import smash
from smash.baselines.kept_pools import asks_magnitudes, load_pool, model_among
from smash.forecast.next_event import mark_names
from smash.model.smash import Smash
from smash.settings import SamplingSettings
from smash.workbench.specs.experiment_spec import ExperimentSpec, flatten
from smash.workbench.tracking.server import quiet

POOL = "pool"
"""What an artifact is called that is a pool, for `served_model`."""
KIND = "smash"
"""The kind that MLflow lists such models as."""
PARAMS = ("scaling.", "model.", "objective.", "training.")
"""Begin the settings that a model is of; what is sampled and scored is no part of it."""
GAPS = ("low_90", "low_50", "median", "high_50", "high_90")
"""What `served_model` gives of the gap; importing it here would make it this process's model."""
REQUIRED = (
    *("mlflow", "torch", "numpy", "pandas", "scipy", "safetensors", "annotated-types"),
    "contourpy",
)


def pack_model(checkpoint: Path, sampling: SamplingSettings, folder: Path) -> Path:
    """Returns `folder`, which now holds the saved model in `checkpoint` as an MLflow model.

    Raises:
        CheckpointError: when there is no model in `checkpoint` or it is damaged.
    """
    model, kept = Smash.load(checkpoint), {"checkpoint": str(checkpoint)}
    return _pack(model, model.scaler.tells_magnitudes, kept, sampling, folder)


def pack_pool(pool: Path, sampling: SamplingSettings, folder: Path) -> Path:
    """Returns `folder`, which now holds the saved `pool` as an MLflow model.

    Raises:
        CheckpointError: when there is no pool or it is damaged.
    """
    loaded = load_pool(pool)
    sized, kept = asks_magnitudes(loaded), {POOL: str(pool)}
    return _pack(model_among(loaded), sized, kept, sampling, folder)


def _pack(
    model: Smash, sized: bool, kept: dict[str, str], sampling: SamplingSettings, folder: Path
) -> Path:
    """Returns `folder` with what is `kept`; histories have magnitudes where events are `sized`."""
    with tempfile.TemporaryDirectory() as scratch, quiet("mlflow.pyfunc"):
        settings = Path(scratch) / "sampling.json"
        settings.write_text(json.dumps(asdict(sampling), indent=2))
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={**kept, "sampling": str(settings)},
            code_paths=[str(Path(smash.__file__).parent)],
            signature=signature(model, sampling, sized),
            input_example=example(model, sized),
            pip_requirements=[f"{name}=={_release(name)}" for name in REQUIRED],
        )
    return folder


def model_name(spec: ExperimentSpec) -> str:
    """Returns what the model of a run is called among those of its experiment."""
    return f"{spec.name}-seed-{spec.seed}"


def model_params(spec: ExperimentSpec) -> dict[str, str]:
    """Returns the settings by which a trained model is told from others."""
    settings = flatten(spec)
    own = {key: value for key, value in settings.items() if key.startswith(PARAMS)}
    return {"seed": settings["seed"], "protocol": settings["protocol"], **own}


def signature(model: Smash, sampling: SamplingSettings, sized: bool) -> ModelSignature:
    """Returns the columns of histories and summaries, and the parameters of a prediction."""
    about, names = model.about, mark_names(model.about, model.n_marks)
    time = "string" if about.time_origin else "double"
    # Names such as 002 are text; a number sent as JSON is understood all the same.
    mark = "long" if _plain_numbers(names) else "string"
    gaps = [ColSpec("double", f"gap_{name}") for name in GAPS]
    axes = "xy"[: model.scaler.n_axes]
    places = [ColSpec("double", f"{name}_mean") for name in axes]
    marks = [ColSpec("double", f"mark_{name}") for name in names] if model.marked else []
    parameters = {
        "n_samples": sampling.total_samples,
        "sampling_steps": sampling.sampling_steps,
        "seed": 0,
        "recalibrated": 0,
    }
    columns: list[ColSpec | TensorSpec] = [ColSpec("long", "sequence"), ColSpec(time, "time")]
    columns += [ColSpec("double", name) for name in axes]
    columns += [ColSpec(mark, "mark", required=model.marked)]
    columns += [ColSpec("double", "magnitude")] * sized
    return ModelSignature(
        inputs=Schema(columns),
        outputs=Schema(
            [ColSpec("long", "sequence"), *gaps, ColSpec(time, "time_median"), *places, *marks]
        ),
        params=ParamSchema([ParamSpec(name, "long", d) for name, d in parameters.items()]),
    )


def example(model: Smash, sized: bool) -> pd.DataFrame:
    """Returns a history of two events in the middle of the model's range."""
    scaler = model.scaler
    gap = float(scaler.unscale_gap(np.array([0.5]))[0])
    middle = scaler.unscale_location(np.full((1, scaler.n_axes), 0.5))
    place = model.about.geography.written(middle)[0].tolist()
    times = model.about.clock.times(gap * np.array([1.0, 2.0]))
    names = mark_names(model.about, model.n_marks)
    time = [t.isoformat() if isinstance(t, pd.Timestamp) else float(t) for t in times]
    events = {"sequence": [0, 0], "time": time}
    events |= {axis: [value, value] for axis, value in zip("xy", place, strict=False)}
    mark = int(names[0]) if _plain_numbers(names) else names[0]
    if sized:
        events["magnitude"] = [1.0 if model.magnitudes is None else model.magnitudes.least + 1] * 2
    return pd.DataFrame(events | ({"mark": [mark, mark]} if model.marked else {}))


def _plain_numbers(names: Sequence[str]) -> bool:
    """Returns True where all names are whole numbers as a computer writes them."""
    return all(name.isascii() and name.isdigit() and str(int(name)) == name for name in names)


def _release(name: str) -> str:
    """Returns a package's version without the build it came as, which no index holds."""
    return version(name).partition("+")[0]
