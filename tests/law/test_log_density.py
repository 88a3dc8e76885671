"""Sums of exponentials agree with the plain form however far apart the exponents lie."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.special import logsumexp

from smash.law.log_density import log_sum_exp

EXPONENTS = st.one_of(st.floats(-1e6, 1e6), st.floats(-800, -600), st.just(-np.inf), st.just(0.0))


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3), elements=EXPONENTS))
def test_a_sum_is_the_plain_one(values):
    with np.errstate(divide="ignore"):
        plain = logsumexp(values, axis=-1)
    np.testing.assert_allclose(log_sum_exp(values.copy()), plain, rtol=1e-14, atol=1e-12)


def test_without_any_part_there_is_nothing():
    parts = np.array([[-np.inf, -np.inf], [-np.inf, 3.0]])
    np.testing.assert_array_equal(log_sum_exp(parts), [-np.inf, 3.0])


def test_what_is_infinite_or_no_number_stays_so():
    parts = np.array([[np.inf, 0.0], [np.nan, 0.0]])
    np.testing.assert_array_equal(log_sum_exp(parts), [np.inf, np.nan])
