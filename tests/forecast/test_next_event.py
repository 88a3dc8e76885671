"""The forecast of the next event: its law, its units and names, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.path import Path as Polygon
from synthetic import random_sequences

import smash
from smash.data.scaling import Scaler
from smash.errors import CheckpointError, DataError, ForecastError
from smash.forecast.event_forecaster import EventForecaster, Extrapolation
from smash.law.regions import density_regions
from smash.model.smash import About, Smash
from smash.settings import Columns, ModelSettings

ABOUT = About(
    dataset="quakes",
    mark_names=("light", "strong", "great"),
    time_unit="days",
    location_unit="degrees",
    time_origin="2024-04-01T00:00:00+00:00",
    mark_edges=(4.0, 6.0),
    starts_at=None,
    window_length=30.0,
)
NUMBERS = About(mark_names=("light", "strong", "great"), time_unit="hours")
SCALER = Scaler(True, 1e-4, -3.0, 3.0, (100.0, -10.0), (110.0, 10.0))


def untrained(n_marks: int = 3, about: About = ABOUT, **settings) -> Smash:
    torch.manual_seed(0)
    sizes = ModelSettings(cond_dim=8, n_layers=1, num_units=8, **settings)
    return Smash(sizes, n_marks, SCALER, about).eval()


def forecaster(n_marks: int = 3, about: About = ABOUT) -> EventForecaster:
    return EventForecaster.of_model(untrained(n_marks, about))


def quakes(**columns) -> pd.DataFrame:
    events = {
        "time": ["2024-04-02T06:00:00Z", "2024-04-03T00:00:00Z", "2024-04-03T12:00:00Z"],
        "x": [101.0, 105.0, 106.0],
        "y": [0.0, 1.0, -1.0],
        "mark": ["light", "strong", "light"],
    }
    return pd.DataFrame(events | columns)


def test_a_saved_model_forecasts_as_before(tmp_path):
    model = untrained()
    model.save(tmp_path / "model")
    direct, loaded = forecaster().next(quakes()), smash.load(tmp_path / "model").next(quakes())
    pd.testing.assert_frame_equal(direct.samples, loaded.samples)
    assert loaded.about == ABOUT


def test_everything_is_in_the_datas_units_and_names():
    event = forecaster().next(quakes(), levels=(0.5, 0.9))
    last = pd.Timestamp("2024-04-03T12:00:00Z")
    assert event.median.time == last + pd.Timedelta(days=event.median.gap).round("us")
    assert set(event.mark_probability) == {"light", "strong", "great"}
    assert sum(event.mark_probability.values()) == pytest.approx(1, abs=1e-5)
    assert set(event.samples["mark"]) <= set(event.mark_probability)
    gap = (event.samples["time"] - last) / pd.Timedelta(days=1)
    np.testing.assert_allclose(gap, event.samples["gap"], atol=1e-9)
    low, high, latest = (getattr(event.intervals[0.9], name) for name in ("low", "high", "latest"))
    assert event.samples["time"].between(low, high).mean() == pytest.approx(0.9, abs=0.01)
    assert (event.samples["time"] <= latest).mean() == pytest.approx(0.9, abs=0.01)
    assert event.mean.location == pytest.approx(event.samples[["x", "y"]].mean().tolist())


def test_the_same_events_in_other_units_have_the_same_forecast():
    """Timestamps or days since the origin; marks by name or raw magnitude; in any order."""
    days = [1.25, 2.0, 2.5]
    first = forecaster().next(quakes()).samples["gap"]
    for table in (quakes(time=days), quakes(mark=[3.9, 4.0, -1.0]), quakes()[::-1]):
        np.testing.assert_allclose(forecaster().next(table).samples["gap"], first, rtol=1e-5)


@pytest.mark.parametrize("names", [("1", "2", "3"), ("001", "002", "003")])
@pytest.mark.parametrize("written", [["1", "2", "1"], [1.0, 2.0, 1.0], ["01", " 2", "1.0"]])
def test_a_number_is_the_mark_of_that_name_and_never_a_place(names, written):
    source = forecaster(about=replace(ABOUT, mark_names=names, mark_edges=()))
    named = source.next(quakes(mark=[names[0], names[1], names[0]])).samples["gap"]
    assert source.next(quakes(mark=written)).samples["gap"].tolist() == named.tolist()
    with pytest.raises(DataError, match="mark '0' is unknown"):
        source.next(quakes(mark=[0, 1, 2]))
    with pytest.raises(DataError, match="mark '1' is unknown"):
        forecaster(about=replace(ABOUT, mark_edges=())).next(quakes(mark=["light", 1, "light"]))


def test_columns_may_have_other_names():
    table = quakes().rename(columns={"time": "when", "mark": "kind"})
    columns = Columns(time="when", mark="kind")
    event = forecaster().next(table, columns=columns)
    assert event.median == forecaster().next(quakes()).median


def test_waiting_in_vain_makes_the_event_no_sooner():
    """Given no event until now, the draws are those of the same law that come later."""
    table, many = quakes(), 5000
    source = forecaster(about=replace(ABOUT, time_origin=""))
    table["time"] = [1.25, 2.0, 2.5]
    free = source.next(table, n_samples=many).samples["gap"]
    wait = float(free.quantile(0.4))
    waited = source.next(table, n_samples=many, now=2.5 + wait, seed=1).samples["gap"]
    assert waited.min() >= wait
    for share in (0.25, 0.5, 0.75):
        assert waited.quantile(share) == pytest.approx(free[free > wait].quantile(share), rel=0.1)


def test_waiting_longer_than_any_gap_of_training_still_has_a_forecast():
    event = forecaster(about=NUMBERS).next(quakes(time=[1.25, 2.0, 2.5]), now=200.0)
    assert np.isfinite(event.samples["gap"]).all()
    assert event.samples["gap"].min() >= 197.5


def test_events_older_than_a_training_window_play_no_part():
    old = quakes(time=["2024-01-01T00:00:00Z", "2024-04-03T00:00:00Z", "2024-04-03T12:00:00Z"])
    far = quakes(time=["2023-01-01T00:00:00Z", "2024-04-03T00:00:00Z", "2024-04-03T12:00:00Z"])
    assert forecaster().next(old).median == forecaster().next(far).median


def test_unmarked_models_ask_for_no_marks():
    event = forecaster(n_marks=1).next(quakes().drop(columns="mark"))
    assert event.mark_probability == {}
    assert "mark" not in event.samples


BAD = {
    "event 1: column 'time' is empty": {"time": ["2024-04-01", None, "2024-04-04"]},
    "event 1: column 'time' holds 'yesterday', which is neither a number nor an ISO 8601": {
        "time": ["2024-04-01", "yesterday", "2024-04-04"]
    },
    "'2024-04-01T12' in event 1; write all with": {
        "time": ["2024-04-01T00Z", "2024-04-01T12", "2024-04-02T00Z"]
    },
    "lies after": {"time": ["2024-04-01", "2024-04-02", "2200-01-01"]},
    "did you mean 'strong'": {"mark": ["light", "stronk", "light"]},
    "mark '7' is unknown": {"mark": ["light", "7", "light"]},
    "event 2: the mark \\(column 'mark'\\) is missing": {"mark": ["light", "light", None]},
    "event 0: column 'x' is empty": {"x": [np.nan, 1.0, 1.0]},
    "event 2: column 'y' is inf": {"y": [0.0, 1.0, np.inf]},
    "which is not a number": {"x": ["east", 1.0, 1.0]},
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_history_is_refused_by_event(message):
    with pytest.raises(DataError, match=message):
        forecaster().next(quakes(**BAD[message]))


def test_missing_columns_are_named():
    with pytest.raises(DataError, match="no column 'mark'"):
        forecaster().next(quakes().drop(columns="mark"))


def test_timestamps_mean_nothing_to_a_model_of_plain_numbers():
    with pytest.raises(DataError, match="plain numbers of hours"):
        forecaster(about=NUMBERS).next(quakes())


def test_an_empty_history_needs_a_law_of_first_events():
    with pytest.raises(ForecastError, match="no law of a first event"):
        forecaster().next(quakes().head(0), now="2024-04-05T00:00:00Z")


def test_with_nothing_known_but_the_windows_start_a_first_event_is_forecast():
    model = untrained()
    train = random_sequences([20] * 40, seed=1)
    model.first.fit(replace(train, window=train.window - np.array([1.0, 0.0])), 3)
    forecast = EventForecaster.of_model(model)
    nothing, known = quakes().head(0), {"start": "2024-04-05", "now": "2024-04-06T12:00:00Z"}
    event = forecast.next(nothing, **known)
    assert (event.samples["time"] >= pd.Timestamp("2024-04-06T12:00:00Z")).all()
    assert event.samples["gap"].min() >= 1.5
    assert sum(event.mark_probability.values()) == pytest.approx(1)
    futures = forecast.simulate(nothing, horizon="0.5d", n_paths=20, max_events=10**6, **known)
    assert futures.counts.shape == (20,)
    if futures.counts.any():
        assert futures.table()["time"].min() >= pd.Timestamp("2024-04-06T12:00:00Z")


@pytest.mark.parametrize(
    "request_", [{"levels": (1.5,)}, {"n_samples": 1}, {"n_samples": 10**9}, {"recalibrated": True}]
)
def test_impossible_requests_are_refused(request_):
    with pytest.raises(ForecastError):
        forecaster().next(quakes(), **request_)


def test_a_location_outside_of_the_trained_region_is_warned_of():
    with pytest.warns(Extrapolation, match="1 of 3 events lie outside"):
        event = forecaster().next(quakes(x=[101.0, 105.0, 170.0]))
    assert "(170.0, -1.0)" in event.warnings[0]


def test_a_damaged_model_is_refused(tmp_path):
    untrained().save(tmp_path / "model")
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        smash.load(tmp_path / "model")


class Doubled:
    """Makes every level a given one, and every mark equally likely."""

    def time_level(self, level):
        return 0.75 if level == 0.5 else level

    def region_level(self, level):
        return 0.75 if level == 0.5 else level

    def mark_probability(self, probability):
        return np.full_like(probability, 1 / probability.shape[1])


def test_recalibrated_levels_and_probabilities_are_used():
    corrected = replace(forecaster(), recalibration=Doubled())
    event = corrected.next(quakes(), recalibrated=True)
    assert event.recalibrated
    assert event.median.gap == pytest.approx(event.samples["gap"].quantile(0.75))
    assert event.mark_probability["great"] == pytest.approx(1 / 3)
    raw = corrected.next(quakes())
    assert event.regions[0.5].area > raw.regions[0.5].area
    assert event.regions[0.9].area == pytest.approx(raw.regions[0.9].area)
    pd.testing.assert_frame_equal(raw.samples, event.samples)


def test_regions_hold_their_share_of_the_law():
    numbers = np.random.default_rng(0)
    shear = np.array([[1.0, 0.5], [0.0, 2.0]])
    truth = numbers.normal(size=(20_000, 2)) @ shear + 100
    for level in (0.5, 0.9):
        shares = []
        for _ in range(20):
            location = numbers.normal(size=(300, 2)) @ shear + 100
            [region] = density_regions(location, [level])
            shares.append(sum(Polygon(p[0]).contains_points(truth).mean() for p in region.polygons))
        assert np.mean(shares) == pytest.approx(level, abs=0.02)


def test_regions_are_geojson_with_rings_closed_and_wound_as_it_says():
    numbers = np.random.default_rng(1)
    angle = numbers.uniform(0, 2 * np.pi, 500)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    [region] = density_regions(ring, [0.99])
    [[outer, hole]] = json.loads(json.dumps(region.geometry()))["coordinates"]
    for coordinates, sign in ((outer, 1), (hole, -1)):
        assert coordinates[0] == coordinates[-1]
        x, y = np.array(coordinates).T
        assert np.sign((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) == sign
    assert region.area < np.pi


def test_equal_samples_have_no_region_and_those_on_a_line_a_thin_one():
    assert density_regions(np.ones((30, 2)), [0.5])[0].polygons == ()
    line = np.repeat(np.linspace(0, 1, 30)[:, None], 2, axis=1)
    assert 0 < density_regions(line, [0.5])[0].area < 1e-3
