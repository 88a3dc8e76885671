"""The intensity on a map: the law's own, on a grid, in the data's words; its pictures."""

import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_geographic_forecasts import AT_THE_DATE_LINE, DEGREES

from smash.baselines import Climatology, fit_etas
from smash.errors import DataError, ForecastError
from smash.forecast.event_forecaster import EventForecaster
from smash.forecast.intensity_map import IntensityMap
from smash.law.forecaster import Forecaster
from smash.model.smash import About
from smash.plots.intensity_maps import intensity_maps, write_film
from smash.settings import SimulatorSettings
from smash.simulate.process import HawkesProcess
from smash.simulate.simulator import Oracle, simulate_dataset

PROCESS = HawkesProcess.from_settings(SimulatorSettings())
DATA = simulate_dataset(SimulatorSettings(sequences=(10, 2, 2), events=(20, 30)))
ABOUT = About(mark_names=("a", "b", "c"), time_unit="days", location_unit="km")
REGION = np.array([[-6.0, -6.0], [6.0, 6.0]])
HISTORY = pd.DataFrame(
    {
        "time": [0.5, 1.0, 1.25, 3.0],
        "x": [0.0, 0.2, -0.3, 1.0],
        "y": [0.1, 0.0, 0.5, -1.0],
        "mark": ["a", "c", "b", "a"],
    }
)
LATER = [3.1, 3.5, 6.0]


def people_s(forecaster: Forecaster, about: About = ABOUT) -> EventForecaster:
    return EventForecaster(forecaster, about, REGION)


def oracle(about: About = ABOUT) -> EventForecaster:
    return people_s(Oracle(PROCESS), about)


def exact(times: list[float], points: np.ndarray) -> np.ndarray:
    """Returns (T, K, Q) the process's λ_k(t, x), by its formula."""
    found = np.zeros((len(times), len(PROCESS.background), len(points)))

    def normal(centre: np.ndarray, spread: float) -> np.ndarray:
        square = ((points - centre) ** 2).sum(axis=-1)
        return np.exp(-square / 2 / spread**2) / (2 * np.pi * spread**2)

    for i, time in enumerate(times):
        base = normal(np.array(PROCESS.center), PROCESS.background_spread)
        found[i] = PROCESS.background[:, None] * base
        for row in HISTORY[HISTORY["time"] < time].itertuples():
            fading = PROCESS.decay * np.exp(-PROCESS.decay * (time - row.time))
            offspring = PROCESS.excitation["abc".index(row.mark)]
            near = normal(np.array([row.x, row.y]), PROCESS.spread)
            found[i] += offspring[:, None] * fading * near
    return found


def middles(of: IntensityMap) -> np.ndarray:
    axes = ((edges[1:] + edges[:-1]) / 2 for edges in (of.x, of.y))
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("times", [LATER, [0.7, 1.1, 2.0, 3.0, 3.2]], ids=["after", "along"])
def test_the_oracle_s_intensity_is_the_process_s(times):
    found = oracle().intensity(HISTORY, times, cells=9, start=0.0)
    wanted = exact(times, middles(found)).reshape(found.values.shape)
    np.testing.assert_allclose(found.values, wanted, rtol=1e-9)
    assert found.unit == "events per day per km²"
    assert found.mark_names == ("a", "b", "c")
    assert found.moments.tolist() == times


@pytest.mark.parametrize("kind", ["oracle", "climatology"])
def test_over_the_plane_it_is_the_intensity_of_time(kind):
    fitted = Climatology.fit(DATA.train, DATA.n_marks)
    source = oracle() if kind == "oracle" else people_s(fitted)
    found = source.intensity(HISTORY, LATER, cells=200, region=2 * REGION)
    area = (found.x[1] - found.x[0]) * (found.y[1] - found.y[0])
    law = source.forecaster.law_after(source._read(HISTORY, None, None, None, None).events)
    gap = np.array([LATER]) - 3.0
    step = 1e-5
    falls = (law.log_survival(gap - step) - law.log_survival(gap + step)) / (2 * step)
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)) * area, falls[0], rtol=1e-3)


def test_a_history_that_goes_on_with_a_path_has_the_intensity_along_it():
    path = oracle().simulate(HISTORY, horizon=5.0, n_paths=1, seed=3).table().drop(columns="path")
    assert len(path) > 1
    whole = pd.concat([HISTORY, path])
    first, second = path["time"].iloc[:2]
    between = oracle().intensity(whole, [(first + second) / 2], cells=4, start=0.0)
    until = pd.concat([HISTORY, path.head(1)])
    known = oracle().intensity(until, [(first + second) / 2], cells=4, start=0.0)
    np.testing.assert_allclose(between.values, known.values)


