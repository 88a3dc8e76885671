"""Small files that unfold are refused before they do; whole tables of any shape are read."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smash.data.events import build_sequences
from smash.data.readers import read_split
from smash.data.reading_cost import check_text_table
from smash.data.table_files import read_table
from smash.errors import DataError

N_ROWS = 2000
EVENTS = {"time": np.arange(N_ROWS) / 7, "x": np.random.default_rng(0).random(N_ROWS), "y": 0.5}


def one_text(length: int, n_rows: int) -> pa.Table:
    """A column in which one text stands in every row, as the number of a text."""
    column = pa.DictionaryArray.from_arrays(np.zeros(n_rows, np.int32), ["a" * length])
    return pa.table({"time": np.arange(n_rows) / 7, "mark": column})


BOMBS = {
    "rows of nothing": pa.table({"time": pa.nulls(30_000_000, pa.float64())}),
    "one text": one_text(100_000, 20_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_parquet_file_that_unfolds_is_refused(name, tmp_path):
    path = tmp_path / "events.parquet"
    pq.write_table(BOMBS[name], path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 500_000
    with pytest.raises(DataError, match=r"events\.parquet: becomes more than 64 times as large"):
        read_table(path)


def test_columns_of_lists_are_not_read(tmp_path):
    path = tmp_path / "events.parquet"
    pd.DataFrame(EVENTS).assign(list=[[1, 2]] * N_ROWS).to_parquet(path)
    assert list(read_table(path).frame.columns) == ["time", "x", "y"]


def test_a_table_of_constants_and_one_text_is_read(tmp_path):
    path = tmp_path / "events.parquet"
    table = pd.DataFrame(EVENTS).assign(mark="the same", empty=np.nan)
    table.to_parquet(path, compression="zstd")
    assert len(read_table(path)) == N_ROWS


def test_a_long_header_over_short_rows_is_refused(tmp_path):
    path = tmp_path / "events.csv"
    header = ",".join(f"c{i}" for i in range(20_000))
    path.write_text(header + "\n" + "1\n" * 20_000)
    with pytest.raises(DataError, match="header has 20000 columns and its 20001 lines far fewer"):
        read_table(path)


def test_a_wide_table_and_lines_within_quotes_are_fine(tmp_path):
    path = tmp_path / "events.csv"
    pd.DataFrame(np.zeros((50, 5000))).to_csv(path, index=False)
    check_text_table(path)
    pd.DataFrame({"time": [1.0], "text": ["a\n" * 100_000]}).to_csv(path, index=False)
    check_text_table(path)


def test_a_gzipped_table_that_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "events.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("time,x,y\n" + " " * 2**27)
    with pytest.raises(DataError, match="unpacks to more than 64 times its size"):
        check_text_table(path)


def npz(path, compressed=False, **arrays):
    save = np.savez_compressed if compressed else np.savez
    save(path, **({"time": np.arange(6.0), "location": np.ones((6, 2))} | arrays))
    return path


BAD = {
    "lengths that run over": (
        {"lengths": np.array([2**63 - 1, 2**63 - 1, 8], np.uint64)},
        "lengths are whole numbers from 0",
    ),
    "negative lengths": ({"lengths": np.array([8, -2])}, "lengths are whole numbers from 0"),
    "offsets that fall": ({"offsets": np.array([0, 5, 3, 6])}, "never fall"),
    "offsets that start late": ({"offsets": np.array([2, 4, 8])}, "never fall"),
    "fields": ({"time": np.zeros(6, [("a", "f8")])}, "array 'time' is"),
    "characters beyond all": (
        {"mark": np.full(6, 2**31 - 1, np.uint32).view("U1")},
        "array 'mark'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_do_not_agree_are_refused(name, tmp_path):
    arrays, message = BAD[name]
    with pytest.raises(DataError, match=message):
        read_split(npz(tmp_path / "events.npz", **arrays))


def test_an_npz_file_that_unfolds_is_refused(tmp_path):
    path = npz(tmp_path / "events.npz", compressed=True, lengths=np.zeros(10_000_000, int))
    with pytest.raises(DataError, match="becomes more than 64 times as large"):
        read_split(path)


def test_arrays_nobody_asked_for_are_not_read(tmp_path):
    path = npz(
        tmp_path / "events.npz",
        compressed=True,
        other=np.zeros(10_000_000),
        objects=np.array([None]),
    )
    assert read_split(path).n_events == 6


@pytest.mark.parametrize("lengths", [[6, 0], [0, 6], [2, 0, 4], [0, 3, 0, 3, 0, 0]])
def test_empty_sequences_are_dropped_and_counted_wherever_they_stand(lengths, tmp_path):
    events = read_split(npz(tmp_path / "events.npz", lengths=np.array(lengths)))
    assert events.dropped == lengths.count(0)
    assert events.lengths.tolist() == [length for length in lengths if length]


def test_gaps_and_targets_are_known_beside_an_empty_sequence():
    events = build_sequences(np.arange(4.0), np.ones((4, 2)), None, [2, 0, 2, 0], "e", fewest=0)
    assert events.gap.tolist() == [0, 1, 2, 1]
    assert events.is_target.tolist() == [False, True, False, True]
