"""Mark scores: calibrated confidences have no error, the true probabilities score best."""

import numpy as np
import pytest
from scipy.stats import mode

from smash.scores import brier_score, log_loss, reliability
from smash.scores.marks import CLIP, most_frequent


def test_calibrated_confidences_have_no_calibration_error():
    confidence = np.repeat([0.25, 0.5, 0.75], 40)
    correct = np.concatenate([np.arange(40) < 40 * c for c in (0.25, 0.5, 0.75)])
    bins = reliability(confidence, correct)
    assert bins.expected_calibration_error == pytest.approx(0, abs=1e-12)
    assert bins.count.sum() == 120
    assert bins.correct.sum() == correct.sum()


def test_overconfidence_is_the_calibration_error():
    correct = np.arange(100) < 60
    bins = reliability(np.full(100, 0.95), correct)
    assert bins.expected_calibration_error == pytest.approx(0.35)


def test_bins_are_closed_to_the_right():
    bins = reliability(np.array([0.5, 0.5 + 1e-9, 1.0]), np.array([True, False, True]))
    assert bins.count.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1]


def test_log_loss_and_brier_equal_their_definitions(rng):
    probability, mark = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    truth = np.eye(4)[mark]
    np.testing.assert_allclose(
        brier_score(probability, mark), ((probability - truth) ** 2).sum(axis=1)
    )
    np.testing.assert_allclose(
        log_loss(probability, mark), -(truth * np.log(probability)).sum(axis=1)
    )


def test_an_excluded_mark_costs_the_clip():
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(-np.log(CLIP))


@pytest.mark.parametrize("score", [log_loss, brier_score])
def test_the_true_probabilities_score_best(score, rng):
    probability = rng.dirichlet(np.ones(3), 5000)
    mark = (rng.random((5000, 1)) > probability.cumsum(axis=1)).sum(axis=1).clip(max=2)
    sharper = probability**2 / (probability**2).sum(axis=1, keepdims=True)
    gain = score(sharper, mark) - score(probability, mark)
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))


def test_most_frequent_is_the_mode_and_the_least_of_equals(rng):
    marks = rng.integers(0, 3, (200, 6))
    np.testing.assert_array_equal(most_frequent(marks, 3), mode(marks, axis=1).mode)
