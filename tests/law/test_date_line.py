"""Polygons on a map: between -180 and 180, closed, wound as GeoJSON says, of the same area."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smash.data.projection import unproject
from smash.law.date_line import on_the_map, signed_area


def ring(centre, radius, points=60, clockwise=False, lobes=0.0):
    """Returns a closed ring around a centre, with `lobes` that make it concave."""
    angle = np.linspace(0, 2 * np.pi, points + 1)
    reach = radius * (1 + lobes * np.cos(5 * angle))
    around = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    around[-1] = around[0]
    return np.array(centre) + (around[::-1] if clockwise else around)


def check(pieces, area):
    """Checks that pieces are valid GeoJSON and cover an area."""
    for outer, *holes in pieces:
        for part in (outer, *holes):
            assert np.abs(part[:, 0]).max() <= 180
            assert np.abs(part[:, 1]).max() <= 90
            assert part[0].tolist() == part[-1].tolist()
            assert len(part) >= 4
            # An edge that jumped across the map would be one.
            inside = (np.abs(part[:-1, 1]) < 90) | (np.abs(part[1:, 1]) < 90)
            assert np.abs(np.diff(part[:, 0]))[inside].max() < 180
        assert signed_area(outer) > 0
        assert all(signed_area(hole) < 0 for hole in holes)
    total = sum(signed_area(part) for piece in pieces for part in piece)
    assert total == pytest.approx(area, rel=1e-9)


@given(
    longitude=st.floats(-600, 600),
    latitude=st.floats(-60, 60),
    radius=st.floats(0.01, 20),
    lobes=st.floats(0, 0.9),
    hole=st.floats(0.05, 0.95),
)
def test_a_polygon_anywhere_keeps_its_area_and_its_hole(longitude, latitude, radius, lobes, hole):
    centre = np.array([longitude, latitude])
    outer = ring(centre, radius, lobes=lobes)
    inner = ring(centre, radius * (1 - lobes) * hole * 0.99, clockwise=True)
    check(on_the_map([outer, inner]), signed_area(outer) + signed_area(inner))


@given(seed=st.integers(0, 10_000))
def test_a_jagged_polygon_across_the_date_line_keeps_its_area(seed):
    numbers = np.random.default_rng(seed)
    angle = np.sort(numbers.uniform(0, 2 * np.pi, 40))
    reach = numbers.uniform(0.1, 30, 40)
    outer = np.stack([180 + reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    outer = np.concatenate([outer, outer[:1]])
    if signed_area(outer) <= 0 or np.diff(angle, append=angle[0] + 2 * np.pi).max() > 3:
        return
    check(on_the_map([outer]), signed_area(outer))


def test_a_polygon_that_crosses_the_date_line_becomes_two():
    pieces = on_the_map([ring((179.0, 10.0), 5)])
    assert len(pieces) == 2
    ends = sorted((float(p[0][:, 0].min()), float(p[0][:, 0].max())) for p in pieces)
    assert ends[0] == pytest.approx((-180, -176))
    assert ends[1] == pytest.approx((174, 180))


def test_a_polygon_that_does_not_is_as_it_was():
    outer, inner = ring((10.0, 10.0), 5), ring((10.0, 10.0), 2, clockwise=True)
    [(again, hole)] = on_the_map([outer, inner])
    assert again.tolist() == outer.tolist()
    assert hole.tolist() == inner.tolist()


def test_jumps_of_a_turn_are_no_edges():
    outer = ring((179.0, 10.0), 5)
    jumping = outer.copy()
    jumping[jumping[:, 0] > 180, 0] -= 360
    check(on_the_map([jumping]), signed_area(outer))


def test_a_hole_stays_in_the_piece_that_it_lies_in():
    outer = ring((179.0, 0.0), 10)
    west, east = ring((174.0, 0.0), 1, clockwise=True), ring((184.0, 0.0), 1, clockwise=True)
    pieces = on_the_map([outer, west, east])
    assert sorted(len(piece) for piece in pieces) == [2, 2]
    check(pieces, sum(map(signed_area, (outer, west, east))))


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_ring_around_a_pole_is_closed_along_it(pole):
    outer = unproject(ring((0.0, 0.0), 1000.0), (0.0, pole))
    [(cap,)] = on_the_map([outer])
    assert cap[:, 1].max() == 90 if pole > 0 else cap[:, 1].min() == -90
    assert signed_area(cap) == pytest.approx(360 * np.degrees(1000 / 6371.0088), rel=1e-3)
    assert np.abs(cap[:, 0]).max() == 180
    inner = unproject(ring((0.0, 0.0), 300.0, clockwise=True), (0.0, pole))
    [(belt,)] = on_the_map([outer, inner])
    assert signed_area(belt) == pytest.approx(360 * np.degrees(700 / 6371.0088), rel=1e-3)
    assert np.abs(belt[:, 1]).max() < 90
