"""Which part of own data trains, chooses and tests: by date, at given dates, or at random."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.catalogues import Catalogue
from smash.data.clock import Clock
from smash.data.groups import groups_of
from smash.data.raw import RawEvents, observed_window
from smash.data.times import read_times
from smash.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Names = NDArray[np.str_]
Dates = tuple[float, float]
Asked = Literal["random", "time"] | Dates
"""What `--split` may ask for."""

SPLITS = ("train", "validation", "test")
SHARES = (0.7, 0.15)
"""Shares for training and validation; the rest is for the test."""
NEAR_ZERO = 0.9
"""Share of sequences that begin near 0 where each has a clock of its own."""


def parse_split(text: str, clock: Clock) -> Asked:
    """Returns what `--split` asks for; dates as raw times.

    Raises:
        DataError: when it is neither random, time nor two growing dates.
    """
    word = text.strip().lower()
    if word == "random":
        return "random"
    if word == "time":
        return "time"
    parts = [part.strip() for part in text.split(",")]
    wanted = "2016-01-01,2017-01-01" if clock.origin else "700,850"
    if len(parts) != 2:
        raise DataError(
            f"--split {text}: give random, time, or the two dates at which validation and test "
            f"begin, such as {wanted}"
        )
    first, second = read_dates(parts, clock, f"--split {text}", wanted)
    if not first < second:
        raise DataError(f"--split {text}: the test begins after validation; give growing dates")
    return float(first), float(second)


def read_dates(parts: list[str], clock: Clock, said: str, wanted: str) -> Floats:
    """Returns dates as raw times: timestamps where the table's times are, else numbers.

    Raises:
        DataError: naming what was `said` on the command line, and what is `wanted` there.
    """
    if clock.origin:

        def where(row: int) -> str:
            return said

        each = (read_times(pd.Series([part], dtype=object, name="date"), where) for part in parts)
        return np.concatenate([clock.numbers(one, where) for one in each])
    try:
        dates = np.array([float(part) for part in parts])
    except ValueError as error:
        raise DataError(
            f"{said}: the table's times are numbers, so give such, as {wanted}"
        ) from error
    if not np.isfinite(dates).all():
        raise DataError(f"{said}: give finite numbers, such as {wanted}")
    return dates


def median_duration(time: Floats, rows: Sequence[Integers]) -> float:
    """Returns the median time from the first to the last event of sequences `rows`."""
    return float(np.median([time[r[-1]] - time[r[0]] for r in rows]))


def own_clocks(catalogue: Catalogue, rows: Sequence[Integers]) -> bool:
    """Returns True where each of the sequences `rows` looks to have a clock of its own.

    That is: times are numbers, and nine in ten sequences begin within one median duration of 0.
    """
    if catalogue.clock.origin:
        return False
    first = np.array([catalogue.time[r[0]] for r in rows])
    near = np.abs(first) <= median_duration(catalogue.time, rows)
    return bool(near.mean() >= NEAR_ZERO)


def dates_by_share(time: Floats) -> Dates:
    """Returns the dates before which 70 % and 85 % of events lie, at times `time` (E,).

    Raises:
        DataError: when too many events have one time to be told apart by dates.
    """
    ordered = np.sort(time)
    places = (min(place, len(ordered) - 1) for place in starts(len(ordered)))
    first, second = (float(ordered[place]) for place in places)
    if not ordered[0] < first < second:
        raise DataError(
            "no dates tell 70 % of the events from the next 15 % and these from the rest, as many "
            "events have one time; give two dates (--split), or --split random"
        )
    return first, second


def starts(n: int) -> tuple[int, int]:
    """Returns how many of `n`, in order, come before validation and before the test."""
    return int(np.ceil(SHARES[0] * n)), int(np.ceil(sum(SHARES) * n))


def by_order(n: int) -> Names:
    """Returns (n,) splits of what is in order: the first 70 % train, the next 15 % validate."""
    split = np.full(n, SPLITS[0], dtype="<U10")
    for start, name in zip(starts(n), SPLITS[1:], strict=True):
        split[start:] = name
    return split


def by_date(catalogue: Catalogue, rows: Integers, dates: Dates) -> list[tuple[Integers, str]]:
    """Returns the pieces that `dates` cut the events `rows`, in order of time, into."""
    pieces = np.split(rows, np.searchsorted(catalogue.time[rows], dates))
    return [(piece, name) for piece, name in zip(pieces, SPLITS, strict=True) if len(piece)]


def at_random(catalogue: Catalogue, rows: Sequence[Integers], seed: int) -> Names:
    """Returns (W,) splits of the sequences or windows `rows`, dealt at random.

    Those that share events are dealt together (`smash.data.groups`).

    Raises:
        DataError: when too many share events for three splits to share none.
    """
    every, lengths = np.concatenate(rows), np.array([len(r) for r in rows])
    time = catalogue.time[every]
    mark = None if catalogue.mark is None else catalogue.mark[every]
    window = observed_window(time, lengths)
    events = RawEvents("sequences", time, catalogue.location[every], mark, lengths, window)
    group = groups_of(events.build())
    if (n_groups := int(group.max()) + 1) < len(SPLITS) <= len(rows):
        raise DataError(
            f"the {len(rows)} sequences share events with each other, as windows that overlap do: "
            f"only {n_groups} groups of them share none, and train, validation and test need one "
            "each. Give sequences that do not overlap, or a file for each split (data.train, "
            "data.validation, data.test)"
        )
    turn = np.random.default_rng(seed).permutation(group.max() + 1)
    order = np.argsort(turn[group], kind="stable")
    split = np.empty(len(rows), dtype="<U10")
    dealt = by_order(len(rows))
    split[order] = dealt[np.searchsorted(turn[group][order], turn[group][order])]
    return split


def date_words(date: float, clock: Clock) -> str:
    """Returns a date as the table would have it."""
    if not clock.origin:
        return f"{date:.10g}"
    (moment,) = pd.DatetimeIndex(clock.times(np.array([date])))
    return moment.isoformat().replace("T00:00:00+00:00", "").replace("+00:00", "Z")


def span_words(dates: Dates, clock: Clock) -> str:
    """Returns which times train, validate and test."""
    first, second = (date_words(date, clock) for date in dates)
    return f"training before {first}, validation from there, test from {second}"
