"""Climatology's marginals are the training data's, whatever the history."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from smash.baselines.draws import KernelDensity
from synthetic import random_sequences

from smash.baselines import Climatology
from smash.baselines.past_events import target_groups

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


def test_gaps_are_the_training_gaps(simulated, drawn):
    climatology = Climatology.fit(simulated.train, simulated.n_marks)
    gap = drawn(climatology, simulated.test, 5).gap
    training = simulated.train.targets().gap
    assert stats.ks_2samp(gap.ravel(), training).pvalue > LEVEL
    assert np.isin(gap, training).all()


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


def test_points_on_a_line_stay_on_it():
    points = np.column_stack([np.arange(9.0), 2 * np.arange(9.0)])
    draws = KernelDensity.of(points).draw((50,), np.random.default_rng(0))
    np.testing.assert_allclose(draws[:, 1], 2 * draws[:, 0], atol=1e-6)
    assert not np.isin(draws[:, 0], points[:, 0]).any()
