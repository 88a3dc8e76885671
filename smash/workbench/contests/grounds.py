"""Where forecasters meet: a data set by name, split as a run splits it, and its law if known."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import yaml

from smash.baseline_names import BASELINES
from smash.catalogue import load_dataset
from smash.data.dataset import Dataset
from smash.data.events import EventSequences, spread_subset
from smash.data.protocol import PreparedData, prepare
from smash.data.suggestion import spec_text, suggest
from smash.errors import DataError, SpecError
from smash.forecast.model_forecaster import FORECAST, ModelForecaster
from smash.law.forecaster import Forecaster
from smash.settings import Columns, DataSettings, SimulatorSettings
from smash.shipped_files import KEPT, find_model, find_spec
from smash.simulate.ladders import rung
from smash.workbench.runs.baseline_fits import fit_baseline
from smash.workbench.runs.model_fits import fit_within
from smash.workbench.runs.sources import load_source
from smash.workbench.specs.experiment_spec import (
    ExperimentSpec,
    load_spec,
    spec_digest,
    spec_from_mapping,
)

SHIPPED = "shipped"
"""The kept model of a data set's own name."""
SUGGESTED = "suggested"
"""The model of the spec that `smash data check` would write, trained here."""
LADDER = "ladder:"
RUNGS = SimulatorSettings(sequences=(80, 20, 30), events=(25, 45))
"""The data of a ladder's rungs, where it does not climb by them."""


@dataclass(frozen=True)
class Ground:
    """A data set with the spec that names it; `oracle` gives its law where that is known."""

    name: str
    spec: ExperimentSpec
    dataset: Dataset
    data: PreparedData = field(repr=False)
    oracle: Callable[[], Forecaster] | None = None

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of spec and events."""
        return {"spec": spec_digest(self.spec), "data": self.dataset.digest}


def ground_of(name: str, seed: int) -> Ground:
    """Returns a data set: `ladder:NAME:NUMBER`, or that of a spec, by its name or file.

    Raises:
        SpecError, DataError: when there is no such spec or rung, or its data cannot be had.
    """
    if name.startswith(LADDER):
        return _rung(name, seed)
    spec = load_spec(find_spec(Path(name))).model_copy(update={"seed": seed, "protocol": "strict"})
    dataset = load_dataset(spec.data)
    data = prepare(dataset, "strict", spec.scaling)
    known = dataset.name == "simulated"
    oracle = (lambda: fit_baseline("oracle", spec, dataset, data, "cpu")) if known else None
    return Ground(Path(name).stem, spec, dataset, data, oracle)


def rung_name(ladder: str, number: int) -> str:
    """Returns what a ladder's rung is called among data sets."""
    return f"{LADDER}{ladder}:{number}"


def _rung(name: str, seed: int) -> Ground:
    ladder, _, number = name.removeprefix(LADDER).partition(":")
    if not number.isdecimal():
        raise SpecError(f"{name}: name a rung as {rung_name(ladder, 0)}, numbers going up from 0")
    settings = replace(RUNGS, seed=seed)
    made = rung(ladder, int(number), settings)
    spec = ExperimentSpec(name=name, data=DataSettings(simulator=settings), seed=seed)
    data = prepare(made.dataset, "strict", spec.scaling)
    return Ground(name, spec, made.dataset, data, lambda: made.oracle)


def some_of(test: EventSequences, events: int) -> EventSequences:
    """Returns test sequences spread evenly over all, with about so many targets; 0: all of them."""
    n_targets = int(test.is_target.sum())
    if not events or events >= n_targets:
        return test
    return spread_subset(test, max(1, int(np.rint(len(test) * events / n_targets))))


def is_model(name: str) -> bool:
    """Returns whether a model is meant, and no baseline, whatever folders there are."""
    is_folder = name not in BASELINES and Path(name).is_dir()
    return name in (SHIPPED, SUGGESTED) or name.startswith(KEPT) or is_folder


def forecaster_of(name: str, ground: Ground, budget: float | None) -> Forecaster:
    """Returns a forecaster, fitted to the training data or taken from where it is kept.

    Args:
        name: a baseline, plug-in or preset; `shipped`, `suggested`; `pretrained:NAME` or a kept
            model's folder.
        ground: the data.
        budget: processor seconds after which a fit that can is to end with what it has.

    Raises:
        SmashError: when it cannot be had; any other exception of a plug-in's as a BaselineError.
    """
    if name == "oracle":
        if ground.oracle is None:
            raise DataError("oracle: only simulated data have a law that is known")
        return ground.oracle()
    if name == SUGGESTED:
        return _suggested(ground, budget)
    if is_model(name):
        return _kept(f"{KEPT}{ground.name}" if name == SHIPPED else name, ground)
    return fit_baseline(name, ground.spec, ground.dataset, ground.data, "cpu", budget=budget)


def _kept(name: str, ground: Ground) -> Forecaster:
    folder = find_model(name)
    if not folder.is_dir():
        raise DataError(f"{name}: no such model is kept")
    source = load_source(str(folder), ground.spec, ground.dataset, "cpu")
    if source.warning:
        raise DataError(f"{name}: {source.warning}")
    return ModelForecaster(source.model, FORECAST)


def _suggested(ground: Ground, budget: float | None) -> Forecaster:
    found, own = suggest(ground.dataset), ground.spec
    text = spec_text(ground.dataset, Path("events.parquet"), Columns(), own.data, found)
    spec = spec_from_mapping(yaml.safe_load(text)).model_copy(
        update={"data": own.data, "seed": own.seed}
    )
    data = prepare(ground.dataset, "strict", spec.scaling)
    return ModelForecaster(fit_within(spec, ground.dataset, data, "cpu", budget), FORECAST)
