"""Sequences are dealt anew: nothing is lost unsaid, and no part knows another's events."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import random_sequences
from test_groups import windows

from smash.data.dataset import Dataset, build_dataset
from smash.data.groups import joined, lay_out
from smash.data.resplitting import resplit
from smash.errors import DataError


def dataset(*counts: int) -> Dataset:
    parts = [random_sequences([4 + i % 5 for i in range(n)], seed=n) for n in counts]
    return build_dataset("own", *parts)


def overlapping() -> Dataset:
    """Three parts of windows that overlap within the part, as a chain each."""
    starts = np.split(np.arange(0.0, 180.0, 15.0), [6, 9])
    return build_dataset("chain", *(windows(part) for part in starts))


def events_of(part) -> set[bytes]:
    rows = np.column_stack([part.gap[part.is_target], part.location[part.is_target]])
    return {row.tobytes() for row in rows}


@pytest.mark.parametrize("seed", range(3))
def test_sequences_that_share_nothing_are_dealt_one_by_one(seed):
    given = dataset(9, 3, 4)
    dealt = resplit(given, seed)
    assert [len(part) for _, part in dealt.splits()] == [9, 3, 4]
    every = [events_of(part) for _, part in dealt.splits()]
    assert set.union(*every) == set.union(*(events_of(part) for _, part in given.splits()))
    assert dealt.rows.kept == dealt.rows.read == sum(part.n_events for _, part in given.splits())
    assert f"seed {seed}" in dealt.rows.split
    assert dealt.digest == resplit(given, seed).digest
    assert dealt.digest not in (given.digest, resplit(given, seed + 1).digest)


@pytest.mark.parametrize("seed", range(12))
def test_windows_that_overlap_share_no_event_with_another_part(seed):
    given = overlapping()
    dealt = resplit(given, seed)
    assert not any(pair.distinct_targets for pair in dealt.shared)
    events = lay_out(joined([part for _, part in dealt.splits()])).event
    ends = np.cumsum([part.n_events for _, part in dealt.splits()])[:-1]
    train, validation, test = (set(part) for part in np.split(events, ends))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(dealt.test) == len(given.test)
    [lost] = dealt.rows.left_out
    kept = sum(len(part) for _, part in dealt.splits())
    assert kept + lost.parts == 12
    assert dealt.rows.kept + lost.rows == dealt.rows.read


def test_history_that_stands_before_targets_stays_so():
    given = dataset(9, 3, 4)
    parts = {name: replace(part, history=np.full(len(part), 2)) for name, part in given.splits()}
    dealt = resplit(replace(given, **parts), 0)
    assert all((part.n_history == 2).all() for _, part in dealt.splits())
    assert all(part.history is None for _, part in resplit(given, 0).splits())


def test_one_long_catalogue_cannot_be_dealt_and_is_told_what_to_do():
    with pytest.raises(DataError, match="data check --split"):
        resplit(dataset(1, 1, 1), 0)
