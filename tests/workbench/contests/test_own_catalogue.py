"""One's own catalogue in a contest of next days: counted and forecast as a published one is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_contests import for_people, made_up
from typer.testing import CliRunner

from smash.baselines import Climatology
from smash.catalogue import load_dataset
from smash.data.geography import Geography
from smash.data.region import Region
from smash.errors import DataError
from smash.plots.next_day_figure import next_day_figure
from smash.workbench.cli.app import app
from smash.workbench.contests import earthquakenpp
from smash.workbench.contests.catalogue_contest import fit, own_contest
from smash.workbench.contests.csep_grid import MOST_CELLS, Grid
from smash.workbench.contests.next_day import Entrant, forecast_days, write_catalogues
from smash.workbench.specs.experiment_spec import load_spec

BOX = [[-117.0, 33.0], [-116.0, 33.0], [-116.0, 34.0], [-117.0, 34.0], [-117.0, 33.0]]
PERIODS = ("--targets-from", "2009-01-01", "--split", "2014-01-01,2016-01-01", "--midnight")
COLUMNS = ("--x", "longitude", "--y", "latitude", "--magnitude", "magnitude")


def checked(table, out, *options: str):
    """Returns the spec that `smash data check` wrote."""
    call = ["data", "check", str(table), "--out", str(out), *COLUMNS, *options]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    return out / "spec.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = made_up(tmp_path_factory.mktemp("own"), 900)
    (place / "box.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [BOX]}))
    return place


@pytest.fixture(scope="module")
def spec(folder):
    limits = ("--region", str(folder / "box.geojson"), "--threshold", "1")
    return checked(folder / "SanJac_catalog.csv", folder / "mine", *PERIODS, *limits)


@pytest.fixture(scope="module")
def own(spec):
    return own_contest(load_dataset(load_spec(spec).data))


def test_next_days_are_those_of_the_same_catalogue_where_it_is_published(folder, own):
    published = earthquakenpp.load("sanjac", folder)
    assert published.n_days == 731
    assert own.n_days == np.floor(own.test.time[-1] - own.test_start)
    assert own.test_start == published.test_start
    assert own.fitted.is_target.sum() == published.fitted.is_target.sum()
    grids = own.grid(), published.grid()
    assert grids[0].shape == grids[1].shape == (10, 10)
    np.testing.assert_allclose(grids[0].low, grids[1].low)
    forecaster = fit("poisson", published)
    days = [
        list(forecast_days(Entrant.of(forecaster, contest), contest, 5, 50))
        for contest in (own, published)
    ]
    for ours, theirs in zip(*days, strict=True):
        assert ours.scores() == theirs.scores()


def test_what_lies_beyond_the_region_counts_on_neither_side(own):
    half = replace(own, region=Region(own.region.corners * [0.5, 1.0]))
    everywhere = replace(own, region=None)
    entrant = Entrant.of(fit("poisson", own), own)
    within, all_of_it = (
        [day.scores() for day in forecast_days(entrant, contest, 200, 20)]
        for contest in (half, everywhere)
    )
    for name, slack in (("observed", 0.25), ("forecast", 0.06)):
        inside, total = (sum(getattr(day, name) for day in days) for days in (within, all_of_it))
        assert total > 0
        assert inside / total == pytest.approx(0.5, abs=slack)


@given(
    arrays(float, (20, 2), elements=st.floats(-80, 80)),
    st.one_of(st.none(), st.floats(0.05, 5)),
)
def test_cells_cover_a_box_and_are_few_unless_asked_for(place, width):
    box = place.min(axis=0), place.max(axis=0)
    grid = Grid.over(box, 3.0, width)
    assert grid.holds(place).all()
    assert max(grid.shape) <= MOST_CELLS + 1 or width is not None
    cells = grid.binned(place, np.full(20, 3.0)).cell
    assert (cells >= 0).all()
    assert (cells < grid.shape[0] * grid.shape[1]).all()
    assert not grid.holds(np.array([grid.high + 1e-3])).any()


def test_a_box_of_whole_cells_stays_as_it_is():
    grid = Grid.over((np.array([-117.0, 33.0]), np.array([-116.0, 34.0])), 1.0)
    assert (grid.width, grid.shape) == (0.1, (10, 10))
    assert Grid.over((np.zeros(2), np.array([30.0, 12.0])), 1.0).width == 0.5


def test_data_that_next_days_are_not_forecast_from_are_refused(folder, own, tmp_path):
    table = folder / "SanJac_catalog.csv"
    windows = load_dataset(load_spec(checked(table, tmp_path / "w", "--window", "60d")).data)
    with pytest.raises(DataError, match="are cut into windows; cut them at dates"):
        own_contest(windows)
    bare = replace(windows.validation, magnitude=None)
    with pytest.raises(DataError, match="of events with places and magnitudes"):
        own_contest(replace(windows, validation=bare))
    with pytest.raises(DataError, match="even over a region, and none is known"):
        fit("etas_even", replace(own, region=None))
    (day,) = forecast_days(Entrant.of(fit("poisson", own), own), own, 1, 5)
    with pytest.raises(DataError, match="places that are longitude and latitude"):
        write_catalogues(day, own.clock, Geography(), tmp_path / "day.csv")


def test_the_command_tests_a_baseline_and_a_model_on_ones_own_catalogue(spec, own, tmp_path):
    model = for_people(Climatology.fit(own.fitted, 1), own)
    out, plot = tmp_path / "days.json", tmp_path / "days.png"
    call = ["contest", "next-day", str(spec), "--forecasters", "poisson,hawkes", "--days", "4"]
    done = CliRunner().invoke(
        app, [*call, "--paths", "20", "--out", str(out), "--plot", str(plot), "--cell", "0.25"]
    )
    assert done.exit_code == 0, done.output
    assert "p of even quantiles" in done.output
    found = json.loads(out.read_text())["forecasters"]
    assert set(found) == {"poisson", "hawkes"}
    for day in found["hawkes"]["days"]:
        assert day["low"] <= day["high"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert len(list(forecast_days(Entrant.of_model(model, own), own, 1, 5))) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--days", "9999"), "--days 9999: the test has"),
        (("--folder", "."), "name one catalogue"),
        (("--plot", "days.txt"), "ends with none of"),
    ],
)
def test_what_cannot_be_done_is_one_line(spec, more, message):
    done = CliRunner().invoke(app, ["contest", "next-day", str(spec), *more])
    assert done.exit_code == 2
    assert message in done.output
    assert done.output.startswith("error: ")


def test_the_figure_tells_days_beyond_their_band_and_skips_what_says_nothing():
    observed, low, high = np.array([3.0, 9.0]), np.array([1.0, 1.0]), np.array([5.0, 5.0])
    figure = next_day_figure(observed, low, high, {"N": [0.4, 0.99], "S": [None, None]})
    left, right = figure.axes
    inside, beyond = left.lines
    np.testing.assert_array_equal(inside.get_ydata(), [3])
    np.testing.assert_array_equal(beyond.get_xdata(), [2])
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["N, 2 days"]
