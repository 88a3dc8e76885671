"""Fitted baselines and pools as files: the same laws again, and nothing but what belongs there."""

import json
import shutil
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import smash
from smash.baselines import (
    Climatology,
    Markov,
    MixtureSettings,
    Poisson,
    Walk,
    fit_etas,
    fit_hawkes,
    fit_mixture,
)
from smash.baselines.fitted_files import ARRAYS, FITTED, can_be_kept, load_fitted, save_fitted
from smash.baselines.kept_pools import can_be_kept_together, load_pool, save_pool
from smash.data.region import Region
from smash.data.scaling import fit_scaler
from smash.errors import CheckpointError, OutputError
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import Ensemble, PartPool
from smash.law.mixed_law import PartShares
from smash.manifest import POOL
from smash.model.smash import Smash
from smash.settings import ModelSettings, ObjectiveSettings, ScalingSettings, SimulatorSettings
from smash.simulate.simulator import HawkesProcess, Oracle, simulate_dataset

PLAIN = simulate_dataset(SimulatorSettings(sequences=(20, 5, 5), events=(15, 30)))
N_MARKS = 3
BOX = Region(np.array([[-50.0, -50.0], [50.0, -50.0], [50.0, 50.0], [-50.0, 50.0]]))


def with_magnitudes(events):
    numbers = np.random.default_rng(events.n_events)
    return replace(events, magnitude=1 + numbers.exponential(0.4, events.n_events))


TRAIN, TEST = with_magnitudes(PLAIN.train), with_magnitudes(PLAIN.test)
FITS = {
    "climatology": lambda: Climatology.fit(TRAIN, N_MARKS),
    "markov": lambda: Markov.fit(TRAIN, N_MARKS),
    "walk": lambda: Walk.fit(TRAIN, N_MARKS),
    "poisson": lambda: Poisson.fit(TRAIN, N_MARKS),
    "poisson of a region": lambda: Poisson.fit(TRAIN, N_MARKS, region=BOX),
    "hawkes": lambda: fit_hawkes(TRAIN, N_MARKS),
    "etas": lambda: fit_etas(TRAIN, N_MARKS),
    "mixture": lambda: fit_mixture(
        *(TRAIN, PLAIN.validation, N_MARKS, "days", torch.Generator().manual_seed(0)),
        MixtureSettings(units=8, components=2, epochs=1),
    ),
}


def model() -> ModelForecaster:
    torch.manual_seed(0)
    sizes = ModelSettings(cond_dim=8, num_units=8, n_layers=1, location_law="history")
    scaler = fit_scaler([TRAIN], ScalingSettings())
    return ModelForecaster(
        Smash.untrained(sizes, ObjectiveSettings(kind="likelihood"), TRAIN, scaler, N_MARKS)
    )


def pool(by_part: bool):
    members = model(), FITS["climatology"](), FITS["hawkes"]()
    if by_part:
        return PartPool(members, PartShares((0.2, 0.3, 0.5), (0.0, 1.0, 0.0), (0.6, 0.2, 0.2)))
    return Ensemble(members, (0.5, 0.25, 0.25))


NAMES = ("model", "climatology", "hawkes")


@pytest.mark.parametrize("name", FITS)
def test_a_baseline_comes_back_as_it_was(name, tmp_path):
    fitted = FITS[name]()
    assert can_be_kept(fitted)
    save_fitted(fitted, tmp_path / "kept")
    again = load_fitted(tmp_path / "kept")
    assert type(again) is type(fitted)
    expected, found = (one.log_densities(TEST) for one in (fitted, again))
    for part in ("time", "mark", "place", "unmarked"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
    history = TEST.select([0])
    drawn = [
        one.law_after(history).sample(5, torch.Generator().manual_seed(1)).location
        for one in (fitted, again)
    ]
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize("name", ["climatology", "hawkes"])
def test_one_of_events_without_places_comes_back_too(name, tmp_path):
    train = TRAIN.without_places()
    fitted = Climatology.fit(train, 3) if name == "climatology" else fit_hawkes(train, 3)
    save_fitted(fitted, tmp_path / "kept")
    again = load_fitted(tmp_path / "kept").log_densities(TEST.without_places())
    np.testing.assert_array_equal(again.time, fitted.log_densities(TEST.without_places()).time)


def test_what_has_no_files_is_told_apart(tmp_path):
    oracle = Oracle(HawkesProcess.from_settings(SimulatorSettings()))
    assert not can_be_kept(oracle)
    with pytest.raises(ValueError, match="Oracle has no files"):
        save_fitted(oracle, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert not can_be_kept_together({"climatology": FITS["climatology"]()})
    assert not can_be_kept_together({"model": model(), "oracle": oracle})


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError):
        save_fitted(FITS["climatology"](), tmp_path / "kept")
    with pytest.raises(OutputError):
        save_pool(NAMES, pool(True), tmp_path / "kept")
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("by_part", [False, True], ids=["whole", "by part"])
def test_a_pool_comes_back_as_it_was_and_forecasts(by_part, tmp_path):
    made = pool(by_part)
    save_pool(NAMES, made, tmp_path / "pool")
    again = smash.load(tmp_path / "pool")
    assert type(again.forecaster) is type(made)
    expected, found = (one.log_densities(TEST) for one in (made, again))
    for part in ("time", "mark", "place"):
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-6)
    history = pd.DataFrame({"time": [0.5, 1.0], "x": [0.0, 1.0], "y": [0.0, 1.0], "mark": [0, 2]})
    assert len(again.next(history, n_samples=20).samples) == 20
    paths = again.simulate(history, horizon=0.5, n_paths=5).table()
    assert (paths["time"] <= 1.5).all()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "pool"
    save_pool(NAMES, pool(True), folder)
    return folder


def leaves(value, path=()):
    """Yields the paths to all values of a JSON tree."""
    yield path
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e300, 1e300),
    st.text(max_size=5),
    st.sampled_from(
        [[], {}, {"array": 10**6}, {"number": "nan"}, {"kind": "Smash"}, {"kind": "Region"}]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_an_altered_pool_is_refused_or_forecasts(kept, tmp_path_factory, data):
    """One value of a description is another: a line says so, or the law is still one."""
    folder = tmp_path_factory.mktemp("altered") / "pool"
    shutil.copytree(kept, folder)
    path = folder / data.draw(
        st.sampled_from([POOL, f"members/1/{FITTED}", f"members/2/{FITTED}"]), "file"
    )
    content = json.loads(path.read_text())
    *way, last = data.draw(st.sampled_from([p for p in leaves(content) if p]), "where")
    inner = content
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(ODD, "value")
    path.write_text(json.dumps(content))
    with suppress(CheckpointError):
        found = load_pool(folder)
        assert found.forecaster.n_marks == N_MARKS
        with np.errstate(all="ignore"):
            law = found.forecaster.law_after(TEST.select([0]))
            assert law.sample(2, torch.Generator()).gap.shape == (1, 2)


@pytest.mark.parametrize("damage", ["cut", "gone", "not numbers"])
def test_damaged_arrays_are_refused(kept, tmp_path, damage):
    shutil.copytree(kept, tmp_path / "pool")
    path = tmp_path / "pool" / "members" / "1" / ARRAYS
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    elif damage == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-8] + np.array([np.nan]).tobytes())
    with pytest.raises(CheckpointError, match=r"members/1"):
        load_pool(tmp_path / "pool")
