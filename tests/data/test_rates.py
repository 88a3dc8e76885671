"""Recent rates: the formula written out, carried along as all at once, and 0 at a steady rate."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.batching import ScaledSequences, first_rates
from smash.data.events import EventSequences
from smash.data.rates import PRODUCTIVITY, SPANS, Rates, rate_features
from smash.data.scaling import fit_scaler
from smash.errors import DataError
from smash.settings import ScalingSettings

LENGTHS = [5, 2, 12, 3]


def with_magnitudes(sequences, seed=1):
    size = 2 + np.random.default_rng(seed).exponential(0.4, sequences.n_events)
    return replace(sequences, magnitude=size)


def written_out(time, magnitude, mean_gap):
    """The features of one sequence that began at 0, as the module's formula has them."""
    rows = []
    for last in range(len(time)):
        row = []
        heavy = None
        if magnitude is not None:
            heavy = (1 - PRODUCTIVITY) * np.exp(PRODUCTIVITY * magnitude)
        for weight in (np.ones(len(time)), heavy):
            if weight is None:
                continue
            for span in SPANS:
                s, past = span * mean_gap, slice(last + 1)
                known = (weight[past] * np.exp(-(time[last] - time[past]) / s)).sum()
                steady = span * (1 - np.exp(-time[last] / s))
                row.append(np.log((known + 1) / (steady + 2)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("told", [False, True], ids=["rates", "rates and magnitudes"])
def test_features_are_the_formula_of_each_sequence(told):
    sequences = with_magnitudes(random_sequences(LENGTHS))
    size = sequences.magnitude - 2 if told else None
    age = sequences.relative_time
    found = rate_features(sequences.gap, age, sequences.lengths, size, 0.7)
    for i in range(len(sequences)):
        rows = slice(*sequences.offsets[i : i + 2])
        expected = written_out(age[rows], None if size is None else size[rows], 0.7)
        np.testing.assert_allclose(found[rows], expected, rtol=1e-9, atol=1e-12)


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30), st.integers(0, 1000))
def test_what_is_carried_along_is_all_at_once(gaps, seed):
    gap = np.array(gaps)
    time, size = gap.cumsum(), np.random.default_rng(seed).exponential(1, len(gap))
    carried = Rates.at_start(2.0, 1, 2)
    for t in range(len(gap)):
        carried = carried.after(gap[t : t + 1], size[t : t + 1])
    whole = Rates.of_history(2.0, time, size, 3)
    np.testing.assert_allclose(whole.known, np.repeat(carried.known, 3, axis=0), rtol=1e-9)
    features = rate_features(gap, time, np.array([len(gap)]), size, 2.0)[-1]
    found = whole.features(time[-1:].repeat(3))[1]
    np.testing.assert_allclose(found, features, rtol=1e-6, atol=1e-12)  # gaps of times: rounded
    np.testing.assert_array_equal(whole.keep(np.array([2, 0])).known, whole.known[[2, 0]])


def test_a_steady_rate_is_about_nothing():
    numbers = np.random.default_rng(0)
    gap = numbers.exponential(3.0, 20_000)
    found = rate_features(gap, gap.cumsum(), np.array([len(gap)]), None, 3.0)[1000:]
    np.testing.assert_allclose(np.exp(found).mean(axis=0), 1, atol=0.05)
    quick = rate_features(gap / 10, gap.cumsum() / 10, np.array([len(gap)]), None, 3.0)[1000:]
    assert (quick[:, 2:].mean(axis=0) > 1).all()


def test_batches_tell_of_what_the_scaler_knows():
    train = with_magnitudes(random_sequences(LENGTHS))
    plain = fit_scaler([train], ScalingSettings())
    batch = ScaledSequences(train, plain).batch([0, 2])
    assert batch.rates is None
    assert batch.magnitude is None
    told = plain.told_of(train, rates=True, magnitudes=True)
    batch = ScaledSequences(train, told).batch([0, 2])
    assert batch.rates.shape == (2, 12, 2 * len(SPANS))
    rows = slice(*train.offsets[2:4])
    expected = told.scale_magnitude(train.magnitude[rows])
    np.testing.assert_allclose(batch.magnitude[1], expected, rtol=1e-6)
    assert told.scale_magnitude(train.magnitude).mean() == pytest.approx(1)
    assert not batch.rates[0, 5:].any()  # padding


def test_paths_begin_with_the_rates_of_their_history():
    train = with_magnitudes(random_sequences(LENGTHS))
    scaler = fit_scaler([train], ScalingSettings()).told_of(train, rates=True, magnitudes=True)
    history = train.select([2])
    begun = first_rates(history, scaler, 4)
    age = np.full(4, history.relative_time[-1])
    batch = ScaledSequences(history, scaler).batch([0])
    np.testing.assert_allclose(begun.features(age)[3], batch.rates[0, -1], rtol=1e-4, atol=1e-6)
    none = np.zeros(0)
    empty = EventSequences(
        none, np.zeros((0, 2)), np.zeros(0, int), np.zeros(2, int), np.zeros((1, 2)), "none", none
    )
    assert not first_rates(empty, scaler, 2).known.any()
    assert first_rates(history, fit_scaler([train], ScalingSettings()), 2) is None


def test_magnitudes_that_are_not_there_are_missed_aloud():
    train = with_magnitudes(random_sequences(LENGTHS))
    scaler = fit_scaler([train], ScalingSettings())
    told = scaler.told_of(train, rates=False, magnitudes=True)
    with pytest.raises(DataError, match=r"random: the model is told the magnitude of each event"):
        ScaledSequences(replace(train, magnitude=None), told)
    with pytest.raises(DataError, match=r"random: the model is told the magnitude of each event"):
        scaler.told_of(replace(train, magnitude=None), rates=False, magnitudes=True)
    alike = replace(train, magnitude=np.full(train.n_events, 3.0))
    with pytest.raises(DataError, match="all magnitudes are 3"):
        scaler.told_of(alike, rates=False, magnitudes=True)
