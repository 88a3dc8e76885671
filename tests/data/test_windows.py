"""Windows and splits: every row is counted, and no event trains that comes after the test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from smash.catalogue.datasets import load_dataset
from smash.data.audit import audit
from smash.data.catalogues import Catalogue
from smash.data.clock import Clock
from smash.data.splitting import SPLITS
from smash.data.tally import LeftOut, read_tally, write_windows
from smash.data.windows import cut_windows
from smash.errors import DataError
from smash.workbench.cli.data import app
from smash.workbench.specs.experiment_spec import load_spec

ORIGIN = "2024-01-01T00:00:00+00:00"


def catalogue(time, sequence=None, origin="", seed=0) -> Catalogue:
    """Returns events at `time`, sorted within sequences, at places drawn at random."""
    time = np.asarray(time, dtype=np.float64)
    numbers = np.random.default_rng(seed)
    order = np.argsort(time) if sequence is None else np.lexsort((time, sequence))
    sequence = None if sequence is None else np.asarray(sequence)[order]
    place = numbers.normal(size=(len(time), 2))
    return Catalogue(time[order], place, None, sequence, Clock("hours", origin), "km")


def users(n=60, events=40, seed=0, origin=ORIGIN) -> Catalogue:
    """Returns sequences that each go on over all of a thousand hours."""
    time = np.random.default_rng(seed).uniform(0, 1000, n * events)
    return catalogue(time, np.repeat(np.arange(n), events), origin)


def own_clocks(n=60, events=12, seed=0) -> Catalogue:
    """Returns sequences whose clocks start at 0, of rates of their own."""
    numbers = np.random.default_rng(seed)
    gap = numbers.exponential(size=(n, events)) * numbers.lognormal(size=(n, 1))
    return catalogue(np.cumsum(gap, axis=1).ravel(), np.repeat(np.arange(n), events))


def times(events: Catalogue, windows, name):
    rows = [r for r, split in zip(windows.rows, windows.split, strict=True) if split == name]
    return events.time[np.concatenate(rows)]


def in_order(events: Catalogue, windows) -> bool:
    train, validation, test = (times(events, windows, name) for name in SPLITS)
    return train.max() < validation.min() and validation.max() < test.min()


def check_counted(events: Catalogue, windows) -> None:
    """Asserts that every row is in a window or counted with a reason, and windows hold theirs."""
    tally = windows.tally
    held = np.concatenate(windows.rows)
    assert tally.read == len(events)
    assert tally.kept == len(np.unique(held))
    assert tally.read == tally.kept + sum(part.rows for part in tally.left_out)
    assert tally.kept + tally.repeated == len(held)
    for rows, (start, end) in zip(windows.rows, windows.bounds, strict=True):
        assert len(rows) >= 2
        assert start <= events.time[rows[0]]
        assert events.time[rows[-1]] <= end
    if tally.kept < tally.read:
        assert f"{tally.read} read = {tally.kept} kept" in tally.notes()[len(tally.left_out)]


# --- one long catalogue ------------------------------------------------------------------------

TIMES = st.lists(st.floats(0, 1e3, allow_nan=False) | st.integers(0, 50), min_size=30, max_size=120)


@given(TIMES, st.floats(5, 60), st.sampled_from([1.0, 0.7, 0.5, 0.1]), st.floats(0, 1e9))
@settings(deadline=None, max_examples=200)
def test_every_row_of_a_catalogue_is_kept_or_counted(time, length, share, begin):
    events = catalogue(np.array(time) + begin)
    try:
        windows = cut_windows(events, length, share * length)
    except DataError:  # too few windows
        return
    check_counted(events, windows)
    assert in_order(events, windows)
    if share == 1.0:
        assert windows.tally.repeated == 0
        assert all("next split" not in part.what for part in windows.tally.left_out)


@given(TIMES, st.floats(5, 60), st.floats(0.2, 0.5), st.floats(0.6, 0.9))
@settings(deadline=None, max_examples=100)
def test_windows_are_cut_at_dates_that_are_given(time, length, first, second):
    events = catalogue(time)
    dates = [float(f"{events.time[-1] * share:.6g}") for share in (first, second)]
    try:
        windows = cut_windows(events, length, split=f"{dates[0]},{dates[1]}")
    except DataError:
        return
    check_counted(events, windows)
    assert times(events, windows, "train").max() < dates[0]
    assert times(events, windows, "validation").min() >= dates[0]
    assert times(events, windows, "validation").max() < dates[1]
    assert times(events, windows, "test").min() >= dates[1]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 99), begin=st.floats(0, 48), days=st.integers(1, 3), dated=st.booleans())
def test_windows_at_midnight_are_whole_days_and_lose_no_event(seed, begin, days, dated):
    hours = np.random.default_rng(seed).uniform(0, 2000, 300)
    events = catalogue(begin + hours, origin=ORIGIN)
    split = "2024-02-01,2024-02-20" if dated else None
    windows = cut_windows(events, 24.0 * days, split=split, midnight=True)
    check_counted(events, windows)
    np.testing.assert_array_equal(windows.bounds[:, 0] % 24, 0)
    np.testing.assert_array_equal(windows.bounds[:-1, 1] % 24, 0)
    assert windows.bounds[0, 0] >= np.floor(events.time[0] / 24) * 24


def test_midnights_are_told_by_timestamps_and_by_windows_of_whole_days():
    events = catalogue(7 + np.arange(600.0), origin=ORIGIN)
    assert cut_windows(events, midnight=True).bounds[0, 0] == 0
    assert cut_windows(events).bounds[0, 0] == 7
    for arguments, message in (
        ({"length": 36.0}, "every 1.5 days does not keep to midnights"),
        ({"length": 24.0, "stride": 12.0}, "every 0.5 days does not keep"),
        ({"length": 24.0, "split": "2024-01-10T06:00,2024-01-20"}, "06:00:00 UTC, which is no"),
    ):
        with pytest.raises(DataError, match=message):
            cut_windows(events, **arguments, midnight=True)
    with pytest.raises(DataError, match="numbers, which tell no midnight"):
        cut_windows(catalogue(np.arange(600.0)), 24.0, midnight=True)
    with pytest.raises(DataError, match="keeps the table's own sequences"):
        cut_windows(users(), midnight=True)


def test_the_last_window_is_kept_though_it_is_shorter():
    events = catalogue(np.arange(105.0))
    windows = cut_windows(events, 10.0)
    assert [len(rows) for rows in windows.rows] == 10 * [10] + [5]
    assert windows.bounds[-1].tolist() == [100, 104]
    assert windows.tally.notes() == ()


def test_an_event_on_the_border_of_two_windows_is_in_one_whatever_rounding_does():
    border = 0.1 * np.arange(1000)
    windows = cut_windows(catalogue(np.concatenate([border, border + 0.05])), 0.1)
    assert (windows.tally.kept, windows.tally.repeated) == (2000, 0)


def test_an_event_alone_in_its_window_is_said():
    windows = cut_windows(catalogue([*np.arange(100.0), 117.5, 140, 141]), 10.0)
    assert windows.tally.left_out == (LeftOut("windows with fewer than two events", 4, 1),)
    said = " ".join(windows.tally.notes())
    assert "4 windows with fewer than two events left out: 1 of the table's rows" in said
    assert "103 read = 102 kept + 1 left out" in said


def test_how_often_events_are_repeated_is_said():
    windows = cut_windows(catalogue(np.arange(1000.0)), 20.0, 10.0)
    assert windows.tally.repeated == sum(map(len, windows.rows)) - windows.tally.kept
    assert "each event kept stands in 1.9 of them" in windows.tally.notes()[-1]


def test_windows_of_a_catalogue_are_dealt_at_random_where_asked():
    events = catalogue(np.arange(1000.0))
    windows = cut_windows(events, 20.0, split="random", seed=3)
    check_counted(events, windows)
    assert not in_order(events, windows)
    assert "seed 3" in windows.tally.split
    assert "the future trains the past" in windows.tally.split


# --- sequences ---------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 15), st.floats(0, 1e3)), min_size=30, max_size=200),
    st.sampled_from([None, "time", "random", "200,400.5"]),
    st.sampled_from(["", ORIGIN]),
)
@settings(deadline=None, max_examples=200)
def test_every_row_of_sequences_is_kept_or_counted(rows, split, origin):
    sequence, time = np.array(rows).T
    events = catalogue(time, sequence.astype(int), origin)
    try:
        windows = cut_windows(events, split=split)
    except DataError:
        return
    check_counted(events, windows)
    assert windows.tally.repeated == 0
    for r in windows.rows:
        assert len(np.unique(events.sequence[r])) == 1
    if "random" in windows.tally.split:
        return
    assert in_order(events, windows)


def test_no_event_of_training_comes_after_validation_where_all_users_last():
    events = users()
    windows = cut_windows(events)
    assert in_order(events, windows)
    assert len(windows) == 180
    check_counted(events, windows)
    assert windows.tally.kept > 0.98 * windows.tally.read
    assert "60 sequences became 180 pieces" in windows.tally.split
    shares = [len(times(events, windows, name)) / len(events) for name in SPLITS]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.01)
    for rows, (start, end) in zip(windows.rows, windows.bounds, strict=True):
        assert (start, end) == (events.time[rows[0]], events.time[rows[-1]])


def test_sequences_on_clocks_of_their_own_are_dealt_by_the_seed():
    events = own_clocks()
    windows, again, other = (cut_windows(events, seed=seed) for seed in (None, 0, 1))
    assert windows.split.tolist() == again.split.tolist() != other.split.tolist()
    assert [int((windows.split == name).sum()) for name in SPLITS] == [42, 9, 9]
    assert "at random by sequence (seed 0)" in windows.tally.split
    assert {len(rows) for rows in windows.rows} == {12}


def test_numbers_that_start_far_from_zero_or_one_after_another_are_one_clock():
    events = own_clocks()
    for moved in (events.time + 1e5, events.time + 30 * events.sequence):
        windows = cut_windows(replace(events, time=moved))
        assert windows.tally.split.startswith("by date, on one clock")
    timestamps = cut_windows(replace(events, clock=Clock("hours", ORIGIN)))
    assert timestamps.tally.split.startswith("by date, on one clock")


def test_what_was_asked_is_done_and_its_price_said():
    assert "the future trains the past" in cut_windows(users(), split="random").tally.split
    said = cut_windows(own_clocks(), split="time").tally.split
    assert "each sequence seems to have a clock of its own" in said
    dated = cut_windows(users(), split="2024-01-11, 2024-01-21T12:00:00Z")
    assert "training before 2024-01-11, validation from there, test from 2024-01-21T12" in (
        dated.tally.split
    )
    assert times(users(), dated, "train").max() < 240 <= times(users(), dated, "validation").min()
    assert times(users(), dated, "test").min() >= 492


def test_copies_of_a_sequence_are_dealt_together():
    one = own_clocks(30, 3)
    both = replace(
        one,
        time=np.tile(one.time, 2),
        location=np.tile(one.location, (2, 1)),
        sequence=np.concatenate([one.sequence, one.sequence + 30]),
    )
    windows = cut_windows(both, split="random")
    dealt = {int(both.sequence[r[0]]): s for r, s in zip(windows.rows, windows.split, strict=True)}
    assert all(dealt[i] == dealt[i + 30] for i in range(30))
    assert set(windows.split) == set(SPLITS)


def test_what_was_left_out_in_reading_is_counted_too():
    empty = LeftOut("rows without a sequence", 1, 7)
    windows = cut_windows(replace(users(), left_out=(empty,)))
    assert windows.tally.read == len(users()) + 7
    assert windows.tally.left_out[0] == empty


WRONG = {
    "give random, time, or the two dates": {"split": "backwards"},
    "give growing dates": {"split": "2024-01-21,2024-01-11"},
    "neither a number nor an ISO 8601 timestamp": {"split": "2024-01-21,soon"},
    "no window with two events or more is left for test": {"split": "2024-01-11,2025-01-11"},
    "no window with two events or more is left for train": {"split": "2023-01-11,2024-01-11"},
    "--seed 1 deals at random": {"seed": 1},
    "--window and --stride cut one long catalogue": {"length": 3.0},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_done_is_refused(message):
    with pytest.raises(DataError, match=message):
        cut_windows(users(), **WRONG[message])


def test_numbers_are_split_at_numbers_and_overlapping_windows_never_at_random():
    with pytest.raises(DataError, match="the table's times are numbers"):
        cut_windows(own_clocks(), split="2024-01-11,2024-01-21")
    with pytest.raises(DataError, match="windows that overlap"):
        cut_windows(catalogue(np.arange(1000.0)), 20.0, 10.0, "random")
    with pytest.raises(DataError, match="take a longer --window"):
        cut_windows(catalogue(np.arange(1000.0)), 1e-9)
    with pytest.raises(DataError, match="all 50 events have the time 3"):
        cut_windows(catalogue(np.full(50, 3.0)))
    with pytest.raises(DataError, match="are the first and the last time right"):
        cut_windows(catalogue([*np.arange(50.0), 1e6]))


# --- the command -------------------------------------------------------------------------------


def checked(folder, events: Catalogue, *flags):
    """Returns what `check` says, and the data set that its spec loads."""
    table = pd.DataFrame({"time": events.time, "x": events.location[:, 0]})
    table["y"] = events.location[:, 1]
    table["who"] = events.sequence
    table.to_csv(folder / "mine.csv", index=False)
    arguments = ["check", str(folder / "mine.csv"), "--sequence", "who", "--out", str(folder / "o")]
    done = CliRunner().invoke(app, [*arguments, *flags])
    assert done.exit_code == 0, done.output
    return done.output, load_dataset(load_spec(folder / "o" / "spec.yaml").data)


def test_rows_are_counted_on_the_terminal_in_the_spec_and_in_the_audit(tmp_path):
    alone = catalogue([5.0, 6.0, 7.0], [100, 101, 102])
    one = own_clocks()
    events = replace(
        one,
        time=np.append(one.time, alone.time),
        location=np.vstack([one.location, alone.location]),
        sequence=np.append(one.sequence, alone.sequence),
    )
    output, dataset = checked(tmp_path, events)
    spec = " ".join((tmp_path / "o" / "spec.yaml").read_text().split())
    for words in ("3 sequences of a single event left out: 3 of the table's rows", "seed 0"):
        assert words in " ".join(output.split())
        assert words in spec.replace("# ", "")
    rows = audit(dataset)["rows"]
    assert rows["read"] == len(events)
    assert rows["read"] == rows["kept"] + sum(part["rows"] for part in rows["left_out"])
    assert rows["kept"] == sum(part.n_events for _, part in dataset.splits())
    assert "at random" in audit(dataset)["about"]["split"]


def test_splits_of_exchangeable_sequences_do_not_drift(tmp_path):
    _, dataset = checked(tmp_path, own_clocks(200), "--seed", "1")
    drift = audit(dataset)["drift"]
    beyond = [
        found[what] > found[f"{what}_chance"] for found in drift.values() for what in ("gap", "x")
    ]
    assert sum(beyond) <= 1
    assert drift["test"]["gap"] < drift["test"]["gap_chance"]


def test_a_table_that_was_altered_is_counted_anew(tmp_path):
    _, dataset = checked(tmp_path, own_clocks())
    assert dataset.tally is not None
    path = tmp_path / "o" / "events.parquet"
    write_windows(pd.read_parquet(path).iloc[:-1], dataset.tally, path)
    altered = load_dataset(load_spec(tmp_path / "o" / "spec.yaml").data)
    assert altered.tally is None
    assert altered.rows.read == dataset.rows.read - 1
    pd.read_parquet(path).to_parquet(path)
    assert read_tally(path) is None
