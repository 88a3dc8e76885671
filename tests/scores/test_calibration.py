"""A perfect forecaster is calibrated whatever its law is; others are caught."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, kstest

from smash.blocks import CELLS, event_blocks
from smash.scores import calibration_score, coverage, cs_floor, randomised_pit, region_level
from smash.scores.original_estimators import time_level

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
N, S = 1500, 50

GAP_LAWS = {
    "exponential": lambda rng, size: rng.exponential(size=size),
    "long tail": lambda rng, size: rng.lognormal(0, 2, size),
    "atom at zero": lambda rng, size: rng.exponential(size=size) * (rng.random(size) > 0.3),
    "whole seconds": lambda rng, size: np.floor(rng.exponential(3, size)),
    "always equal": lambda rng, size: np.full(size, 2.0),
}
SHEAR = np.array([[1.0, 0.9], [0.0, 0.2]])
LOCATION_LAWS = {
    "Gaussian": lambda rng, size: rng.normal(size=(*size, 2)) @ SHEAR,
    "far from the origin": lambda rng, size: 1e5 + 1e-2 * rng.normal(size=(*size, 2)),
    "long tail": lambda rng, size: rng.standard_t(1.5, (*size, 2)),
    "two towns": lambda rng, size: (
        rng.normal(size=(*size, 2)) + 8.0 * rng.integers(0, 2, (*size, 1))
    ),
    "lattice": lambda rng, size: rng.integers(0, 4, (*size, 2)).astype(float),
    "on a line": lambda rng, size: rng.normal(size=(*size, 1)) * [1.0, 2.0],
    "along an axis": lambda rng, size: rng.normal(size=(*size, 1)) * [0.0, 1.0],
    "always equal": lambda rng, size: np.full((*size, 2), [3.0, -1.0]),
}


def assert_uniform(ranks):
    assert np.all((ranks >= 0) & (ranks <= 1))
    assert kstest(ranks, "uniform").pvalue > 1e-3
    assert calibration_score(ranks, LEVELS) < 2.5 * cs_floor(len(ranks), LEVELS)


@pytest.mark.parametrize("law", GAP_LAWS)
def test_pit_of_a_perfect_forecaster_is_uniform(law, rng, generator):
    draws = GAP_LAWS[law](rng, (N, S + 1))
    assert_uniform(randomised_pit(draws[:, 1:], draws[:, 0], generator))


@pytest.mark.parametrize("law", LOCATION_LAWS)
def test_region_level_of_a_perfect_forecaster_is_uniform(law, rng, generator):
    draws = LOCATION_LAWS[law](rng, (N, S + 1))
    assert_uniform(region_level(draws[:, 1:], draws[:, 0], generator))


def test_region_level_ranks_the_truth_like_any_sample(rng, generator):
    """Each of S + 1 points in turn is the truth: every rank comes up exactly once."""
    points = rng.normal(size=(S + 1, 2)) @ SHEAR
    samples = np.stack([np.delete(points, i, axis=0) for i in range(S + 1)])
    levels = region_level(samples, points, generator)
    assert sorted(np.floor(levels * (S + 1))) == list(range(S + 1))


@given(
    points=arrays(np.int64, (6, 2), elements=st.integers(0, 2)),
    scale=st.sampled_from([1e-300, 1e-6, 1.0, 1e6]),
    offset=st.sampled_from([0.0, 1e3]),
)
@settings(max_examples=30, deadline=None)
def test_region_levels_of_tied_points_cover_all_ranks_evenly(points, scale, offset):
    """With ties the leave-one-out ranks are uniform together, not each alone."""
    points = offset + scale * points
    repeats = 300
    samples = np.stack([np.delete(points, i, axis=0) for i in range(6)] * repeats)
    generator = torch.Generator().manual_seed(1)
    levels = region_level(samples, np.concatenate([points] * repeats), generator)
    counts = np.bincount(np.floor(6 * levels).astype(int), minlength=6)
    # a rank held by one point comes up `repeats` times, one shared by ties about as often
    assert np.abs(counts - repeats).max() < 6 * np.sqrt(repeats)


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_wrong_dispersion_is_caught(factor, rng, generator):
    normal = rng.normal(size=(N, S + 1, 3))
    samples, truth = factor * normal[:, 1:], normal[:, 0]
    pit = randomised_pit(np.exp(samples[..., 0]), np.exp(truth[:, 0]), generator)
    level = region_level(samples[..., 1:], truth[:, 1:], generator)
    for ranks in (pit, level):
        assert kstest(ranks, "uniform").pvalue < 1e-6
        assert calibration_score(ranks, LEVELS) > 4 * cs_floor(N, LEVELS)
        assert (coverage(ranks, [0.9])[0] < 0.9) == (factor < 1)


def test_the_original_estimator_fails_a_perfect_forecaster_of_long_tailed_gaps(rng, generator):
    draws = rng.lognormal(0, 1.5, (N, S + 1))
    samples, truth = draws[:, 1:], draws[:, 0]
    floor = cs_floor(N, LEVELS)
    assert calibration_score(randomised_pit(samples, truth, generator), LEVELS) < 2.5 * floor
    assert calibration_score(time_level(samples, truth).level, LEVELS) > 10 * floor


def test_a_truth_far_from_all_samples_lies_outside_nearly_all_regions(rng, generator):
    equal = np.zeros((200, S, 2))
    spread = rng.normal(size=(200, S, 2))
    truth = np.full((200, 2), 1e3)
    for samples in (equal, spread):
        assert region_level(samples, truth, generator).min() >= S / (S + 1)
    assert randomised_pit(spread[..., 0], truth[:, 0], generator).min() >= S / (S + 1)


@pytest.mark.parametrize("n", [1, 7, 500])
def test_floor_is_the_mean_deviation_of_a_binomial_share(n):
    k = np.arange(n + 1)
    expected = [np.sum(binom.pmf(k, n, q) * np.abs(k / n - q)) for q in LEVELS]
    assert cs_floor(n, LEVELS) == pytest.approx(np.mean(expected), rel=1e-9)


def test_floor_is_the_score_of_uniform_ranks_on_average(rng):
    scores = [calibration_score(rng.random(100), LEVELS) for _ in range(2000)]
    assert np.mean(scores) == pytest.approx(cs_floor(100, LEVELS), rel=0.05)


@given(n_events=st.integers(0, 5000), cells=st.integers(0, 2 * CELLS))
@settings(deadline=None)
def test_blocks_cover_each_event_once_and_are_bounded(n_events, cells):
    blocks = list(event_blocks(n_events, cells))
    covered = [i for block in blocks for i in range(block.start, block.stop)]
    assert covered == list(range(n_events))
    assert all(
        len(range(n_events)[b]) in (0, 1) or cells * (b.stop - b.start) <= CELLS for b in blocks
    )
