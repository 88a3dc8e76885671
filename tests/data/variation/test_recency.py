"""Recency: all that is seen was there, the late more often than the early, as was asked for."""

import numpy as np
import pytest
import torch
from synthetic import random_sequences

from smash.data.batching import ScaledSequences
from smash.data.scaling import fit_scaler
from smash.data.variation.recency import drawn_by_recency
from smash.settings import Recency, ScalingSettings, Variation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("half_life", [0.25, 1.0])
def test_a_half_life_earlier_is_half_as_often(half_life):
    before = random_sequences([2 + i % 3 for i in range(20_000)])
    which = {time: i for i, time in enumerate(before.time[before.offsets[:-1]])}
    assert len(which) == len(before)  # told apart by their first times
    after = drawn_by_recency(before, half_life, generator())
    assert len(after) == len(before)
    drawn = np.array([which[time] for time in after.time[after.offsets[:-1]]])
    np.testing.assert_array_equal(after.lengths, before.lengths[drawn])
    place = np.sort(drawn) / len(before)
    expected = np.log2(1 + np.linspace(0, 1, len(place)) * (2 ** (1 / half_life) - 1)) * half_life
    np.testing.assert_allclose(place, expected, atol=0.02)


def test_an_epoch_draws_anew_and_the_same_from_equal_generators():
    sequences = random_sequences([4] * 30)
    data = ScaledSequences(sequences, fit_scaler([sequences], ScalingSettings()))
    settings = Variation(recency=Recency(0.5))
    numbers = generator(1)
    first, second = (data.varied(settings, numbers).batch(list(range(30))).u for _ in range(2))
    again = data.varied(settings, generator(1)).batch(list(range(30))).u
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
