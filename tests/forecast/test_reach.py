"""Whatever is asked of a forecaster, it answers with numbers or says why it cannot."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.data.scaling import Scaler
from smash.errors import ForecastError, SmashError
from smash.forecast.event_forecaster import EventForecaster
from smash.forecast.next_event import NextEvent
from smash.law import paths as paths_module
from smash.law.regions import density_regions
from smash.model.smash import About, Smash
from smash.settings import ModelSettings, SamplingSettings

NUMBERS = About(mark_names=("a", "b", "c"), time_unit="hours", window_length=30.0)
SCALER = Scaler(True, 1e-4, -3.0, 3.0, (100.0, -10.0), (110.0, 10.0))
QUICK = SamplingSettings(grid_points=16, location_steps=2)
HISTORY = {"time": [1.0, 2.0, 4.0], "x": [101.0, 105.0, 106.0], "y": [0.0, 1.0, -1.0]}
MARKS = ["a", "b", "a"]
EXTRAPOLATES = "ignore::smash.forecast.event_forecaster.Extrapolation"
EXTREMES = [0.0, -1.0, 1e-300, 1e-9, 1e6, 1e15, 1e19, 1e30, 1e300, -1e30, np.nan, np.inf, -np.inf]


def forecaster(about: About = NUMBERS, law_points: int = 0, **changes) -> EventForecaster:
    torch.manual_seed(0)
    sizes = ModelSettings(cond_dim=8, n_layers=1, num_units=8, **changes)
    model = Smash(sizes, 3, SCALER, about, law_points).eval()
    return EventForecaster.of_model(model, QUICK)


RELATIVE = {"time_encoding": "relative", "periods": (24.0,)}
FORECASTERS = {
    "absolute": forecaster(),
    "relative": forecaster(**RELATIVE),
    "likelihood": forecaster(law_points=16, location_law="mixture", **RELATIVE),
    "without windows": forecaster(About(mark_names=("a", "b", "c"))),
}


def history(**columns) -> pd.DataFrame:
    return pd.DataFrame(HISTORY | {"mark": MARKS} | columns)


def all_numbers(event: NextEvent) -> bool:
    found = [event.samples["gap"], event.samples["x"], event.samples["y"]]
    found += [list(event.mark_probability.values()), [event.median.gap, *event.median.location]]
    return all(np.isfinite(np.asarray(part, dtype=float)).all() for part in found)


@pytest.mark.filterwarnings(EXTRAPOLATES)
@pytest.mark.parametrize("which", FORECASTERS)
@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize("what", ["time", "x", "y", "now", "start"])
def test_an_extreme_history_gives_numbers_or_a_reason(which, what, value):
    asked = {}
    if what in HISTORY:
        column = list(HISTORY[what])
        column[-1 if value > 0 or what != "time" else 0] = value
        events = history(**{what: column})
    else:
        events, asked = history(), {what: value}
    try:
        event = FORECASTERS[which].next(events, n_samples=8, **asked)
        futures = FORECASTERS[which].simulate(events, horizon=0.05, n_paths=3, **asked)
    except SmashError:
        return
    assert all_numbers(event)
    assert np.isfinite(futures.paths.time).all()
    assert np.isfinite(futures.paths.location).all()


def test_far_places_are_named_with_the_event():
    with pytest.raises(ForecastError, match=r"event 1: the place \(1e\+08, 1\) is further"):
        FORECASTERS["absolute"].next(history(x=[101.0, 1e8, 106.0]))


WRONG = {
    "n_samples": [0, 1, -1, 10**8, 2**70, 10.5, True, "x", None, np.nan],
    "seed": [-1, 2**63, 2**70, 1.5, "x", None],
    "levels": [[np.nan], [0], [1], [2], ["x"], [None], [np.inf]],
    "horizon": [0, -1, np.nan, np.inf, 1e300, "x", "1.2.3h", "..h", "1e5e5h", "-1h", None, []],
    "n_paths": [0, -1, 10**8, 1.5, True, "x", None],
    "max_events": [0, -1, 1.5, "x", None],
}


@pytest.mark.filterwarnings(EXTRAPOLATES)
@pytest.mark.parametrize(("what", "value"), [(k, v) for k, vs in WRONG.items() for v in vs])
def test_impossible_requests_are_refused(what, value):
    model, asked = FORECASTERS["absolute"], {what: value}
    ask = model.next
    if what not in ("n_samples", "levels"):
        ask, asked = model.simulate, {"horizon": 0.05, "n_paths": 2} | asked
    with pytest.raises(ForecastError, match=rf"{what}|horizon"):
        ask(history(), **asked)


@pytest.mark.parametrize("horizon", [1e-300, 1e-9, "0.000001h"])
def test_the_shortest_horizon_holds_no_event(horizon):
    futures = FORECASTERS["absolute"].simulate(history(), horizon=horizon, n_paths=5)
    assert futures.counts.tolist() == [0] * 5


@pytest.mark.filterwarnings(EXTRAPOLATES)
def test_paths_that_would_fill_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(paths_module, "MOST_IN_ALL", 20)
    with pytest.raises(ForecastError, match="40 paths have more than 20 events"):
        FORECASTERS["absolute"].simulate(history(), horizon=25.0, n_paths=40)


def test_a_map_has_no_more_cells_than_memory_holds():
    futures = FORECASTERS["absolute"].simulate(history(), horizon=0.05, n_paths=5)
    assert futures.rate_map(cells=3).mean.shape == (3, 3)
    for cells in (0, 10**6):
        with pytest.raises(ForecastError, match="give 1 to"):
            futures.rate_map(cells=cells)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_densities_in_blocks_are_those_of_all_at_once(n_samples, seed):
    location = np.random.default_rng(seed).normal(size=(n_samples, 2))
    whole = density_regions(location, [0.5])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smash.blocks.CELLS", 3 * n_samples)
        blocks = density_regions(location, [0.5])
    for one, other in zip(whole[0].polygons, blocks[0].polygons, strict=True):
        for ring, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(ring, same)
