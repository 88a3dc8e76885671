"""Places in degrees: one plane without a seam, given back as people write them, mistakes said."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from smash.catalogue.datasets import load_dataset
from smash.data.audit import audit
from smash.data.events import Place
from smash.data.geography import Geography, unwrapped, widest_cut, wrapped
from smash.data.places import read_places, unit_of
from smash.errors import DataError
from smash.model.smash import About
from smash.settings import Columns, DataSettings
from smash.workbench.cli.data import app
from smash.workbench.specs.experiment_spec import load_spec

NAMES = Columns(x="lon", y="lat")
LONGITUDES = arrays(np.float64, st.integers(1, 30), elements=st.floats(-180, 360))


def where(row: int) -> str:
    return f"row {row}"


def noise(centre, n=400, spread=1.5, seed=0) -> np.ndarray:
    return np.array(centre) + np.random.default_rng(seed).normal(0, spread, (n, 2))


def places(written, columns=NAMES, **chosen):
    return read_places(np.asarray(written, dtype=float), columns, where, **chosen)


@given(longitude=LONGITUDES, cut=st.floats(-360, 0))
def test_unwrapped_and_wrapped_are_the_same_places(longitude, cut):
    location = np.stack([longitude, np.zeros_like(longitude)], axis=1)
    flat = unwrapped(location, cut)
    assert (flat[:, 0] >= cut - 1e-9).all()
    assert (flat[:, 0] <= cut + 360).all()
    again = wrapped(flat)
    assert (np.abs(again[:, 0]) <= 180).all()
    for other in (flat, again):
        turns = (other[:, 0] - longitude) / 360
        np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
    back = (unwrapped(again, cut)[:, 0] - flat[:, 0] + 180) % 360 - 180
    np.testing.assert_allclose(back, 0, atol=1e-9)


@given(longitude=LONGITUDES)
def test_no_cut_makes_longitudes_narrower(longitude):
    def width(cut):
        return np.ptp(unwrapped(np.stack([longitude, longitude], axis=1), cut)[:, 0])

    cut = widest_cut(longitude)
    assert -540 <= cut <= 360
    assert width(cut) <= min(width(other) for other in range(-360, 360, 5)) + 1e-9


@given(location=arrays(np.float64, (5, 2), elements=st.floats(-90, 90)))
def test_what_needs_no_turn_keeps_every_bit(location):
    assert wrapped(location).tolist() == location.tolist()
    assert unwrapped(location, -180.0).tolist() == location.tolist()


@pytest.mark.parametrize("project", [True, False])
@pytest.mark.parametrize("around", [0.0, 180.0, 360.0])
def test_places_anywhere_around_the_globe_are_the_same_plane(around, project):
    """Data moved by half a turn have the same coordinates, but for where these count from."""
    here, there = noise((5.0, 40.0)), wrapped(noise((185.0, 40.0)))
    there[:, 0] = there[:, 0] % 360 if around == 360 else there[:, 0]
    if around == 0:
        there = here
    a, b = places(here, project=project).location, places(there, project=project).location
    np.testing.assert_allclose(a - a[0], b - b[0], atol=1e-6)


def test_the_date_line_is_said_with_number_and_first_row():
    written = wrapped(noise((180.0, -20.0)))
    moved = places(written, project=False)
    assert np.ptp(moved.location[:, 0]) < 15
    [note] = moved.notes
    turned = moved.location[:, 0] != written[:, 0]
    assert f"{turned.sum()} of 400 longitudes" in note
    assert f"row {int(np.argmax(turned))}," in note
    assert "between -180 and 180" in note
    np.testing.assert_allclose(moved.geography.written(moved.location), written, atol=1e-9)


def test_longitudes_from_0_to_360_are_read_and_said():
    moved = places(noise((359.0, 10.0)) % [360, 1000], project=False)
    assert np.ptp(moved.location[:, 0]) < 15
    assert "longitudes are read with a full turn" in moved.notes[0]
    pacific = places(noise((200.0, 10.0)), project=False)
    assert "400 of 400 longitudes are beyond 180 (the first: row 0" in pacific.notes[0]
    assert np.abs(pacific.geography.written(pacific.location)).max() <= 180


def test_one_row_far_away_turns_no_others_around():
    written = with_rows(noise((140.0, 36.0)), 9, [-100.0, 36.0])
    moved = places(written, project=False).location[:, 0] != written[:, 0]
    assert np.flatnonzero(moved).tolist() in ([], [9])


def test_degrees_that_span_more_than_a_few_become_km_unless_asked_not_to():
    wide, narrow = noise((140.0, 36.0)), noise((140.0, 36.0), spread=0.1)
    assert places(wide).unit == "km"
    assert "projected to km around longitude" in places(wide).notes[0]
    assert places(wide, project=False).unit == "degrees"
    assert places(narrow).unit == "degrees"
    assert places(narrow, project=True).unit == "km"
    assert places(narrow).notes == ()
    projected = places(wide)
    apart = np.hypot(*(projected.location[:200] - projected.location[200:]).T)
    degrees = (wide[:200] - wide[200:]) * [np.cos(np.radians(36)), 1]
    np.testing.assert_allclose(apart, 111.195 * np.hypot(*degrees.T), rtol=0.08)


def test_the_whole_globe_and_lattices_stay_degrees_and_it_is_said():
    numbers = np.random.default_rng(0)
    globe = np.stack([numbers.uniform(-180, 180, 400), numbers.uniform(-80, 80, 400)], axis=1)
    assert places(globe).unit == "degrees"
    assert "stretches lengths" in places(globe).notes[-1]
    lattice = places(np.round(noise((140.0, 36.0)), 1))
    assert lattice.unit == "degrees"
    assert "on a lattice of degrees" in lattice.notes[0]


def test_only_degrees_can_be_projected():
    with pytest.raises(DataError, match="are in km; longitudes"):
        places(noise((0, 0)), unit="km", project=True)


def with_rows(written, rows, values):
    written[rows] = values
    return written


SUSPECT = {
    "20 of 400 rows lie at (0, 0), far from all others (the first: row 0, at 0, 0)": (
        with_rows(noise((140, 36)), slice(0, 400, 20), 0.0),
        {},
    ),
    "2 of 400 rows lie at (0, 0), far from all others (the first: row 0": (
        with_rows(noise((4e5, 5e6), spread=1e3), slice(0, 2), 0.0),
        {"columns": Columns(), "unit": "m"},
    ),
    "3 of 400 rows look as if longitude and latitude were swapped, far": (
        with_rows(noise((60, 20)), slice(7, 10), [20.5, 60.5]),
        {},
    ),
    "1 of 400 rows lie, far from all others (the first: row 9, at 10, 36)": (
        with_rows(noise((140, 36)), 9, [10.0, 36.0]),
        {},
    ),
    "'x' and 'y' look like longitude and latitude": (noise((140, 36)), {"columns": Columns()}),
    "called degrees and hold such values, but are read as lengths in km": (
        noise((140, 36)),
        {"unit": "km"},
    ),
}


@pytest.mark.parametrize("note", SUSPECT)
def test_what_looks_wrong_is_said_once_with_number_and_first_row(note):
    written, chosen = SUSPECT[note]
    notes = [said for said in places(written, **chosen).notes if "projected to km" not in said]
    assert len(notes) == 1
    assert note in notes[0]


UNSUSPICIOUS = {
    "degrees": (noise((140, 36)), {"project": False}),
    "degrees around 0, 0": (with_rows(noise((0, 0)), 5, 0.0), {"project": False}),
    "a pitch": (np.random.default_rng(0).uniform(0, 100, (400, 2)), {"columns": Columns()}),
    "a unit square": (np.random.default_rng(0).uniform(0, 1, (400, 2)), {"columns": Columns()}),
    "km around the middle": (noise((0, 0)), {"columns": Columns()}),
    "named lengths": (noise((140, 36)), {"columns": Columns(), "unit": "km"}),
    "metres of a grid": (noise((4e5, 5e6), spread=1e3), {"columns": Columns()}),
}


@pytest.mark.parametrize("what", UNSUSPICIOUS)
def test_nothing_is_said_of_what_is_well(what):
    written, chosen = UNSUSPICIOUS[what]
    assert places(written, **chosen).notes == ()


@pytest.mark.parametrize(
    ("x", "y"), [("lon", "lat"), ("Longitude", "Latitude"), ("start_lng", "start_lat")]
)
def test_names_of_columns_tell_degrees_and_which_is_which(x, y):
    assert unit_of(None, Columns(x=x, y=y)) == "degrees"
    assert unit_of("deg", Columns()) == "degrees"
    assert unit_of("km", Columns(x=x, y=y)) == "km"
    with pytest.raises(DataError, match="the wrong way round"):
        unit_of(None, Columns(x=y, y=x))
    assert unit_of(None, Columns(x="length", y="latency")) == "length units"


@pytest.mark.parametrize(
    ("value", "message"),
    [([36.0, 140.0], "row 3: latitude is 140"), ([361.0, 0.0], "row 3: longitude is 361")],
)
def test_degrees_that_cannot_be_are_refused_in_tables_and_histories(value, message):
    written = with_rows(noise((140, 36)), 3, value)
    with pytest.raises(DataError, match=message):
        places(written)
    for about in (
        About(location_unit="degrees"),
        About(location_unit="km", projection=(140.0, 36.0)),
    ):
        with pytest.raises(DataError, match=message):
            about.geography.read(written, where)


def table(centre, folder, **columns):
    lon, lat = wrapped(noise(centre)).T
    hours = np.cumsum(np.random.default_rng(1).exponential(1.0, 400))
    events = pd.DataFrame({"time": hours, "lon": lon, "lat": lat} | columns)
    events.to_csv(folder / "mine.csv", index=False)
    return folder / "mine.csv"


def checked(path, out, *more):
    arguments = ["check", path, "--x", "lon", "--y", "lat", "--out", out, *more]
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return load_dataset(load_spec(out / "spec.yaml").data), done.output


@pytest.mark.parametrize("choice", ["--project", "--degrees"])
def test_data_across_the_date_line_score_as_the_same_data_elsewhere(tmp_path, choice):
    scores = []
    for longitude in (0.0, 180.0):
        path = table((longitude, -20.0), tmp_path)
        dataset, _ = checked(path, tmp_path / f"at{longitude:g}", choice)
        location = dataset.train.location
        apart = np.hypot(*(location[:, None] - location[None]).transpose(2, 0, 1))
        scores.append(apart.mean())
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_check_keeps_both_kinds_of_places_and_says_what_it_did(tmp_path):
    path = table((180.0, -20.0), tmp_path)
    dataset, said = checked(path, tmp_path / "km")
    longitude, latitude = dataset.geography.origin
    assert f"projected to km around longitude {longitude:g}, latitude {latitude:g}" in said
    assert "date line" in said
    assert audit(dataset)["about"]["projection"] == (longitude, latitude)
    events = pd.read_parquet(tmp_path / "km" / "events.parquet")
    assert events["lon"].abs().max() <= 180
    written = dataset.geography.written(events[["east", "north"]].to_numpy())
    np.testing.assert_allclose(written, events[["lon", "lat"]], atol=1e-9)
    original = pd.read_csv(path)[["lon", "lat"]].to_numpy()
    np.testing.assert_allclose(np.sort(events["lat"]), np.sort(original[: len(events), 1]))
    about = About.of(dataset)
    assert about.location_unit == "km"
    assert about.location_names == ("lon", "lat")
    assert about.geography == dataset.geography


def test_degrees_are_kept_as_written_and_cut_again_on_loading(tmp_path):
    dataset, said = checked(table((180.0, -20.0), tmp_path), tmp_path / "deg", "--degrees")
    events = pd.read_parquet(tmp_path / "deg" / "events.parquet")
    assert events["lon"].abs().max() <= 180
    assert np.ptp(dataset.train.location[:, 0]) < 15
    assert dataset.location_unit == "degrees"
    assert dataset.warnings == ()  # said once, by check
    assert said.count("date line") == 1
    assert About.of(dataset).longitude_cut == dataset.geography.cut
    shown = audit(dataset)["about"]
    assert json.dumps(shown["longitude_cut"]) == json.dumps(dataset.geography.cut)


def test_files_of_splits_have_no_seam_either(tmp_path):
    events = pd.read_csv(table((180.0, -20.0), tmp_path))
    events["part"] = np.repeat(["train", "validation", "test", "test"], 100)
    events["run"] = np.repeat(np.arange(40), 10)
    events.to_csv(tmp_path / "split.csv", index=False)
    columns = Columns(x="lon", y="lat", split="part", sequence="run")
    settings = DataSettings(name="mine", path=str(tmp_path / "split.csv"), columns=columns)
    dataset = load_dataset(settings)
    for _, split in dataset.splits():
        assert np.ptp(split.location[:, 0]) < 15
    assert "date line" in dataset.warnings[0]
    assert "split.csv" in dataset.warnings[0]
    again = load_dataset(replace(settings, longitude_cut=dataset.geography.cut))
    assert again.digest == dataset.digest
    assert again.warnings == ()
    with pytest.raises(DataError, match=r"data.projection is set and data.location_unit is deg"):
        load_dataset(replace(settings, projection=(180.0, -20.0)))
    events.loc[150, "lat"] = 95.0
    events.to_csv(tmp_path / "split.csv", index=False)
    with pytest.raises(DataError, match="latitude is 95"):
        load_dataset(settings)


def test_where_a_geography_is_of_lengths_nothing_changes():
    lengths, plane = Geography(), noise((4e5, 5e6))
    assert not lengths.geographic
    for there in (lengths.plane, lengths.written, lengths.degrees):
        assert there(plane) is plane
    assert lengths.read(plane, Place("mine", np.array([0, 400]))) is plane


def test_the_extent_of_a_projected_box_holds_all_of_it():
    geography = Geography(origin=(180.0, 60.0))
    plane = np.random.default_rng(0).uniform(-1000, 1000, (500, 2))
    low, high = geography.box(np.array([[-1000.0, -1000.0], [1000.0, 1000.0]]))
    degrees = geography.degrees(plane)
    assert (degrees >= low).all()
    assert (degrees <= high).all()
    assert 0 < low[0] < 180 < high[0] < 360
