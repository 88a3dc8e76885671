"""Fair scores: unbiased in the number of samples, and least for the true law."""

import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.scores import fair_crps, fair_energy_score

SHAPES = st.tuples(st.integers(1, 4), st.integers(2, 40))


@given(shape=SHAPES, seed=st.integers(0, 1000), ties=st.booleans())
@settings(max_examples=30, deadline=None)
def test_both_agree_with_the_estimators_over_all_pairs(shape, seed, ties):
    rng = np.random.default_rng(seed)
    n, s = shape
    points = rng.normal(0, 3, (n, s + 1, 3))
    if ties:
        points = np.round(points)
    samples, truth = points[:, 1:], points[:, 0]
    crps = scoringrules.crps_ensemble(truth[..., 0], samples[..., 0], estimator="fair")
    np.testing.assert_allclose(fair_crps(samples[..., 0], truth[..., 0]), crps, atol=1e-12)
    energy = scoringrules.es_ensemble(truth, samples, estimator="fair")
    np.testing.assert_allclose(fair_energy_score(samples, truth), energy, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_samples", [2, 3, 10])
def test_crps_of_few_samples_is_the_laws_own_on_average(n_samples, rng):
    truth = np.full(40_000, 0.7)
    scores = fair_crps(rng.normal(size=(len(truth), n_samples)), truth)
    error = 4 * scores.std() / np.sqrt(len(truth))
    assert scores.mean() == pytest.approx(scoringrules.crps_normal(0.7, 0.0, 1.0), abs=error)


def test_energy_score_of_few_samples_is_that_of_many_on_average(rng):
    truth = np.tile([0.5, -1.0], (20_000, 1))
    few = fair_energy_score(rng.normal(size=(len(truth), 3, 2)), truth)
    many = fair_energy_score(rng.normal(size=(200, 400, 2)), truth[:200])
    error = 4 * np.hypot(few.std() / np.sqrt(len(few)), many.std() / np.sqrt(len(many)))
    assert few.mean() == pytest.approx(many.mean(), abs=error)


@pytest.mark.parametrize(("shift", "scale"), [(0.4, 1.0), (0.0, 1.5), (0.0, 0.6)])
def test_the_true_law_scores_best(shift, scale, rng):
    truth, samples = rng.normal(size=(4000, 2)), rng.normal(size=(4000, 40, 2))
    wrong = shift + scale * samples
    for better, worse in (
        (fair_crps(samples[..., 0], truth[:, 0]), fair_crps(wrong[..., 0], truth[:, 0])),
        (fair_energy_score(samples, truth), fair_energy_score(wrong, truth)),
    ):
        gain = worse - better
        assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))


def test_energy_score_keeps_its_accuracy_far_from_the_origin(rng):
    samples, truth = rng.normal(size=(3, 30, 2)), rng.normal(size=(3, 2))
    offset = np.array([1e7, -1e7])
    moved = fair_energy_score(samples + offset, truth + offset)
    np.testing.assert_allclose(moved, fair_energy_score(samples, truth), rtol=1e-5, atol=1e-6)


def test_one_sample_has_no_fair_score():
    assert np.isnan(fair_crps(np.ones((2, 1)), np.ones(2))).all()
    assert np.isnan(fair_energy_score(np.ones((2, 1, 2)), np.ones((2, 2)))).all()
