"""The container keeps what it is given, and every bad event is refused where it stands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smash.data.dataset import build_dataset
from smash.data.events import EventSequences, build_sequences, check_variation
from smash.errors import DataError
from smash.settings import MOST_MARKS


def three_sequences(**changes) -> EventSequences:
    """Sequences of 3, 2 and 4 events."""
    fields = {
        "time": np.array([1.0, 1.0, 4.0, 0.5, 2.5, 3.0, 4.0, 6.0, 9.0]),
        "location": np.arange(18.0).reshape(9, 2),
        "mark": np.array([0, 2, 1, 0, 0, 1, 1, 2, 0]),
        "lengths": [3, 2, 4],
        "name": "events.csv",
    }
    return build_sequences(**(fields | changes))


def test_gaps_start_at_the_window_and_targets_are_all_but_the_first():
    events = three_sequences(window=[[0.5, 4.0], [0.0, 5.0], [3.0, 9.0]])
    np.testing.assert_array_equal(events.gap, [0.5, 0, 3, 0.5, 2, 0, 1, 2, 3])
    np.testing.assert_array_equal(events.relative_time[:4], [0.5, 0.5, 3.5, 0.5])
    targets = events.targets()
    np.testing.assert_array_equal(targets.sequence, [0, 0, 1, 2, 2, 2])
    np.testing.assert_array_equal(targets.event, [1, 2, 1, 1, 2, 3])
    np.testing.assert_array_equal(targets.gap, [0, 3, 2, 1, 2, 3])
    np.testing.assert_array_equal(targets.mark, [2, 1, 0, 1, 2, 0])
    np.testing.assert_array_equal(targets[2:3].location, [[8.0, 9.0]])


@given(st.lists(st.integers(0, 2), max_size=6))
def test_selected_sequences_are_those_asked_for(indices):
    events = three_sequences()
    selected = events.select(indices)
    assert len(selected) == len(indices)
    for place, index in enumerate(indices):
        one, same = selected.select([place]), events.select([index])
        for name in ("time", "location", "mark", "window"):
            np.testing.assert_array_equal(getattr(one, name), getattr(same, name))


@pytest.mark.parametrize("lengths", [[3, 2, 4, 0], [0, 3, 2, 4, 0, 0]])
def test_an_empty_sequence_is_dropped_and_counted_wherever_it_stands(lengths):
    events, whole = three_sequences(lengths=lengths), three_sequences()
    assert events.dropped == lengths.count(0)
    np.testing.assert_array_equal(events.gap, whole.gap)
    np.testing.assert_array_equal(events.is_target, whole.is_target)


@pytest.mark.parametrize("mark", [MOST_MARKS, 10**6, 2**31 - 1, 2**31, 1e300])
def test_a_mark_beyond_the_most_is_refused_where_it_stands(mark):
    marks = np.array([0, 2, 1, 0, 0, mark, 1, 2, 0], dtype=float)
    with pytest.raises(DataError, match=r"events\.csv, sequence 2, event 0: mark is \d+; marks"):
        three_sequences(mark=marks)


@pytest.mark.parametrize(("part", "value"), [("time", 1e300), ("location", -1e30)])
def test_numbers_that_no_clock_or_map_gives_are_refused_where_they_stand(part, value):
    fields = {"time": three_sequences().time.copy(), "location": np.arange(18.0).reshape(9, 2)}
    fields[part][8] = value
    with pytest.raises(DataError, match=r"sequence 2, event 3: .* no clock or map"):
        three_sequences(**fields)


def test_marks_of_which_most_never_occur_are_warned_of():
    events = three_sequences(mark=np.array([0, 2, 1, 0, 0, 900, 1, 2, 0]))
    (warning,) = build_dataset("few", events, events, events).warnings
    assert "4 of 901 marks occur" in warning
    assert build_dataset("dense", *[three_sequences()] * 3).warnings == ()


def test_there_are_no_more_names_of_marks_than_marks():
    names = tuple(map(str, range(MOST_MARKS + 1)))
    with pytest.raises(DataError, match=f"{MOST_MARKS} at most"):
        build_dataset("many", *[three_sequences()] * 3, mark_names=names)


def test_observation_starts_at_zero_and_ends_with_the_last_event():
    np.testing.assert_array_equal(three_sequences().window, [[0, 4], [0, 2.5], [0, 9]])


def test_marks_can_be_left_out():
    events = three_sequences().without_marks()
    assert events.mark is None
    assert events.targets().mark is None
    assert events.select([1]).mark is None


def test_short_sequences_are_dropped_and_counted():
    events = three_sequences(lengths=[3, 0, 1, 1, 4])
    assert events.dropped == 3
    whole = three_sequences().select([0, 2])
    for name in ("time", "location", "mark", "offsets", "window"):
        np.testing.assert_array_equal(getattr(events, name), getattr(whole, name))


WRONG = {
    "NaN time": ({"time": [1, 1, 4, 0.5, np.nan, 3, 4, 6, 9]}, "sequence 1, event 1: time is nan"),
    "infinite location": (
        {"location": np.where(np.arange(18).reshape(9, 2) == 15, np.inf, 1.0)},
        "sequence 2, event 2: second coordinate is inf",
    ),
    "decreasing": (
        {"time": [1, 1, 0.5, 0.5, 2.5, 3, 4, 6, 9]},
        "sequence 0, event 2: time 0.5 comes after 1",
    ),
    "negative mark": ({"mark": [0, 2, 1, 0, -1, 1, 1, 2, 0]}, "sequence 1, event 1: mark is -1"),
    "fractional mark": (
        {"mark": [0, 2, 1, 0, 0, 1, 1, 2, 0.5]},
        "sequence 2, event 3: mark is 0.5",
    ),
    "missing mark": (
        {"mark": [np.nan, 2, 1, 0, 0, 1, 1, 2, 0]},
        "sequence 0, event 0: mark is nan",
    ),
    "before the window": (
        {"window": [[0, 9], [1, 9], [0, 9]]},
        "sequence 1, event 0: time 0.5 lies before",
    ),
    "after the window": (
        {"window": [[0, 9], [0, 9], [0, 7]]},
        "sequence 2, event 3: time 9.0 lies after",
    ),
    "counts": ({"lengths": [3, 2, 5]}, "9 times, 9 locations and 10 events"),
    "too short": ({"lengths": [1] * 9}, "no sequence has two events"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_each_bad_event_is_named_with_file_sequence_and_event(change, message):
    with pytest.raises(DataError) as error:
        three_sequences(**change)
    assert str(error.value).startswith("events.csv")
    assert message in str(error.value)


def test_sequences_are_named_as_the_file_names_them():
    with pytest.raises(DataError, match="sequence match-b, event 1: time is nan"):
        three_sequences(
            time=[1, 1, 4, 0.5, np.nan, 3, 4, 6, 9], labels=["match-a", "match-b", "match-c"]
        )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"time": [0, 1, 2, 4, 5, 0, 1, 2, 3]}, "gap"),
        ({"location": np.stack([np.ones(9), np.arange(9)], axis=1)}, "first coordinate"),
        ({"location": np.stack([np.arange(9), np.ones(9)], axis=1)}, "second coordinate"),
    ],
)
def test_what_never_varies_is_refused(change, what):
    with pytest.raises(DataError, match=rf"events\.csv: the {what}.* for every event"):
        check_variation(three_sequences(**change))
    check_variation(three_sequences())


@pytest.mark.parametrize("lengths", [[3, 0], [0, 3], [0, 0, 3, 0, 0], [3, 1]])
def test_empty_and_single_sequences_are_dropped_with_their_events_wherever_they_stand(lengths):
    n = sum(lengths)
    time = np.concatenate([np.arange(length) for length in lengths])
    events = build_sequences(time, np.ones((n, 2)), None, lengths, "some")
    assert events.time.tolist() == [0, 1, 2]
    assert events.dropped == len(lengths) - 1
    assert events.dropped_events == n - 3
