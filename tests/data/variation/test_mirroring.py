"""Mirroring: each sequence is itself or its image, as a whole, and nothing but places changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.batching import ScaledSequences
from smash.data.scaling import fit_scaler
from smash.data.variation.mirroring import AXES, mirrored
from smash.settings import Mirroring, ScalingSettings, Variation

LOW, HIGH = (-1.0, 2.0), (1.0, 5.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    lengths=st.lists(st.integers(2, 12), min_size=1, max_size=6),
    axes=st.sampled_from(sorted(AXES)),
    seed=st.integers(0, 1000),
)
def test_each_sequence_is_itself_or_its_image(lengths, axes, seed):
    before = random_sequences(lengths, seed=seed)
    after = mirrored(before, axes, LOW, HIGH, generator(seed))
    np.testing.assert_array_equal(after.time, before.time)
    np.testing.assert_array_equal(after.mark, before.mark)
    for rows in np.split(np.arange(before.n_events), before.offsets[1:-1]):
        for axis, turns in enumerate(AXES[axes]):
            place, now = before.location[rows, axis], after.location[rows, axis]
            image = LOW[axis] + HIGH[axis] - place
            assert np.allclose(now, place) or (turns and np.allclose(now, image))


@pytest.mark.parametrize("axes", AXES)
def test_about_half_of_the_sequences_are_turned_along_each_axis(axes):
    before = random_sequences([2] * 1000)
    after = mirrored(before, axes, LOW, HIGH, generator())
    share = (after.location != before.location)[::2].mean(axis=0)
    np.testing.assert_allclose(share, 0.5 * np.array(AXES[axes]), atol=0.06)


def test_a_training_sees_images_within_the_data_s_limits():
    sequences = random_sequences([5] * 40)
    scaler = fit_scaler([sequences], ScalingSettings())
    data = ScaledSequences(sequences, scaler)
    assert data.varied(Variation(), generator()) is data
    seen = data.varied(Variation(mirroring=Mirroring("y")), generator()).batch(list(range(40))).u
    plain = data.batch(list(range(40))).u
    turned = ~torch.isclose(seen[..., 2], plain[..., 2]).all(dim=1)
    assert 0 < turned.sum() < 40
    torch.testing.assert_close(seen[turned][..., 2], 1 - plain[turned][..., 2])
    torch.testing.assert_close(seen[..., :2], plain[..., :2])
