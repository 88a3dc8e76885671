"""Scaling inverts, is fitted on what it is given, and clamps nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.dataset import build_dataset
from smash.data.protocol import halves, prepare
from smash.data.scaling import Scaler, fit_scaler
from smash.settings import ScalingSettings

gaps = st.floats(1e-3, 1e6)
coordinates = st.floats(-1e6, 1e6)


def scaler(log: bool) -> Scaler:
    return Scaler(log, 1e-4, -2.0 if log else 0.0, 3.0, (-84.5, 33.3), (-84.2, 33.9))


@given(st.booleans(), gaps, coordinates, coordinates)
def test_scaling_inverts_inside_and_outside_the_limits(log, gap, x, y):
    s = scaler(log)
    assert s.unscale_gap(s.scale_gap(np.array([gap])))[0] == pytest.approx(gap, rel=1e-9, abs=1e-9)
    location = np.array([[x, y]])
    np.testing.assert_allclose(
        s.unscale_location(s.scale_location(location)), location, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("log", [True, False])
def test_fitted_targets_fill_the_unit_interval(log):
    sequences = random_sequences([20, 30])
    fitted = fit_scaler([sequences], ScalingSettings(log_normalization=log))
    u = fitted.scale_gap(sequences.gap[sequences.is_target])
    assert (u.min(), u.max()) == (0.0, 1.0)
    location = fitted.scale_location(sequences.location)
    np.testing.assert_array_equal(location.min(0), 0)
    np.testing.assert_array_equal(location.max(0), 1)


def test_a_value_beyond_training_survives():
    s = scaler(log=True)
    far = np.array([1e5])
    assert s.scale_gap(far)[0] > 1
    assert s.unscale_gap(s.scale_gap(far))[0] == pytest.approx(1e5)


def test_strict_limits_know_training_alone_and_original_ones_every_split():
    train, other = random_sequences([20, 20], seed=1), random_sequences([20, 20], seed=2)
    test = replace(other, location=other.location + 100.0)
    dataset = build_dataset("d", train, other, test)
    strict = prepare(dataset, "strict", ScalingSettings())
    original = prepare(dataset, "original", ScalingSettings())
    assert strict.scaler == fit_scaler([train], ScalingSettings())
    choice, rest = halves(dataset.validation)
    np.testing.assert_array_equal(strict.validation.time, choice.time)
    np.testing.assert_array_equal(strict.recalibration.time, rest.time)
    assert original.recalibration is None
    assert original.scaler.location_high[0] == test.location[:, 0].max()
    assert original.validation is dataset.test
