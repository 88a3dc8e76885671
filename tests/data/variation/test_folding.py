"""Folding: the same events of the same days, at hours that a clock of twelve hours knows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.data.events import EventSequences, build_sequences
from smash.data.groups import joined
from smash.data.variation.folding import folded, looks_folded, with_folded


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def week(hours: list[float]) -> EventSequences:
    location = np.random.default_rng(0).normal(size=(len(hours), 2))
    mark = np.arange(len(hours)) % 3
    return build_sequences(np.array(hours), location, mark, [len(hours)], "week")


def test_afternoons_are_recorded_as_mornings():
    before = week([0.5, 2.0, 11.0, 12.25, 13.0, 23.0, 24.0, 36.0, 37.5])
    after = folded(before, 0.999999, 24.0, generator())
    np.testing.assert_allclose(after.time, [1, 2, 11, 11, 12.25, 12.5, 25.5, 36, 36])
    np.testing.assert_array_equal(after.mark, before.mark[[4, 1, 2, 5, 3, 0, 8, 6, 7]])
    np.testing.assert_array_equal(after.location[0], before.location[4])


@pytest.mark.parametrize("day", [24.0, 1.0])
@given(lengths=st.lists(st.integers(2, 30), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_days_stay_and_folded_hours_are_those_of_the_clock(day, lengths, seed):
    before = random_sequences(lengths, seed=seed)
    after = folded(before, 0.5, day, generator(seed))
    assert (after.gap >= 0).all()
    np.testing.assert_array_equal(after.lengths, before.lengths)
    for rows in np.split(np.arange(before.n_events), before.offsets[1:-1]):
        if np.array_equal(after.time[rows], before.time[rows]):
            continue
        np.testing.assert_array_equal(after.time[rows] // day, before.time[rows] // day)
        hour = after.time[rows] % day / day * 24
        assert ((hour > 1 - 1e-9) & (hour < 13 + 1e-9)).all()


def test_a_share_of_the_sequences_is_folded():
    before = random_sequences([6] * 1000)
    after = folded(before, 0.3, 1.0, generator())
    changed = np.array(
        [
            not np.array_equal(*pair)
            for pair in zip(before.time.reshape(-1, 6), after.time.reshape(-1, 6), strict=True)
        ]
    )
    assert changed.mean() == pytest.approx(0.3, abs=0.05)


def test_with_folded_shows_every_sequence_both_ways():
    first, second = (week([2.0, 13.5, 20.0, 30.0]), week([5.0, 16.0]))
    both = with_folded(joined([first, second]), 24.0)
    np.testing.assert_array_equal(both.lengths, [4, 2, 4, 2])
    plain = [2.0, 13.5, 20.0, 30.0, 5.0, 16.0]
    np.testing.assert_allclose(both.time, [*plain, 1.5, 2.0, 8.0, 30.0, 4.0, 5.0])
    np.testing.assert_array_equal(both.mark[6:], [1, 0, 2, 0, 1, 0])


def test_folded_sequences_look_it_and_others_do_not():
    numbers = np.random.default_rng(0)
    time = np.sort(numbers.uniform(0, 168, (50, 60)), axis=1).ravel()
    place = numbers.normal(size=(3000, 2))
    before = build_sequences(time, place, None, [60] * 50, "weeks")
    after = folded(before, 0.5, 24.0, generator())
    changed = (after.time != before.time).reshape(50, 60).any(axis=1)
    assert 10 < changed.sum() < 40
    np.testing.assert_array_equal(looks_folded(after, 24.0), changed)
    few = build_sequences(np.linspace(2, 12, 19), place[:19], None, [19], "few")
    assert not looks_folded(few, 24.0).any()
