"""The fast original estimators against a slow path by scipy, one event at a time."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from smash.scores.original_estimators import (
    location_density_level,
    location_level,
    time_level,
    time_upper_bound,
)

LEVELS = np.linspace(0.05, 0.95, 19)
N, S = 6, 80


def slow_time_bounds(gap):
    grid = np.linspace(gap.min(), gap.max(), 100)
    mass = np.cumsum(gaussian_kde(gap)(grid)) * (grid[1] - grid[0])
    return np.array([grid[np.argmax(mass >= min(mass.max(), level))] for level in LEVELS])


def slow_location(location, truth):
    kernel = gaussian_kde(location.T)
    axes = [np.linspace(column.min(), column.max(), 100) for column in location.T]
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes)])
    density = np.sort(kernel(points))
    mass = density.cumsum()
    thresholds = [density[np.argmax(mass >= (1 - level) * mass[-1])] for level in LEVELS]
    return np.array(thresholds), kernel(truth)[0]


GAPS = {
    "exponential": lambda rng: rng.exponential(size=(N, S)),
    "long tail": lambda rng: rng.lognormal(0, 2, (N, S)),
    "ties": lambda rng: np.floor(rng.exponential(3, (N, S))),
    "far from zero": lambda rng: 1e4 + rng.normal(size=(N, S)),
}


@pytest.mark.parametrize("law", GAPS)
def test_time_intervals_equal_scipys(law, rng):
    gap = GAPS[law](rng)
    expected = np.stack([slow_time_bounds(row) for row in gap])
    np.testing.assert_allclose(time_upper_bound(gap, LEVELS), expected, rtol=1e-9)


@pytest.mark.parametrize("law", GAPS)
def test_a_gap_is_covered_where_it_lies_below_the_bound(law, rng):
    gap = GAPS[law](rng)
    bounds = time_upper_bound(gap, LEVELS)
    for quantile in (0.0, 0.2, 0.5, 0.8, 0.99, 1.0):
        truth = np.quantile(gap, quantile, axis=1)
        covered = time_level(gap, truth).level[:, None] <= LEVELS
        np.testing.assert_array_equal(covered, truth[:, None] <= bounds)
    below, beyond = gap.min(axis=1) / 2, gap.max(axis=1) + 1
    assert np.all(time_level(gap, below).level <= LEVELS[0])
    assert np.all(np.isinf(time_level(gap, beyond).level))


def correlated(rho):
    root = np.linalg.cholesky([[1.0, rho], [rho, 1.0]])
    return lambda rng: rng.normal(size=(N, S, 2)) @ root.T


LOCATIONS = {
    "independent": correlated(0.0),
    "correlated": correlated(0.7),
    "anti-correlated": correlated(-0.85),
    "nearly on a line": correlated(0.9999),
    "long tail": lambda rng: rng.standard_t(2, (N, S, 2)),
    "lattice": lambda rng: rng.integers(0, 4, (N, S, 2)).astype(float),
    "unequal units": lambda rng: [-84.3, 3e4] + [1e-3, 1e3] * correlated(0.5)(rng),
}


@pytest.mark.parametrize("law", LOCATIONS)
def test_location_regions_equal_scipys(law, rng):
    location = LOCATIONS[law](rng)
    truth = location[:, 0] + 0.3 * location.std(axis=1) * rng.normal(size=(N, 2))
    thresholds, own = zip(
        *(slow_location(row, point) for row, point in zip(location, truth, strict=True)),
        strict=True,
    )
    np.testing.assert_allclose(location_density_level(location, LEVELS), thresholds, rtol=1e-6)
    covered = location_level(location, truth).level[:, None] <= LEVELS
    np.testing.assert_array_equal(covered, np.array(own)[:, None] >= thresholds)


DEGENERATE = {
    "all equal": np.full((S, 2), 0.1),
    "on a line": np.linspace(0, 1, S)[:, None] * [1.0, 3.0] + 7.0,
    "along an axis": np.linspace(0, 1, S)[:, None] * [0.0, 1.0],
    "two samples": np.array([[0.0, 1.0], [2.0, 0.5]]),
    "one sample": np.array([[0.0, 1.0]]),
}


@pytest.mark.parametrize("law", DEGENERATE)
def test_samples_without_a_density_cover_nothing_and_are_marked(law):
    location = DEGENERATE[law][None]
    scored = location_level(location, location[:, 0])
    assert scored.degenerate.all()
    assert np.isinf(scored.level).all()
    assert np.isnan(location_density_level(location, LEVELS)).all()


def test_lines_of_any_slope_have_no_density(rng):
    along, slope = rng.normal(size=(200, S, 1)), rng.normal(size=(200, 1, 2))
    location = along * slope + rng.normal(size=(200, 1, 2))
    assert location_level(location, location[:, 0]).degenerate.all()


@pytest.mark.parametrize("gap", [np.full((1, S), 0.1), np.ones((1, 1))])
def test_equal_gaps_cover_nothing_and_are_marked(gap):
    scored = time_level(gap, gap[:, 0])
    assert scored.degenerate.all()
    assert np.isinf(scored.level).all()
    assert np.isnan(time_upper_bound(gap, LEVELS)).all()


def test_degenerate_events_leave_their_neighbours_alone(rng):
    location = correlated(0.4)(rng)
    truth = location[:, 0]
    alone = location_level(location, truth).level
    location[2] = 5.0
    together = location_level(location, truth)
    assert together.degenerate.tolist() == [i == 2 for i in range(N)]
    np.testing.assert_array_equal(np.delete(together.level, 2), np.delete(alone, 2))
