"""Forecasts of places on the Earth: longitude and latitude in and out, whatever models see."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import smash
from smash.data.scaling import Scaler
from smash.errors import DataError
from smash.forecast.event_forecaster import EventForecaster, Extrapolation
from smash.law.date_line import signed_area
from smash.model.smash import DESCRIPTION, About, Smash
from smash.plots.future_maps import future_maps
from smash.settings import ModelSettings
from smash.workbench.cli.forecast import _place

KM = About(time_unit="hours", location_unit="km", location_names=("longitude", "latitude"))
AT_THE_DATE_LINE = replace(KM, projection=(180.0, -20.0))
ELSEWHERE = replace(KM, projection=(30.0, -20.0))
DEGREES = replace(KM, location_unit="degrees", longitude_cut=0.0)
LIMITS = {"km": ((-500.0, -400.0), (500.0, 400.0)), "degrees": ((175.0, -24.0), (185.0, -16.0))}
HISTORY = {"time": [0.5, 1.0, 2.5], "x": [178.0, -178.5, 179.0], "y": [-20.0, -21.0, -19.0]}


def model(about: About) -> Smash:
    torch.manual_seed(0)
    sizes = ModelSettings(cond_dim=8, n_layers=1, num_units=8, sigma_loc=0.3)
    scaler = Scaler(True, 1e-4, -3.0, 3.0, *LIMITS[about.location_unit])
    return Smash(sizes, 1, scaler, about).eval()


def forecaster(about: About) -> EventForecaster:
    return EventForecaster.of_model(model(about))


def history(**columns) -> pd.DataFrame:
    return pd.DataFrame(HISTORY | columns)


def on_the_circle(a, b):
    return (np.asarray(a) - np.asarray(b) + 180) % 360 - 180


BOTH = pytest.mark.parametrize("about", [AT_THE_DATE_LINE, DEGREES], ids=["km", "degrees"])


@BOTH
def test_places_are_given_back_between_180_west_and_east(about):
    event = forecaster(about).next(history(), seed=1)
    futures = forecaster(about).simulate(history(), horizon=3.0, n_paths=30)
    for table in (event.samples, futures.table()):
        assert table["x"].abs().max() <= 180
        assert (table["x"].abs() > 170).mean() > 0.9
        assert (table["x"] > 0).any()
        assert (table["x"] < 0).any()
        assert table["y"].between(-30, -10).mean() > 0.9
    for point in (event.mean, event.median):
        assert 170 < abs(point.location[0]) <= 180
        assert -25 < point.location[1] < -15


@BOTH
def test_histories_may_be_written_either_way(about):
    around = history(x=[x % 360 for x in HISTORY["x"]])
    a, b = (forecaster(about).next(table).samples for table in (history(), around))
    pd.testing.assert_frame_equal(a, b)


def test_a_projected_forecast_is_the_same_on_any_meridian():
    moved = history(x=[x % 360 - 150 for x in HISTORY["x"]])
    here = forecaster(AT_THE_DATE_LINE).next(history())
    there = forecaster(ELSEWHERE).next(moved)
    np.testing.assert_allclose(here.samples["gap"], there.samples["gap"], rtol=1e-4)
    apart = on_the_circle(here.samples["x"], there.samples["x"] + 150)
    np.testing.assert_allclose(apart, 0, atol=1e-3)
    assert here.regions[0.5].area == pytest.approx(there.regions[0.5].area, rel=1e-3)
    assert here.regions[0.5].area > 1000  # km², not square degrees


@BOTH
def test_regions_are_cut_at_the_date_line(about):
    event = forecaster(about).next(history())
    content = json.loads(json.dumps(event.geojson()))
    *regions, median = content["features"]
    for feature in regions:
        west_and_east = set()
        for rings in feature["geometry"]["coordinates"]:
            for i, ring in enumerate(map(np.array, rings)):
                assert np.abs(ring[:, 0]).max() <= 180
                assert ring[0].tolist() == ring[-1].tolist()
                assert (signed_area(ring) > 0) == (i == 0)
                assert np.ptp(ring[:, 0]) < 90
                west_and_east.add(float(np.sign(ring[:, 0].mean())))
        assert west_and_east == {-1.0, 1.0}
    assert median["geometry"]["coordinates"] == list(event.median.location)


@BOTH
def test_maps_are_in_degrees_and_count_every_event(about):
    futures = forecaster(about).simulate(history(), horizon=3.0, n_paths=30)
    within = futures.rate_map(cells=8)
    assert 170 < within.x[0] < 180 < within.x[-1] < 190
    assert 0.5 < within.mean.sum() / futures.counts.mean() <= 1
    every = futures.rate_map(cells=4, region=np.array([[100.0, -90.0], [-100.0, 90.0]]))
    assert every.mean.sum() == pytest.approx(futures.counts.mean())
    figure = future_maps(futures)
    figure.canvas.draw()
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    numbers = [float(label.replace("−", "-")) for label in labels if label]
    assert max(map(abs, numbers)) <= 180
    assert min(numbers) < 0 < max(numbers)


@BOTH
def test_a_saved_model_knows_its_geography(tmp_path, about):
    model(about).save(tmp_path / "model")
    loaded = smash.load(tmp_path / "model")
    assert loaded.about == about
    direct = forecaster(about).next(history()).samples
    pd.testing.assert_frame_equal(loaded.next(history()).samples, direct)


def test_models_saved_before_there_was_a_geography_load(tmp_path):
    model(replace(DEGREES, longitude_cut=None)).save(tmp_path / "model")
    path = tmp_path / "model" / DESCRIPTION
    description = json.loads(path.read_text())
    for key in ("projection", "longitude_cut"):
        del description["about"][key]
    path.write_text(json.dumps(description))
    assert smash.load(tmp_path / "model").about.geography.cut == -180.0


@BOTH
def test_what_lies_outside_is_said_in_degrees(about):
    with pytest.warns(Extrapolation, match=r"175\.?\d* to -1[67]\d\.?\d*, .* at \(150.0, -20.0\)"):
        forecaster(about).next(history(x=[178.0, -178.5, 150.0], y=[-20.0, -21.0, -20.0]))


@BOTH
def test_swapped_histories_are_refused(about):
    with pytest.raises(DataError, match="event 0: latitude is 178, beyond 90"):
        forecaster(about).next(history(x=HISTORY["y"], y=HISTORY["x"]))


def test_places_are_printed_to_a_thousandth_of_their_spread():
    event = forecaster(AT_THE_DATE_LINE).next(history())
    longitude, latitude = _place(event, event.median.location).split(", ")
    assert float(longitude) == pytest.approx(event.median.location[0], abs=1e-3)
    assert len(latitude.partition(".")[2]) in (3, 4)
    metres = replace(event, samples=event.samples.assign(x=1e3 * event.samples["y"], y=0.0))
    metres = replace(metres, samples=metres.samples.assign(y=1e3 * event.samples["y"]))
    point = replace(event.median, location=(439712.3, 3985123.4))
    assert _place(replace(metres, median=point), point.location) == "439712, 3985123"
