"""The day and the week are found where events keep to them, and nowhere else."""

import numpy as np
import pytest

from smash.data.cycles import cycles
from smash.data.events import EventSequences, build_sequences

WEEKS, HOURS = 40, 168.0


def weekly(rate) -> EventSequences:
    """Returns windows of a week whose events come at a rate (at most 1) of the hour (E,)."""
    rng = np.random.default_rng(0)
    times, lengths = [], []
    for week in range(WEEKS):
        at = np.sort(rng.uniform(0, HOURS, 200)) + week * HOURS
        at = at[rng.uniform(size=len(at)) < rate(at)]
        times.append(at)
        lengths.append(len(at))
    start = np.arange(WEEKS) * HOURS
    window = np.stack([start, start + HOURS], 1)
    time = np.concatenate(times)
    return build_sequences(time, rng.normal(size=(len(time), 2)), None, lengths, "weeks", window)


def by_day(hour):
    return 0.5 + 0.4 * np.sin(2 * np.pi * hour / 24)


def test_a_daily_rhythm_is_found_in_any_unit():
    train = weekly(by_day)
    assert cycles(train, "hours") == (24.0,)
    slower = build_sequences(
        train.time / 24, train.location, None, train.lengths, "weeks", train.window / 24
    )
    assert cycles(slower, "days") == (1.0,)
    assert cycles(train, "time units") == ()


@pytest.mark.parametrize(
    "rate",
    [
        lambda hour: np.full_like(hour, 0.5),
        # Three bursts in the whole of the data, each at an hour of its own.
        lambda hour: np.where((hour % 2500 > 50) & (hour % 2500 < 90), 0.95, 0.05),
        lambda hour: 0.5 + 0.05 * np.sin(2 * np.pi * hour / 24),
    ],
    ids=["even", "bursts", "faint"],
)
def test_what_is_no_rhythm_or_a_faint_one_is_none(rate):
    assert cycles(weekly(rate), "hours") == ()


def test_a_few_long_windows_are_enough():
    train = weekly(by_day)
    # Six stretches of three days tell too little.
    assert cycles(train.select([0, 1]), "hours") == ()
    assert cycles(train.select([0, 1, 2, 3]), "hours") == (24.0,)
    window = np.array([[0.0, WEEKS * HOURS]])
    one = build_sequences(train.time, train.location, None, [train.n_events], "one", window)
    assert cycles(one, "hours") == (24.0,)


def test_a_cycle_as_long_as_the_windows_is_none():
    assert cycles(weekly(lambda hour: 0.5 + 0.4 * np.sin(2 * np.pi * hour / 168)), "hours") == ()
