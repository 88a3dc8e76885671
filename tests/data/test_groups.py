"""Windows that overlap are found, laid on one axis and kept together; others are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.data.events import EventSequences, build_sequences
from smash.data.groups import groups_of, joined, lay_out
from smash.data.protocol import halves

LONG = 40.0


def stream(seed: int, n_events: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.exponential(size=n_events))
    return time, rng.normal(size=(n_events, 2)), rng.integers(3, size=n_events)


def windows(starts, seed=0, marked=True) -> EventSequences:
    """Windows of `LONG` time units on one stream, times counting from each window's start."""
    time, location, mark = stream(seed)
    inside = [np.flatnonzero((time >= s) & (time < s + LONG)) for s in starts]
    rows = np.concatenate(inside)
    origin = np.repeat(starts, [len(i) for i in inside])
    return build_sequences(
        time[rows] - origin,
        location[rows],
        mark[rows] if marked else None,
        [len(i) for i in inside],
        "windows",
        window=np.tile([0.0, LONG], (len(starts), 1)),
    )


@pytest.mark.parametrize("marked", [True, False])
def test_windows_that_overlap_form_one_group_directly_or_through_others(marked):
    sequences = windows([0.0, 80.0, 25.0, 105.0, 50.0], marked=marked)
    # 0-40, 25-65, 50-90, 80-120, 105-145: a chain
    assert groups_of(sequences).tolist() == [0] * 5
    apart = windows([0.0, 90.0, 25.0, 110.0], marked=marked)
    assert groups_of(apart).tolist() == [0, 1, 0, 1]


@given(st.lists(st.floats(0.0, 120.0), min_size=1, max_size=6), st.integers(0, 5))
@settings(deadline=None, max_examples=50)
def test_the_axis_of_a_group_is_the_time_before_it_was_cut_into_windows(starts, seed):
    sequences = windows(starts, seed)
    layout = lay_out(sequences)
    for group in range(layout.group.max() + 1):
        true = np.asarray(starts)[layout.group == group]
        assert layout.start[layout.group == group] == pytest.approx(true - true.min(), abs=1e-6)


def test_copies_of_an_event_have_one_number_and_one_unit():
    starts = np.arange(0.0, 120.0, 7.0)
    sequences = windows(starts)
    layout = lay_out(sequences)
    absolute = sequences.time + starts[sequences.sequence]
    _, true = np.unique(np.round(absolute, 6), return_inverse=True)
    same = true[:, None] == true
    np.testing.assert_array_equal(layout.event[:, None] == layout.event, same)
    assert (layout.unit[:, None] == layout.unit)[same].all()
    assert len(np.unique(layout.unit)) == np.ceil(absolute.max() / LONG)
    rows = np.arange(sequences.n_events)
    assert (~layout.is_repeat(rows)).sum() == len(np.unique(true))


COARSE = {
    "many zero gaps": (lambda rng: rng.exponential(size=800) * rng.integers(0, 2, 800), 2),
    "a clock of fifty ticks": (lambda rng: rng.integers(1, 51, 800), 9),
    "few places": (lambda rng: rng.exponential(size=800), 1),
}
"""Gaps of 4 x 200 events and how many places there are."""


@pytest.mark.parametrize("case", COARSE)
def test_events_that_agree_by_chance_are_not_shared(case):
    draw, n_places = COARSE[case]
    rng = np.random.default_rng(0)
    gap = np.split(draw(rng), 4)
    sequences = build_sequences(
        np.concatenate([np.cumsum(part) for part in gap]),
        np.column_stack([rng.integers(n_places, size=800), rng.random(800) > 2]),
        np.zeros(800, dtype=int),
        [200] * 4,
        case,
    )
    layout = lay_out(sequences)
    assert layout.group.tolist() == [0, 1, 2, 3]
    assert len(np.unique(layout.event)) == sequences.n_events
    np.testing.assert_array_equal(layout.unit, sequences.sequence)


def test_events_shared_between_parts_are_found_in_the_parts_together():
    first, second = windows([0.0, 30.0]), windows([60.0, 200.0 - LONG])
    both = joined([first, second])
    assert both.n_events == first.n_events + second.n_events
    assert groups_of(both).tolist() == groups_of(windows([0.0, 30.0, 60.0, 160.0])).tolist()


@given(st.lists(st.floats(0.0, 160.0), min_size=1, max_size=8), st.integers(0, 5))
@settings(deadline=None, max_examples=50)
def test_halves_share_no_event_and_are_always_the_same(starts, seed):
    sequences = windows(sorted(starts), seed)
    choice, rest = halves(sequences)
    assert len(choice) > 0
    if rest is None:
        assert len(choice) == len(sequences)
        return
    layout = lay_out(joined([choice, rest]))
    of_choice, of_rest = np.split(layout.event, [choice.n_events])
    assert not np.intersect1d(of_choice, of_rest).size
    again = halves(sequences)
    np.testing.assert_array_equal(again[0].time, choice.time)


def test_sequences_that_share_nothing_are_halved_in_turn():
    sequences = joined([windows([0.0], seed) for seed in range(5)])
    choice, rest = halves(sequences)
    assert (len(choice), len(rest)) == (3, 2)
    np.testing.assert_array_equal(rest.time, sequences.select([1, 3]).time)


def test_a_chain_is_halved_in_the_middle_of_its_axis():
    choice, rest = halves(windows(np.arange(0.0, 140.0, 7.0)))
    assert len(choice) == len(rest)
    assert 2 * len(choice) < 20


def without_places(gaps: np.ndarray) -> EventSequences:
    """Returns sequences of gaps (M, L), each on a clock of its own."""
    n, length = gaps.shape
    time = gaps.cumsum(axis=1).ravel()
    return build_sequences(time, np.empty((time.size, 0)), None, [length] * n, "timed")


def test_gaps_of_a_coarse_clock_alone_are_no_sign_of_shared_events():
    gaps = np.random.default_rng(0).choice([1.0, 2.0, 3.0], (100, 40), p=[0.6, 0.3, 0.1])
    groups = lay_out(without_places(gaps)).group
    assert len(np.unique(groups)) == 100


@pytest.mark.parametrize("clock", [0.0, 0.5])
def test_windows_that_overlap_are_found_by_their_gaps_alone(clock):
    gaps = np.random.default_rng(1).exponential(2.0, 600)
    if clock:
        gaps = clock * np.ceil(gaps / clock)
    windows = np.stack([gaps[start : start + 120] for start in range(0, 481, 60)])
    assert len(np.unique(lay_out(without_places(windows)).group)) == 1


def test_a_sequence_without_others_is_resampled_in_stretches_of_time():
    time = np.cumsum(np.random.default_rng(0).exponential(1.0, 3000))
    one = build_sequences(time, np.zeros((3000, 2)), None, [3000], "one", history=[1000])
    layout = lay_out(one)
    unit = layout.unit[one.is_target]
    assert len(np.unique(unit)) == 100
    assert (np.diff(unit) >= 0).all()
    spans = [np.ptp(one.time[one.is_target][unit == u]) for u in np.unique(unit)]
    assert max(spans) <= np.ptp(one.time[one.is_target]) / 100 * (1 + 1e-9)
    few = build_sequences(time[:15], np.zeros((15, 2)), None, [15], "few")
    assert len(np.unique(lay_out(few).unit)) == 1
    two = build_sequences(
        np.tile(time, 2), np.random.default_rng(1).normal(size=(6000, 2)), None, [3000, 3000], "two"
    )
    assert len(np.unique(lay_out(two).unit)) == 2
