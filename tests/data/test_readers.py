"""Every kind of file gives the same sequences; every bad file gives one error that names it."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.data.events import EventSequences, build_sequences
from smash.data.readers import read_split, read_splits, read_table_splits
from smash.errors import DataError
from smash.settings import Columns

KINDS = ("pkl", "csv", "parquet", "npz")
COLUMNS = Columns(mark="mark", sequence="sequence")
WINDOWED = replace(COLUMNS, window_start="start", window_end="end")


def random_events(seed: int, marked: bool = True, n_sequences: int = 4) -> EventSequences:
    """Sequences observed from 0 to their last event, as in a pickle."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 7, n_sequences)
    n_events = lengths.sum()
    return build_sequences(
        np.concatenate([np.cumsum(generator.exponential(size=length)) for length in lengths]),
        generator.normal(size=(n_events, 2)),
        generator.integers(0, 3, n_events) if marked else None,
        lengths,
        "random",
    )


def table_of(events: EventSequences) -> pd.DataFrame:
    """One row an event, with its window; sequences carry names."""
    table = pd.DataFrame(
        {
            "sequence": [f"s{i}" for i in events.sequence],
            "time": events.time,
            "x": events.location[:, 0],
            "y": events.location[:, 1],
            "start": events.window[events.sequence, 0],
            "end": events.window[events.sequence, 1],
        }
    )
    return table if events.mark is None else table.assign(mark=events.mark)


def nested_lists(events: EventSequences) -> list:
    columns = [events.time, *events.location.T]
    if events.mark is not None:
        columns.insert(1, events.mark)
    rows = np.column_stack(columns).tolist()
    return [rows[a:b] for a, b in zip(events.offsets[:-1], events.offsets[1:], strict=True)]


def write(events: EventSequences, path) -> None:
    """Writes `events` as the suffix of `path` says."""
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(nested_lists(events)))
    elif path.suffix == ".csv":
        table_of(events).to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table_of(events).to_parquet(path)
    else:
        marks = {} if events.mark is None else {"mark": events.mark}
        np.savez(
            path,
            time=events.time,
            location=events.location,
            lengths=events.lengths,
            window=events.window,
            **marks,
        )


def assert_same(read: EventSequences, events: EventSequences) -> None:
    for name in ("time", "location", "mark", "offsets", "window"):
        np.testing.assert_array_equal(getattr(read, name), getattr(events, name))


# --- round trips -------------------------------------------------------------------------------


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind, marked, tmp_path):
    events = random_events(0, marked)
    path = tmp_path / f"events.{kind}"
    write(events, path)
    columns = WINDOWED if marked else replace(WINDOWED, mark=None)
    assert_same(read_split(path, columns), events)


@pytest.mark.parametrize("kind", KINDS)
def test_marks_are_left_out_or_required_as_asked(kind, tmp_path):
    marked, unmarked = tmp_path / f"marked.{kind}", tmp_path / f"unmarked.{kind}"
    write(random_events(0), marked)
    write(random_events(0, marked=False), unmarked)
    assert read_split(marked, WINDOWED, marked=False).mark is None
    assert read_split(marked, WINDOWED, marked=True).mark is not None
    with pytest.raises(DataError, match="unmarked"):
        read_split(unmarked, replace(WINDOWED, mark=None), marked=True)


@pytest.mark.parametrize("make", [np.array, tuple, list])
def test_a_pickle_holds_lists_tuples_or_arrays(make, tmp_path):
    events = random_events(1)
    path = tmp_path / "events.pkl"
    path.write_bytes(pickle.dumps([make(rows) for rows in nested_lists(events)]))
    assert_same(read_split(path), events)


def test_a_pickle_holds_one_array_of_equal_sequences(tmp_path):
    path = tmp_path / "events.pkl"
    path.write_bytes(pickle.dumps(np.arange(24.0).reshape(2, 3, 4).round()))
    assert list(read_split(path).lengths) == [3, 3]


def test_a_table_is_observed_from_its_first_to_its_last_event(tmp_path):
    events = random_events(2)
    path = tmp_path / "events.csv"
    write(events, path)
    window = read_split(path, COLUMNS).window
    np.testing.assert_array_equal(window[:, 0], events.time[events.offsets[:-1]])
    np.testing.assert_array_equal(window[:, 1], events.time[events.offsets[1:] - 1])


def test_rows_of_several_sequences_may_alternate(tmp_path):
    events = random_events(3)
    path = tmp_path / "events.csv"
    table_of(events).sort_values("time").to_csv(path, index=False)
    read = read_split(path, WINDOWED)
    order = pd.unique(table_of(events).sort_values("time")["sequence"])
    assert_same(read, events.select([int(label[1:]) for label in order]))


