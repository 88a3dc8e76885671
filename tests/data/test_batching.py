"""Batches hold what the sequences hold; padding changes nothing."""

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.batching import ScaledSequences
from smash.data.scaling import fit_scaler
from smash.settings import ScalingSettings


def scaled(lengths):
    sequences = random_sequences(lengths)
    return sequences, ScaledSequences(sequences, fit_scaler([sequences], ScalingSettings()))


def test_targets_of_a_batch_are_the_targets_of_its_sequences():
    sequences, s = scaled([4, 9, 2])
    scaler = fit_scaler([sequences], ScalingSettings())
    z, mark = s.batch([2, 0, 1]).targets()
    expected = sequences.select([2, 0, 1]).targets()
    u = ((z + 1) / 2).double().numpy()
    np.testing.assert_allclose(scaler.unscale_gap(u[:, 0]), expected.gap, rtol=1e-5)
    np.testing.assert_allclose(scaler.unscale_location(u[:, 1:]), expected.location, atol=1e-5)
    np.testing.assert_array_equal(mark.numpy(), expected.mark)


def test_time_is_rebased_to_the_window_before_it_becomes_float32():
    sequences = random_sequences([5, 5])
    late = replace(sequences, time=sequences.time + 1.7e9, window=sequences.window + 1.7e9)
    scaler = fit_scaler([sequences], ScalingSettings())
    near, far = (ScaledSequences(s, scaler).batch([0, 1]).time for s in (sequences, late))
    torch.testing.assert_close(near, far, rtol=0, atol=1e-5)


@given(
    st.lists(st.integers(3, 30), min_size=1, max_size=40),
    st.integers(1, 8),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_a_shuffle_is_a_partition_and_repeats_with_its_seed(lengths, size, pool, seed):
    _, s = scaled(lengths)
    batches = s.shuffled(size, torch.Generator().manual_seed(seed), pool)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(0 < len(batch) <= size for batch in batches)
    assert batches == s.shuffled(size, torch.Generator().manual_seed(seed), pool)


def test_a_pool_pads_less():
    _, s = scaled(np.random.default_rng(0).integers(2, 200, 128).tolist())

    def padded(pool):
        generator = torch.Generator().manual_seed(0)
        return sum(s.batch(b).time.numel() for b in s.shuffled(8, generator, pool))

    assert padded(8) < 0.8 * padded(1)
