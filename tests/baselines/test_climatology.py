"""Climatology's marginals are the training data's, whatever the history."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic import random_sequences

from smash.baselines import Climatology
from smash.baselines.past_events import target_groups
from smash.data.events import build_sequences
from smash.law.kernel_places import KernelDensity

LEVEL = 1e-3  # a law that holds is refused with this probability; seeds are fixed


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 40), min_size=1, max_size=12), st.integers(1, 60))
def test_groups_hold_every_target_once_in_order_with_the_event_before(lengths, size):
    sequences = random_sequences(lengths)
    groups = list(target_groups(sequences, size))
    found = np.concatenate([group.targets.sequence for group in groups])
    np.testing.assert_array_equal(found, sequences.targets().sequence)
    for group in groups:
        np.testing.assert_array_equal(sequences.time[group.last + 1], group.targets.time)
        assert len(group) < size + max(lengths)
    split = [set(group.targets.sequence) for group in groups]
    assert sum(map(len, split)) == len(lengths)  # no sequence in two groups


def test_gaps_have_the_law_of_the_training_gaps(simulated, drawn):
    climatology = Climatology.fit(simulated.train, simulated.n_marks)
    gap = drawn(climatology, simulated.test, 5).gap
    training = simulated.train.targets().gap
    assert stats.ks_2samp(gap.ravel(), training).pvalue > LEVEL
    mean, spread = np.log(training).mean(), np.log(training).std()
    assert np.log(gap).mean() == pytest.approx(mean, abs=4 * spread / np.sqrt(gap.size))
    assert np.log(gap).std() == pytest.approx(spread, rel=0.05)


def test_gaps_of_a_clock_are_zero_as_often_as_in_training():
    gap = np.tile([0.0, 1.0, 3.0, 0.0, 2.0], 100)
    place = np.random.default_rng(0).normal(size=(500, 2))
    train = build_sequences(np.cumsum(gap), place, None, [500], "clock")
    law = Climatology.fit(train, 1).law(3)
    share = (train.targets().gap == 0).mean()
    drawn = law.sample(4000, torch.Generator().manual_seed(0)).gap
    assert (drawn == 0).mean() == pytest.approx(share, abs=0.02)
    np.testing.assert_allclose(law.cdf(np.zeros((3, 1))), share, atol=1e-3)
    # The other gaps are few numbers, close around which all others are.
    assert (np.abs(drawn - np.round(drawn)) < 0.3).mean() > 0.95


def test_locations_have_the_training_mean_and_the_smoothed_covariance(simulated, drawn):
    climatology = Climatology.fit(simulated.train, simulated.n_marks)
    drawn_location = drawn(climatology, simulated.test, 20).location.reshape(-1, 2)
    training = simulated.train.targets().location
    widening = 1 + len(training) ** (-1 / 3)
    error = training.std(axis=0) / np.sqrt(len(drawn_location))
    assert (np.abs(drawn_location.mean(axis=0) - training.mean(axis=0)) < 4 * error).all()
    np.testing.assert_allclose(
        np.cov(drawn_location.T), widening * np.cov(training.T), rtol=0.05, atol=0.005
    )


def test_marks_have_the_training_frequencies(simulated, drawn):
    samples = drawn(Climatology.fit(simulated.train, simulated.n_marks), simulated.test, 20)
    training = np.bincount(simulated.train.targets().mark) / len(simulated.train.targets())
    np.testing.assert_allclose(samples.mark_probability[[0, -1]], [training] * 2, atol=1e-3)
    counts = np.bincount(samples.mark.ravel())
    assert stats.chisquare(counts, samples.mark_probability[0] * samples.mark.size).pvalue > LEVEL
    assert (samples.mark_mode == training.argmax()).all()


def test_no_mark_is_impossible():
    probability = Climatology.fit(random_sequences([50], n_marks=3), n_marks=5).mark_probability
    assert probability.min() > 0
    assert probability.sum() == pytest.approx(1)


def test_unmarked_events_have_no_marks(simulated, drawn):
    unmarked = simulated.without_marks()
    samples = drawn(Climatology.fit(unmarked.train, 1), unmarked.test, 2)
    assert samples.mark is None
    assert samples.mark_probability is None


def test_points_on_a_line_stay_close_to_it_and_have_a_density():
    points = np.column_stack([np.arange(9.0), 2 * np.arange(9.0)])
    density = KernelDensity.of(points)
    draws = density.draw((50,), np.random.default_rng(0))
    np.testing.assert_allclose(draws[:, 1], 2 * draws[:, 0], atol=0.1)
    assert not np.isin(draws[:, 0], points[:, 0]).any()
    assert np.isfinite(density.log_density(np.array([[3.0, 6.0], [3.0, -6.0]]))).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.integers(0, 1000))
def test_kernel_densities_are_the_sums_of_their_kernels(n_points, seed):
    numbers = np.random.default_rng(seed)
    far = np.array([1e4, -1e4])
    points = numbers.integers(0, 20, size=(n_points, 2)) + far  # some of them repeated
    density = KernelDensity.of(points.astype(float))
    at = points[:1] + numbers.normal(size=(5, 2))
    covariance = density.step @ density.step.T
    kernels = [stats.multivariate_normal(point, covariance).pdf(at) for point in points]
    np.testing.assert_allclose(
        np.exp(density.log_density(at)), np.mean(kernels, axis=0), rtol=1e-5, atol=1e-250
    )
