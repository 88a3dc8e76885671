"""The geometric median is the point with the least mean distance to the samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from smash.scores import geometric_median

CLOUDS = {
    "Gaussian": lambda rng: rng.normal(size=(5, 31, 2)) @ [[1.0, 0.8], [0.0, 0.1]],
    "long tail": lambda rng: rng.standard_t(1.2, (5, 31, 2)),
    "far from the origin": lambda rng: [-84.3, 1e6] + 0.01 * rng.normal(size=(5, 30, 2)),
}


def cost(point, samples):
    return np.linalg.norm(samples - point, axis=-1).mean()


@pytest.mark.parametrize("law", CLOUDS)
def test_equals_a_general_minimiser(law, rng):
    location = CLOUDS[law](rng)
    for samples, found in zip(location, geometric_median(location), strict=True):
        centre, spread = samples.mean(axis=0), samples.std()
        scaled = (samples - centre) / spread
        start = np.median(scaled, axis=0)
        best = minimize(cost, start, args=(scaled,), method="Nelder-Mead", tol=1e-9)
        np.testing.assert_allclose((found - centre) / spread, best.x, atol=1e-3)


@given(samples=arrays(np.int64, (7, 2), elements=st.integers(-3, 3)))
@settings(max_examples=100, deadline=None)
def test_no_sample_and_no_mean_is_better_even_with_ties(samples):
    samples = samples.astype(float)
    found = geometric_median(samples[None])[0]
    assert np.isfinite(found).all()
    rivals = [*samples, samples.mean(axis=0), np.median(samples, axis=0)]
    least = min(cost(rival, samples) for rival in rivals)
    assert cost(found, samples) <= least + 2e-3 * (1e-9 + np.ptp(samples))


def test_a_majority_at_one_point_is_the_median(rng):
    samples = rng.normal(size=(1, 9, 2))
    samples[0, :5] = [2.0, 2.0]
    np.testing.assert_array_equal(geometric_median(samples), [[2.0, 2.0]])