def test_a_table_without_a_sequence_column_is_one_sequence(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("when,lon,lat\n0.5,1,2\n0.75,3,4\n2,5,6\n")
    read = read_split(path, Columns(time="when", x="lon", y="lat"))
    assert len(read) == 1
    np.testing.assert_array_equal(read.time, [0.5, 0.75, 2])


def test_npz_takes_offsets_or_one_sequence(tmp_path):
    events = random_events(4)
    path = tmp_path / "events.npz"
    arrays = {"time": events.time, "location": events.location, "mark": events.mark}
    np.savez(path, **arrays, offsets=events.offsets, window=events.window)
    assert_same(read_split(path), events)
    np.savez(path, time=np.sort(events.time), location=events.location)
    assert list(read_split(path).lengths) == [events.n_events]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_one_table_with_a_split_column_gives_three_splits(kind, tmp_path):
    words = {"train": "train", "validation": "Val", "test": "TEST "}
    splits = {split: random_events(seed) for seed, split in enumerate(words)}
    table = pd.concat([table_of(splits[split]).assign(part=word) for split, word in words.items()])
    path = tmp_path / f"events.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    read, names = read_table_splits(path, replace(WINDOWED, split="part"))
    assert names == ("0", "1", "2")
    for split, events in splits.items():
        assert_same(read[split], events)


# --- marks as text -----------------------------------------------------------------------------


def text_table(marks: list[str]) -> str:
    rows = [f"{time},{time % 3},{time % 2},{mark}" for time, mark in enumerate(marks)]
    return "\n".join(["time,x,y,mark", *rows]) + "\n"


def test_text_marks_are_numbered_alike_in_every_split(tmp_path):
    marks = {"train": ["theft", "arson", "theft"], "test": ["fraud", "theft"]}
    paths = {split: tmp_path / f"{split}.csv" for split in marks}
    for split, path in paths.items():
        path.write_text(text_table(marks[split]))
    splits, names = read_splits(paths, Columns(mark="mark"))
    assert names == ("arson", "fraud", "theft")
    for split, events in splits.items():
        assert [names[k] for k in events.mark] == marks[split]


def test_text_marks_in_npz(tmp_path):
    path = tmp_path / "events.npz"
    np.savez(path, time=[0.0, 1, 2], location=np.eye(3, 2), mark=["b", "a", "b"])
    splits, names = read_splits({"train": path})
    assert names == ("a", "b")
    assert list(splits["train"].mark) == [1, 0, 1]


def test_codes_that_are_numbers_in_one_split_only_are_names_in_all(tmp_path):
    paths = {split: tmp_path / f"{split}.csv" for split in ("train", "test")}
    paths["train"].write_text(text_table(["1", "2", "x"]))
    paths["test"].write_text(text_table(["2", "1"]))
    splits, names = read_splits(paths, Columns(mark="mark"))
    assert names == ("1", "2", "x")
    assert list(splits["test"].mark) == [1, 0]


def test_text_in_one_split_and_numbers_in_another_are_refused(tmp_path):
    table = pd.DataFrame({"time": [0.0, 1], "x": [0.0, 1], "y": [0.0, 1], "mark": ["a", "b"]})
    paths = {"train": tmp_path / "train.npz", "test": tmp_path / "test.parquet"}
    np.savez(paths["train"], time=[0.0, 1], location=np.eye(2), mark=[0, 1])
    table.to_parquet(paths["test"])
    with pytest.raises(DataError, match=r"test\.parquet.*names.*train\.npz.*numbers"):
        read_splits(paths, Columns(mark="mark"))
    table.assign(mark=["0", "1"]).to_parquet(paths["test"])
    splits, names = read_splits(paths, Columns(mark="mark"))
    assert names == ()
    assert [list(events.mark) for events in splits.values()] == [[0, 1], [0, 1]]


# --- bad files ---------------------------------------------------------------------------------

GOOD = [
    ["a", 0.0, 1, 0.5, 1.5],
    ["a", 1.0, 0, 0.25, 2.5],
    ["b", 0.5, 1, 3.5, 1.0],
    ["b", 2, 0, 1, 2],
]
HEADER = ["sequence", "time", "mark", "x", "y"]


def csv_with(row: int, column: str, cell: object) -> str:
    rows = [list(cells) for cells in GOOD]
    rows[row][HEADER.index(column)] = cell
    return "\n".join(",".join(map(str, cells)) for cells in [HEADER, *rows]) + "\n"


BAD_CELLS = {
    "nan": (1, "time", "nan", "row 3: column 'time' is nan"),
    "no time": (1, "time", "", "row 3: column 'time' is empty"),
    "empty": (2, "x", "", "row 4: column 'x' is empty"),
    "infinite": (3, "y", "inf", "row 5: column 'y' is inf"),
    "overflow": (3, "y", "1e999", "row 5: column 'y' is 1e999"),
    "missing mark": (2, "mark", "", "row 4: the mark (column 'mark') is missing"),
    "text": (1, "x", "north", "row 3: column 'x' holds 'north', which is not a number"),
    "decimal comma": (1, "x", '"1,5"', "holds '1,5', which is not a number; write decimals with"),
    "date": (0, "time", "2024-01-01", "is the number '1.0', and in row 2 the timestamp '2024-01"),
    "day first": (0, "time", "31/01/2024", "row 2: column 'time' holds '31/01/2024', which is nei"),
    "no sequence": (2, "sequence", "", "row 4: column 'sequence' is empty"),
    "long row": (1, "y", "1,2,3", "row 3 has 7 cells and the header 5"),
}


@pytest.mark.parametrize(("row", "column", "cell", "message"), BAD_CELLS.values(), ids=BAD_CELLS)
def test_a_bad_cell_is_named_by_file_row_and_column(row, column, cell, message, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(csv_with(row, column, cell))
    with pytest.raises(DataError) as error:
        read_split(path, COLUMNS)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


PICKLED = {
    "three fields among four": (
        [[[0, 1, 2, 3], [1, 1, 2, 3]], [[0, 1, 2, 3], [1, 2, 3]]],
        "sequence 1, event 1: has 3 fields where event 0 has 4",
    ),
    "unmarked among marked": (
        [[[0, 1, 2, 3], [1, 1, 2, 3]], [[0, 2, 3], [1, 2, 3]]],
        "sequence 1, event 0: has 3 fields where sequence 0 has 4",
    ),
    "five fields": ([[[0, 1, 2, 3, 4]]], "sequence 0, event 0: has 5 fields"),
    "two fields": ([[[0, 1, 2], [0, 1]]], "sequence 0, event 1: has 2 fields"),
    "text": ([[[0, 1, 2, "3"]]], "sequence 0, event 0: field 3 is the text '3'"),
    "nothing": ([[[0, 1, 2, 3], [1, None, 2, 3]]], "event 1: field 1 is nothing (None)"),
    "truth value": ([[[0, True, 2, None]]], "sequence 0, event 0: field 1 is a bool"),
    "huge number": ([[[0, 1, 2, 10**400]]], "event 0: field 3 is a number beyond all floats"),
    "nested too deep": ([[[0, 1, [2], 3]]], "sequence 0, event 0: field 2 is a list of 1"),
    "not nested enough": ([[0, 1, 2, 3]], "sequence 0, event 0: is a number"),
    "flat": ([0.5, 1.5], "sequence 0: holds a number"),
    "mapping": ({"train": []}, "holds a dict"),
    "empty": ([], "holds a list of 0"),
    "empty sequences": ([[], []], "every sequence is empty"),
    "complex numbers": ([[[0, 1, 2, 3j]]], "refused to load builtins.complex"),
    "NaN": ([[[0, 1, 2, 3], [np.nan, 1, 2, 3]]], "sequence 0, event 1: time is nan"),
    "fractional mark": ([[[0, 1.5, 2, 3], [1, 1, 2, 3]]], "sequence 0, event 0: mark is 1.5"),
}


@pytest.mark.parametrize(("content", "message"), PICKLED.values(), ids=PICKLED.keys())
def test_a_bad_pickle_is_named_by_file_sequence_and_event(content, message, tmp_path):
    path = tmp_path / "events.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError) as error:
        read_split(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_a_list_that_holds_itself_is_refused(tmp_path):
    endless: list = [[]]
    endless[0].append(endless)
    path = tmp_path / "events.pkl"
    path.write_bytes(pickle.dumps(endless))
    with pytest.raises(DataError, match=r"events\.pkl"):
        read_split(path)


ARRAYS = {"time": np.arange(4.0), "location": np.eye(4, 2), "mark": np.arange(4), "lengths": [2, 2]}
BAD_ARRAYS = {
    "no time": ({"time": None}, "no array 'time'; it has 'location'"),
    "shape": ({"location": np.eye(3, 2)}, "array 'location' is float64 of shape (3, 2)"),
    "text": ({"time": ["a"] * 4}, "array 'time' is <U1"),
    "lengths": ({"lengths": [2, 3]}, "hold 5 events"),
    "negative lengths": ({"lengths": [6, -2]}, "whole numbers from 0"),
    "fractional lengths": ({"lengths": [2.5, 1.5]}, "array 'lengths' is float64"),
    "window": ({"window": [[0, 1]]}, "array 'window'"),
    "endless window": ({"window": [[0, 9], [0, np.inf]]}, "sequence 1: its window is not finite"),
    "objects": (
        {"time": np.array([1, None, 2, 3])},
        "array 'time' is object; expected plain numbers",
    ),
    "missing text mark": ({"mark": ["a", "", "b", "c"]}, "sequence 0, event 1: the mark is miss"),
}


@pytest.mark.parametrize(("change", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_a_bad_npz_is_named_with_its_array(change, message, tmp_path):
    path = tmp_path / "events.npz"
    arrays = {name: array for name, array in (ARRAYS | change).items() if array is not None}
    np.savez(path, **arrays)
    with pytest.raises(DataError) as error:
        read_split(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("tme,x,y\n0,1,2\n1,2,3\n")
    with pytest.raises(
        DataError, match=r"no column 'time'; did you mean 'tme'\? it has 'tme', 'x'"
    ):
        read_split(path)


def test_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table([[0.0, 1.0]] * 4, names=["time", "x", "y", "x"]), path)
    with pytest.raises(DataError, match=r"events\.parquet.*\bx\b"):
        read_split(path)


def test_a_window_is_one_for_a_sequence(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("time,x,y,start\n1,1,2,0\n2,2,3,1\n")
    with pytest.raises(
        DataError, match="row 3: column 'start' is 1 here and 0 in the sequence's row 2"
    ):
        read_split(path, Columns(window_start="start"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file_and_a_folder_are_named(kind, tmp_path):
    with pytest.raises(DataError, match=rf"absent\.{kind}: no such file"):
        read_split(tmp_path / f"absent.{kind}")
    (tmp_path / f"folder.{kind}").mkdir()
    with pytest.raises(DataError, match=rf"folder\.{kind}"):
        read_split(tmp_path / f"folder.{kind}")


def test_an_empty_split_and_an_unknown_word_are_named(tmp_path):
    path = tmp_path / "events.csv"
    columns = Columns(split="split")
    path.write_text("time,x,y,split\n0,1,2,train\n1,2,3,train\n0,1,1,test\n1,1,1,test\n")
    with pytest.raises(DataError, match=r"events\.csv \(validation\): no rows"):
        read_table_splits(path, columns)
    path.write_text("time,x,y,split\n0,1,2,train\n1,2,3,holdout\n")
    with pytest.raises(DataError, match=r"row 3: column 'split' says 'holdout'"):
        read_table_splits(path, columns)
    with pytest.raises(DataError, match="needs the name of the column"):
        read_table_splits(path, Columns())


@pytest.mark.parametrize("content", ["", "time,x,y\n"])
def test_a_table_without_rows_is_refused(content, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"events\.csv"):
        read_split(path)


@pytest.mark.parametrize("kind", ["parquet", "npz", "pkl"])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_truncated_file_is_refused(kind, data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"truncated.{kind}"
    write(random_events(5), path)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError, match=rf"truncated\.{kind}"):
        read_split(path, WINDOWED)


# --- any table at all --------------------------------------------------------------------------

cells = st.one_of(
    st.floats().map(str),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(["", "nan", "NA", "-0", "1e999", "True", '"', "a", "0x1", "٣", "\x00", "1,2"]),
    st.text(max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(
    header=st.one_of(st.just(HEADER), st.permutations([*HEADER, "more"]).map(lambda h: h[:-1])),
    rows=st.lists(st.lists(cells, min_size=4, max_size=6), max_size=6),
)
def test_any_table_is_read_or_refused_by_name(header, rows, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = "\n".join(",".join(row) for row in [header, *rows])
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        read = read_split(path, COLUMNS)
    except DataError as error:
        message = str(error)
    else:
        message = read.name
        assert np.isfinite(read.time).all()
        assert (read.gap[read.is_target] >= 0).all()
        assert read.mark.min() >= 0
    assert message.startswith(str(path))


@settings(max_examples=150, deadline=None)
@given(
    row=st.integers(0, len(GOOD) - 1),
    column=st.sampled_from(["time", "x", "y"]),
    cell=st.one_of(
        st.sampled_from(["nan", "inf", "-inf", "", "1e999", "1;2", "--1"]),
        st.text(st.characters(categories=["L"]), min_size=4, max_size=9).map(lambda t: "z" + t),
    ),
)
def test_a_table_with_one_bad_number_is_always_refused(row, column, cell, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "one_bad.csv"
    path.write_text(csv_with(row, column, cell), encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_split(path, COLUMNS)
    assert str(error.value).startswith(f"{path}, row {row + 2}: ")
