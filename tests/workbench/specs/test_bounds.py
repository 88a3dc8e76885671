"""Every setting that is a number has bounds: beyond them it is refused by name, within it works."""

import itertools
import math
import types
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
import pytest
import torch
from annotated_types import Ge, Gt, Le, Lt

from smash.data.batching import ScaledSequences
from smash.data.protocol import prepare
from smash.errors import SmashError, SpecError
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.smash import About, Smash
from smash.model.training import Trainer
from smash.simulate.simulator import simulate_dataset
from smash.workbench.runs.size_checks import check_sizes
from smash.workbench.specs import keys
from smash.workbench.specs.experiment_spec import ExperimentSpec, spec_from_mapping
from smash.workbench.specs.schema import put

MEMORY = 3e8
FREE = ("sampling.max_sequences", "scores.validation_sequences")
"""Counts of what there is at most: all of it, however large they are."""
SMALL: dict[str, Any] = {
    "model": {"cond_dim": 8, "n_layers": 1, "num_units": 8, "n_heads": 2, "d_head": 4},
    "training": {"total_epochs": 1, "warmup_epochs": 0, "eval_every": 1},
    "sampling": {"total_samples": 4, "n_samples": 2, "sampling_steps": 4, "per_step": 2},
    "scores": {"validation_samples": 0, "recalibration_samples": 0},
}
KINDS = {
    "langevin": {"sampling.sampler": "langevin", "sampling.denoise": "tweedie"},
    "inverse_cdf": {"sampling.location_steps": 4, "training.average": 0.5},
    "likelihood": {
        "objective.kind": "likelihood",
        "objective.law_points": 16,
        "model.location_law": "mixture",
        "model.base": "climatology",
        "model.time_encoding": "relative",
        "training.variation.thinning.depth": 0.5,
        "training.variation.folding.share": 0.5,
        "training.variation.recency.half_life": 0.5,
        "training.variation.mirroring.axes": "both",
        "scaling.resolution": "auto",
    },
}


def bounds_of(kind: Any) -> tuple[type, float, float] | None:
    """Returns the type of a number, its least and its largest value; None of other settings."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return next(filter(None, map(bounds_of, arguments)), None)
    if origin is tuple:
        return bounds_of(arguments[0])
    if origin is not Annotated:
        return (kind, -math.inf, math.inf) if kind in (int, float) else None
    inner = bounds_of(arguments[0])
    if inner is None:
        return None
    number, low, high = inner
    for bound in arguments[1:]:
        match bound:
            case Ge(ge=value):
                low = value
            case Gt(gt=value):
                low = math.nextafter(value, math.inf)
            case Le(le=value):
                high = value
            case Lt(lt=value):
                high = math.nextafter(value, -math.inf)
    return number, low, high


BOUNDED = {
    key: found
    for key, kind in keys.leaves(ExperimentSpec).items()
    if (found := bounds_of(kind)) and key != "data.mark_edges"
}
LISTS = {"data.simulator.sequences": 3, "data.simulator.events": 2}


def listed(key: str, value: float) -> Any:
    """Returns a value as its setting takes it."""
    kind = keys.leaves(ExperimentSpec)[key]
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return [value] * LISTS.get(key, 1) if get_origin(kind) is tuple else value


def beyond() -> Iterator[tuple[str, float]]:
    """Yields what lies just beyond each bound, and far beyond."""
    for key, (number, low, high) in BOUNDED.items():
        if number is int:
            yield from ((key, low - 1), (key, -(10**30)))
        else:
            yield from ((key, math.nextafter(low, -math.inf)), (key, -1e300))
        if math.isfinite(high):
            yield from ((key, high + 1), (key, 10**30 if number is int else 1e300))


@pytest.mark.parametrize(("key", "value"), list(beyond()))
def test_beyond_its_bounds_a_setting_is_refused_by_name(key, value):
    mapping: dict[str, Any] = {}
    put(mapping, key, listed(key, value))
    with pytest.raises(SpecError) as refused:
        spec_from_mapping(mapping)
    assert any(line.strip().startswith(key) for line in str(refused.value).splitlines())


def test_every_number_has_bounds_to_both_sides():
    open_ended = [key for key, (_, low, high) in BOUNDED.items() if not math.isfinite(low)]
    assert not open_ended
    endless = {key for key, (_, _, high) in BOUNDED.items() if not math.isfinite(high)}
    assert endless <= {*FREE, "training.final_learning_rate"}  # no more than learning_rate
    assert len(BOUNDED) > 60


def edges() -> Iterator[tuple[str, str, float]]:
    """Yields each bound, and the whole number after the least, for every kind of model."""
    for kind, (key, (number, low, high)) in itertools.product(KINDS, BOUNDED.items()):
        if key.startswith(("data.", "seed", "threads")):
            continue
        values = {low, high if math.isfinite(high) else 1e30}
        values |= {low + 1} if number is int else set()
        yield from ((kind, key, number(value)) for value in sorted(values))


@pytest.fixture(scope="module")
def simulated():
    """The smallest simulated data."""
    spec = spec_from_mapping({"data": {"simulator": {"sequences": [4, 2, 2], "events": [4, 6]}}})
    return simulate_dataset(spec.data.simulator)


@pytest.mark.parametrize(("kind", "key", "value"), list(edges()))
def test_within_its_bounds_a_setting_works_or_is_refused(kind, key, value, simulated, tmp_path):
    mapping: dict[str, Any] = {}
    for section, chosen in SMALL.items():
        mapping[section] = dict(chosen)
    for dotted, chosen in (*KINDS[kind].items(), (key, listed(key, value))):
        put(mapping, dotted, chosen)
    try:
        spec = spec_from_mapping(mapping)
        check_sizes(spec, simulated, MEMORY)
        forecasts = forecast(spec, simulated, tmp_path)
    except SmashError as error:
        assert len(str(error)) > 30  # noqa: PT017 (some values work)
        return
    for samples in forecasts:
        assert np.isfinite(samples.gap).all()
        assert np.isfinite(samples.location).all()


def forecast(spec: ExperimentSpec, dataset: Any, root: Any) -> list[Any]:
    """Returns the samples of test sequences after a step of training."""
    data = prepare(dataset, spec.protocol, spec.scaling)
    settings = replace(spec.training, total_epochs=1)
    model = Smash.untrained(
        *(spec.model, spec.objective, data.train, data.scaler, dataset.n_marks, About.of(dataset))
    )
    train, validation = (ScaledSequences(s, data.scaler) for s in (data.train, data.validation))
    Trainer(model, train, validation, spec.objective, settings, root, 0).fit()
    steps = min(spec.sampling.sampling_steps, 20)
    sampling = replace(
        spec.sampling,
        sampling_steps=steps,
        per_step=min(spec.sampling.per_step, steps),
        location_steps=min(spec.sampling.location_steps, 20),
    )
    generator = torch.Generator().manual_seed(0)
    found = ModelForecaster(model, sampling).forecast(data.test, sampling.total_samples, generator)
    return [part.samples for part in found]
