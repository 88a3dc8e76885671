"""The projection: exact there and back, true to the Earth's distances near its origin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smash.data.projection import RADIUS, distance, project, stretch, unproject

LONGITUDE = st.floats(-180, 180)
LATITUDE = st.floats(-89.99, 89.99)
PLACE = st.tuples(LONGITUDE, LATITUDE)
ORIGIN = st.tuples(LONGITUDE, st.floats(-90, 90))


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns how far longitudes are apart on the circle, in degrees."""
    return np.abs((a - b + 180) % 360 - 180)


@given(place=PLACE, origin=ORIGIN)
def test_there_and_back_is_where_one_was(place, origin):
    place = np.array(place)
    if distance(place, np.array(origin)) > 0.99 * np.pi * RADIUS:
        return  # all bearings meet opposite of the origin
    again = unproject(project(place, origin), origin)
    assert abs(again[1] - place[1]) < 1e-9
    assert apart(again[0], place[0]) * np.cos(np.radians(place[1])) < 1e-9


@given(place=PLACE, origin=ORIGIN)
def test_distances_from_the_origin_are_those_on_the_earth(place, origin):
    flat = np.hypot(*project(np.array(place), origin))
    assert flat == pytest.approx(distance(np.array(place), np.array(origin)), rel=1e-7, abs=1e-6)


@given(origin=st.tuples(LONGITUDE, st.floats(-85, 85)), seed=st.integers(0, 1000))
def test_distances_near_the_origin_are_those_on_the_earth_to_the_stated_stretch(origin, seed):
    numbers = np.random.default_rng(seed)
    plane = numbers.uniform(-1000, 1000, (20, 2))
    places = unproject(plane, origin)
    flat = np.hypot(*(plane[:10] - plane[10:]).T)
    true = distance(places[:10], places[10:])
    assert (flat >= true * (1 - 1e-9)).all()
    assert (flat <= true * stretch(places, origin) * (1 + 1e-9)).all()
    assert stretch(places, origin) < 1.01


@given(origin=ORIGIN, bearing=st.floats(0, 2 * np.pi), metres=st.floats(0, 10))
def test_places_a_few_metres_apart_stay_so(origin, bearing, metres):
    plane = np.array([np.sin(bearing), np.cos(bearing)]) * metres / 1000
    assert project(unproject(plane, origin), origin) == pytest.approx(plane, abs=1e-8)


@given(place=PLACE, origin=ORIGIN, shift=st.sampled_from([-360.0, -180.0, 180.0, 360.0]))
def test_the_plane_knows_no_date_line(place, origin, shift):
    here = project(np.array(place), origin)
    there = project(np.array(place) + np.array([shift, 0.0]), (origin[0] + shift, origin[1]))
    np.testing.assert_allclose(there, here, atol=1e-6)


def test_east_is_to_the_right_and_north_is_up_and_a_degree_is_111_km():
    flat = project(np.array([[140.0, 36.0], [140.0, 37.0], [141.0, 36.0]]), (140.0, 36.0))
    assert flat[0].tolist() == [0.0, 0.0]
    assert flat[1] == pytest.approx([0.0, 111.195], abs=1e-3)
    assert flat[2] == pytest.approx([111.195 * np.cos(np.radians(36)), 0.4], abs=0.2)


def test_what_lies_beyond_the_opposite_place_becomes_it():
    far = unproject(np.array([50_000.0, 0.0]), (10.0, 20.0))
    assert far[1] == pytest.approx(-20.0)
    assert apart(far[0], 190.0) < 1e-6