def test_a_large_event_raises_it_more_where_magnitudes_are_known():
    numbers = np.random.default_rng(0)
    size = 1 + numbers.exponential(0.4, DATA.train.n_events)
    etas = fit_etas(replace(DATA.train, magnitude=size).without_marks())
    source = people_s(etas, replace(ABOUT, mark_names=(), magnitude_column="mag"))
    small, large = (
        source.intensity(HISTORY.assign(mag=[1.2, 1.2, 1.2, last]), LATER).values.sum()
        for last in (1.2, 3.0)
    )
    assert large > small


def test_that_no_event_came_until_now_is_in_the_intensity_already():
    one, other = (oracle().intensity(HISTORY, LATER, cells=3, now=now) for now in (None, 3.05))
    np.testing.assert_allclose(one.values, other.values)


@pytest.mark.parametrize("about", [AT_THE_DATE_LINE, DEGREES], ids=["km", "degrees"])
def test_places_in_degrees_are_those_of_the_plane(about):
    forecaster = Climatology.fit(DATA.train.without_marks(), 1)
    source = people_s(forecaster, replace(about, longitude_cut=about.longitude_cut and -1.0))
    low = [179.97, -20.03] if about.projection else [0.0, 0.0]
    table = HISTORY[["time"]].assign(x=low[0], y=low[1])
    region = np.array([low, [-179.97, -19.97]]) if about.projection else REGION
    found = source.intensity(table, LATER, cells=5, region=region)
    assert (np.diff(found.x) > 0).all()
    plane = source.about.geography.plane(middles(found))
    law = source.forecaster.law_after(source._read(table, None, None, None, None).events)
    wanted = law.intensity(plane, np.array([LATER]) - 3.0)[0]
    np.testing.assert_allclose(found.values.reshape(wanted.shape), wanted)
    unit = "km²" if about.projection else "degree²"
    assert found.unit == f"events per hour per {unit}"


REFUSED = {
    "no times": (ForecastError, "times: 0 are asked for", {"times": []}),
    "too early": (ForecastError, "times: 0 is not after 0, where", {"times": [0.0, 4.0]}),
    "no time": (DataError, "times: column 'times' holds 'soon'", {"times": ["soon"]}),
    "not finite": (DataError, "give a finite time", {"times": [np.inf]}),
    "another clock": (DataError, "are plain numbers of days", {"times": ["2024-01-01"]}),
    "no cells": (ForecastError, "cells: 0; give a whole number from 1", {"cells": 0}),
    "too many cells": (ForecastError, "cells: 100000; give", {"cells": 100_000}),
    "no box": (ForecastError, "region: .* least first", {"region": -REGION}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_in_a_line(case):
    kind, message, request = REFUSED[case]
    with pytest.raises(kind, match=message) as caught:
        oracle().intensity(HISTORY, **({"times": LATER} | request))
    assert "\n" not in str(caught.value)


def test_a_law_without_a_density_says_why():
    from test_next_event import forecaster, quakes

    with pytest.raises(ForecastError, match="gives no intensity: score matching knows no density"):
        forecaster().intensity(quakes(), ["2024-04-04"], cells=3)


@pytest.fixture(scope="module")
def found() -> IntensityMap:
    return oracle().intensity(HISTORY, [2.0, *LATER], cells=6)


def test_pictures_are_labelled_and_leave_pyplot_alone(found, tmp_path):
    before = plt.get_fignums(), dict(plt.rcParams)
    figure = intensity_maps(found)
    figure.savefig(tmp_path / "maps.png")
    maps, scale = figure.axes[:-1], figure.axes[-1]
    assert len(maps) == 3 * 4
    assert [axis.get_title() for axis in maps[:4]] == [
        "−1 days",
        "+0.1 days",
        "+0.5 days",
        "+3 days",
    ]
    assert [axis.get_ylabel() for axis in maps[::4]] == ["mark a", "mark b", "mark c"]
    assert scale.get_ylabel() == found.unit
    drawn = [len(axis.lines[0].get_xdata()) for axis in maps[:4]]
    assert drawn == [3, 4, 4, 4]  # a panel shows the events before its time
    write_film(found, tmp_path / "film.gif", ".gif")
    assert (plt.get_fignums(), dict(plt.rcParams)) == before


def test_a_film_has_a_frame_each_time_and_a_page_no_script(found, tmp_path):
    write_film(found, tmp_path / "film.gif", ".gif")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == len(found.times)
        assert film.is_animated
    named = replace(found, about=replace(ABOUT, mark_names=("<b>", "$x", "c")))
    write_film(named, tmp_path / "film.html", ".html")
    page = (tmp_path / "film.html").read_text(encoding="utf-8")
    assert page.count("<img ") == page.count('id="frame') == len(found.times)
    assert "<script" not in page
    assert "<b>" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_nothing_to_see_is_drawn_too(tmp_path):
    unmarked = Climatology.fit(DATA.train.without_marks(), 1)
    far = people_s(unmarked).intensity(HISTORY, [3.5], cells=3, region=REGION + 1e6)
    assert (far.values == 0).all()
    intensity_maps(far).savefig(tmp_path / "maps.png")
    write_film(far, tmp_path / "film.gif", ".gif")
