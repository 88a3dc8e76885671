"""Times are read as they are written, or refused with the rows that do not agree."""

import datetime

import numpy as np
import pandas as pd
import pytest

from smash.data.clock import Clock
from smash.data.times import read_times
from smash.errors import DataError

MOMENT = pd.Timestamp("2024-01-31T10:00:00Z")
SAME = {
    "Z": "2024-01-31T10:00:00Z",
    "lower case": "2024-01-31t10:00:00z",
    "UTC": "2024-01-31 10:00:00 UTC",
    "hours": "2024-01-31 15:00:00+05",
    "hours and minutes": "2024-01-31T15:30:00+05:30",
    "no colon": "2024-01-31T07:00-0300",
    "compact": "20240131T100000Z",
    "slashes": "2024/01/31 10:00Z",
    "milliseconds": "2024-01-31 10:00:00.000Z",
    "decimal comma": "2024-01-31 10:00:00,000Z",
    "blanks": "  2024-01-31 10:00:00Z ",
    "without a zone": "2024-01-31 10:00:00.000",
    "digits": "20240131100000",
}


def where(row: int) -> str:
    return f"mine.csv, row {row + 2}"


@pytest.mark.parametrize("way", SAME)
def test_one_moment_may_be_written_in_many_ways(way):
    times = read_times(pd.Series([SAME[way]] * 2), where)
    assert list(times.stamps) == [MOMENT] * 2


DATES = {
    "text": pd.Series(["2024-01-31", "2024-02-01"]),
    "digits": pd.Series(["20240131", "20240201"]),
    "whole numbers": pd.Series([20240131, 20240201]),
    "floats": pd.Series([20240131.0, 20240201.0]),
    "dates": pd.Series([datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)]),
    "stamps": pd.Series(pd.to_datetime(["2024-01-31", "2024-02-01"])),
}


@pytest.mark.parametrize("kind", DATES)
def test_dates_lie_a_day_apart(kind):
    times = read_times(DATES[kind], where)
    clock = Clock.of(times)
    assert clock == Clock("days", "2024-01-31T00:00:00+00:00")
    assert clock.numbers(times, where).tolist() == [0.0, 1.0]


def test_offsets_are_told_apart_over_a_change_of_clocks():
    times = read_times(pd.Series(["2024-03-31T01:30+01:00", "2024-03-31T03:30+02:00"]), where)
    assert np.diff(times.stamps)[0] == pd.Timedelta("1h")


@pytest.mark.parametrize("cells", [["1711931207", "1711931208.5"], [1711931207, 1711931208.5]])
def test_epochs_are_numbers(cells):
    assert read_times(pd.Series(cells), where).numbers.tolist() == [1711931207, 1711931208.5]


WRONG = {
    "row 3: column 'when' mixes .* '2024-01-01T10:00\\+05' in row 3, '2024-01-01 10:00' in row 2": [
        "2024-01-01 10:00",
        "2024-01-01T10:00+05",
    ],
    "row 2: column 'when' is the number '5', and in row 3 the timestamp": ["5", "2024-01-01"],
    "row 3: column 'when' holds '31/01/2024', which is neither .* 2024-04-01T10:26:27Z": [
        "2024-01-01",
        "31/01/2024",
    ],
    "row 3: column 'when' is empty": ["2024-01-01", " "],
    "row 3: column 'when' is nan": ["1", "nan"],
    "row 3: column 'when' holds 'NA'": ["1", "NA"],
    "row 2: column 'when' holds '2024-02-30'": ["2024-02-30", "2024-01-01"],
}


@pytest.mark.parametrize("message", WRONG)
def test_what_does_not_agree_is_named_by_row(message):
    with pytest.raises(DataError, match=message):
        read_times(pd.Series(WRONG[message], name="when"), where)


def test_times_beyond_what_timestamps_hold_are_the_first_or_last_of_them():
    clock = Clock("days", "2024-04-01T00:00:00+00:00")
    times = clock.times(np.array([0.5, 1e12, np.inf, -1e12, -np.inf]))
    assert [time.isoformat() for time in times.to_pydatetime()] == [
        "2024-04-01T12:00:00+00:00",
        *2 * ["9999-12-31T00:00:00+00:00"],
        *2 * ["0001-01-02T00:00:00+00:00"],
    ]
