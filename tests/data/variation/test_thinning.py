"""Thinning: what is left is part of what was there, in the shares that were asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.events import EventSequences, build_sequences
from smash.data.variation.thinning import LONGEST_ARC, thinned


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(sequences: EventSequences) -> list[tuple]:
    columns = (sequences.sequence, sequences.time, *sequences.location.T, sequences.mark)
    return list(zip(*columns, strict=True))


@given(
    lengths=st.lists(st.integers(2, 12), min_size=1, max_size=6),
    depth=st.floats(0, 0.99),
    period=st.none() | st.floats(0.1, 10),
    seed=st.integers(0, 1000),
)
def test_every_sequence_keeps_its_window_and_some_of_its_events_in_order(
    lengths, depth, period, seed
):
    before = random_sequences(lengths, seed=seed)
    after = thinned(before, depth, period, generator(seed))
    assert set(rows(after)) <= set(rows(before))
    assert (after.gap >= 0).all()
    assert len(after) == len(before)
    assert (after.lengths >= 2).all()
    np.testing.assert_array_equal(after.window, before.window)


def test_nothing_is_dropped_at_depth_zero_without_a_period():
    before = random_sequences([9, 5, 7])
    assert rows(thinned(before, 0.0, None, generator())) == rows(before)


def test_each_mark_of_each_sequence_loses_a_share_uniform_up_to_the_depth():
    rng, n_sequences, length = np.random.default_rng(0), 300, 400
    n_events = n_sequences * length
    before = build_sequences(
        np.tile(np.arange(length, dtype=float), n_sequences),
        rng.random((n_events, 2)),
        rng.integers(0, 2, n_events),
        [length] * n_sequences,
        "even",
    )
    after = thinned(before, 0.6, None, generator())
    lost = []
    for mark in (0, 1):
        counts = [
            np.bincount(s.sequence[s.mark == mark], minlength=n_sequences) for s in (before, after)
        ]
        lost.append(1 - counts[1] / counts[0])
    for share in lost:
        assert share.mean() == pytest.approx(0.3, abs=0.03)
        assert share.max() < 0.75
        assert np.quantile(share, [0.25, 0.75]) == pytest.approx([0.15, 0.45], abs=0.05)
    assert abs(np.corrcoef(lost)[0, 1]) < 0.2


def test_a_period_makes_quiet_hours_that_return():
    """In a sequence that lost an arc, the same phases are thin on every day."""
    days, n_sequences = 60, 200
    time = np.arange(24 * days, dtype=float) + 0.5
    before = build_sequences(
        np.tile(time, n_sequences),
        np.random.default_rng(0).random((len(time) * n_sequences, 2)),
        np.zeros(len(time) * n_sequences),
        [len(time)] * n_sequences,
        "hourly",
    )
    after = thinned(before, 0.0, 24.0, generator())
    left = np.zeros((n_sequences, 24))
    np.add.at(left, (after.sequence, (after.time % 24).astype(int)), 1)
    share = left / days
    whole = (share == 1).all(axis=1).mean()
    assert whole == pytest.approx(0.5, abs=0.1)
    quiet = share < 1
    # Of the rest, an hour is quiet in half the longest arc's share of the sequences.
    assert quiet[quiet.any(axis=1)].mean() == pytest.approx(LONGEST_ARC / 2, abs=0.06)
    empty = (share == 0).any(axis=1).mean()
    assert empty == pytest.approx(0.25, abs=0.08)
