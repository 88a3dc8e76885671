"""Other projects' files hold the events they were written from; a bad one is named by its part."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import random_sequences

from smash.catalogue.loading import load_data
from smash.data.catalogues import read_catalogue
from smash.data.events import EventSequences
from smash.data.readers import read_split, read_splits, read_table_splits
from smash.errors import DataError
from smash.settings import Columns

COLUMNS = Columns()
PARTS = {"train": "train", "val": "validation", "test": "test"}


def rows_of(events: EventSequences) -> list[np.ndarray]:
    """An array (L, 3) a sequence: time and place, as neural_stpp and AutoSTPP keep them."""
    rows = np.column_stack([events.time, events.location])
    return np.split(rows, events.offsets[1:-1])


def objects(arrays: list[np.ndarray]) -> np.ndarray:
    held = np.empty(len(arrays), dtype=object)
    held[:] = arrays
    return held


def lines_of(events: EventSequences, **more) -> list[dict]:
    """An object a sequence, as Seahorse and HawkesNest keep them."""
    bounds = zip(events.offsets[:-1], events.offsets[1:], strict=True)
    return [
        {
            "times": events.time[a:b].tolist(),
            "locations": events.location[a:b].tolist(),
            "marks": events.mark[a:b].tolist(),
        }
        | more
        for a, b in bounds
    ]


def write_lines(path, lines) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def easytpp(events: EventSequences) -> list[dict]:
    return [
        {
            "dim_process": 3,
            "seq_idx": i,
            "seq_len": len(line["times"]),
            "time_since_start": line["times"],
            "time_since_last_event": np.diff(line["times"], prepend=0).tolist(),
            "type_event": line["marks"],
        }
        for i, line in enumerate(lines_of(events))
    ]


def pickled_easytpp(parts: dict[str, EventSequences]) -> dict:
    keys = ("time_since_start", "time_since_last_event", "type_event")
    held = {
        name: [
            [
                dict(zip(keys, event, strict=True))
                for event in zip(*map(each.get, keys), strict=True)
            ]
            for each in easytpp(events)
        ]
        for name, events in parts.items()
    }
    return {"dim_process": 3, "train": [], **held}


def assert_same(read: EventSequences, events: EventSequences, marked: bool) -> None:
    names = ("time", "location", "offsets") + (("mark",) if marked else ())
    for name in names:
        np.testing.assert_array_equal(getattr(read, name), getattr(events, name))
    assert (read.mark is not None) is marked
    ends = events.offsets[1:] - 1
    observed = np.stack([events.time[events.offsets[:-1]], events.time[ends]], axis=1)
    np.testing.assert_array_equal(read.window, observed)


# --- what is written is read -------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson", "json"])
def test_an_object_a_sequence(suffix, tmp_path):
    events = random_sequences([5, 9, 3], seed=1)
    path = tmp_path / f"events.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(lines_of(events, is_triggered=[True], note=None)))
    else:
        write_lines(path, lines_of(events, is_triggered=[True], note=None))
    splits, names = read_splits({"train": path, "test": path})
    assert names == ("0", "1", "2")
    assert_same(splits["train"], events, marked=True)


def test_marks_of_json_are_names_and_windows_are_kept(tmp_path):
    path = tmp_path / "events.jsonl"
    write_lines(
        path,
        [
            {
                "times": [1.0, 2.5],
                "locations": [[0, 1], [2, 3]],
                "marks": ["b", "a"],
                "window_start": 0,
                "window_end": 4.5,
            }
        ],
    )
    splits, names = read_splits({"train": path})
    assert names == ("a", "b")
    assert splits["train"].mark.tolist() == [1, 0]
    assert splits["train"].window.tolist() == [[0.0, 4.5]]


def test_an_array_a_sequence(tmp_path):
    events = random_sequences([5, 9, 3], seed=2)
    path = tmp_path / "events.npz"
    np.savez(path, **{f"2019{i:02d}": rows for i, rows in enumerate(rows_of(events))})
    assert_same(read_split(path), events, marked=False)


@pytest.mark.parametrize("lengths", [[5, 9, 3], [4, 4, 4]])
def test_arrays_of_three_splits(lengths, tmp_path):
    parts = {name: random_sequences(lengths, seed=seed) for seed, name in enumerate(PARTS)}
    path = tmp_path / "events.npz"
    equal = len(set(lengths)) == 1
    held = {
        name: np.stack(rows_of(events)) if equal else objects(rows_of(events))
        for name, events in parts.items()
    }
    np.savez(path, **held)
    splits, _ = read_table_splits(path, COLUMNS)
    assert list(splits) == list(PARTS.values())
    for name, split in PARTS.items():
        assert_same(splits[split], parts[name], marked=False)
    # A file named for a split gives that split.
    named, _ = read_splits(dict.fromkeys(PARTS.values(), path))
    for split, events in splits.items():
        assert_same(named[split], events, marked=False)
    with pytest.raises(DataError, match=r"holds train, validation, test; name it as data\.path"):
        read_split(path)


@pytest.mark.parametrize("kind", ["jsonl", "arrays", "splits", "pickle", "npz"])
def test_a_catalogue_has_the_events_of_the_file(kind, tmp_path):
    events = random_sequences([5, 9, 3], seed=3)
    path = tmp_path / f"events.{'npz' if kind in ('arrays', 'splits') else kind}"
    if kind == "jsonl":
        write_lines(path, lines_of(events))
    elif kind == "arrays":
        np.savez(path, **{f"s{i}": rows for i, rows in enumerate(rows_of(events))})
    elif kind == "splits":
        np.savez(path, **{p: objects([r]) for p, r in zip(PARTS, rows_of(events), strict=True)})
    elif kind == "pickle":
        path.write_bytes(pickle.dumps([rows.tolist() for rows in rows_of(events)]))
    else:
        np.savez(path, time=events.time, location=events.location, lengths=events.lengths)
    found = read_catalogue(path, Columns(x="lon", y="lat"), location_unit="km")
    np.testing.assert_array_equal(found.time, events.time)
    np.testing.assert_array_equal(found.location, events.location)
    np.testing.assert_array_equal(found.sequence, events.sequence)
    assert found.mark_names == (("0", "1", "2") if kind == "jsonl" else ())
    assert any("split anew" in note for note in found.notes) is (kind == "splits")


def test_one_sequence_is_one_long_catalogue(tmp_path):
    path = tmp_path / "events.jsonl"
    write_lines(path, lines_of(random_sequences([30], seed=4)))
    assert read_catalogue(path, COLUMNS).sequence is None


# --- what is lacking or wrong is said -------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "jsonl", "pkl"])
def test_times_and_types_are_events_without_places(kind, tmp_path):
    events = random_sequences([5, 9, 3], seed=5)
    path = tmp_path / f"events.{kind}"
    if kind == "json":
        path.write_text(json.dumps(easytpp(events)))
    elif kind == "jsonl":
        write_lines(path, easytpp(events))
    else:
        path.write_bytes(pickle.dumps(pickled_easytpp({"dev": events})))
    assert_same(read_split(path), events.without_places(), marked=True)
    found = read_catalogue(path, COLUMNS)
    assert found.location.shape == (17, 0)
    assert found.columns.axes == ()
    assert found.mark_names == ("0", "1", "2")


def test_splits_of_an_easytpp_pickle_are_kept(tmp_path):
    parts = {name: random_sequences([5, 9], seed=i) for i, name in enumerate(("train", "dev"))}
    path = tmp_path / "events.pkl"
    path.write_bytes(pickle.dumps(pickled_easytpp(parts)))
    splits, _ = read_table_splits(path, COLUMNS)
    assert list(splits) == ["train", "validation"]
    assert_same(splits["validation"], parts["dev"].without_places(), marked=True)
    with pytest.raises(DataError, match="holds train, validation and no test; name a file a split"):
        load_data(path)


@pytest.mark.parametrize("kind", ["jsonl", "npz"])
def test_own_sequences_without_locations_have_no_places(kind, tmp_path):
    events, path = random_sequences([5, 9, 3], seed=6), tmp_path / f"events.{kind}"
    if kind == "jsonl":
        write_lines(path, [line | {"locations": None} for line in lines_of(events)])
    else:
        np.savez(path, time=events.time, mark=events.mark, lengths=events.lengths)
    assert_same(read_split(path), events.without_places(), marked=True)


def test_places_are_left_out_or_insisted_on(tmp_path):
    events, path = random_sequences([5, 9, 3], seed=6), tmp_path / "events.jsonl"
    write_lines(path, lines_of(events))
    files = {"train": path, "validation": path, "test": path}
    assert load_data(**files).n_axes == 2
    without = load_data(**files, places=False)
    assert (without.n_axes, without.location_names, without.location_unit) == (0, (), "")
    write_lines(path, [{"times": [0, 1, 3]}, {"times": [0, 2, 3]}])
    assert load_data(**files).n_axes == 0
    with pytest.raises(DataError, match=r"no places, but they are asked for \(data\.places\)"):
        load_data(**files, places=True)
    other = tmp_path / "placed.jsonl"
    write_lines(other, [line | {"marks": None} for line in lines_of(events)])
    with pytest.raises(DataError, match=r"has places and .* has none; give all or none"):
        load_data(**files | {"test": other})


def test_a_table_without_columns_of_places_is_asked_what_it_means(tmp_path):
    path = tmp_path / "events.csv"
    times = [f"{t},{s}" for s in ("train", "validation", "test") for t in (0, 1, 3, 4)]
    path.write_text("\n".join(["time,split", *times]))
    columns = {"split": "split", "sequence": None}
    with pytest.raises(DataError, match=r"no column 'x'.*--no-places \(data\.places: false\)"):
        load_data(path, columns=columns)
    for more in ({"places": False}, {"columns": columns | {"x": None, "y": None}}):
        assert load_data(path, **{"columns": columns} | more).n_axes == 0


WRONG_TYPES = {
    "beyond": ({"dim_process": 2}, "type is 2, and 'dim_process' says 2 types"),
    "no types": ({"type_event": None}, "'type_event' holds nothing"),
    "fewer": ({"type_event": [0]}, "3 times and 1 types"),
    "text": ({"type_event": [0, "a", 1]}, "event 1: type is the text 'a'"),
    "half": ({"type_event": [0, 0.5, 1]}, "event 1: mark is 0.5; marks are whole numbers"),
}


@pytest.mark.parametrize(("changed", "message"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_damaged_types_are_named(changed, message, tmp_path):
    path = tmp_path / "events.json"
    good = {"dim_process": 3, "time_since_start": [0, 1, 3], "type_event": [0, 2, 1]}
    path.write_text(json.dumps([good, good | changed]))
    with pytest.raises(DataError) as error:
        read_split(path)
    assert f"{path}, sequence 1" in str(error.value)
    assert message in str(error.value)


TWO = [[0, 0], [1, 1]]
WRONG_LINES = {
    "a list": ([1, 2], "line 1: holds a list of 2; expected an object"),
    "no times": ({"locations": TWO}, "sequence 0: no key 'times'; it has 'locations'"),
    "a number": ({"times": 3, "locations": []}, "'times' holds a number; expected a list"),
    "counts": ({"times": [1.0], "locations": TWO}, "1 times and 2 locations"),
    "text": ({"times": [1, "b"], "locations": TWO}, "event 1: time is the text 'b'"),
    "true": ({"times": [1, True], "locations": TWO}, "event 1: time is a bool"),
    "null": ({"times": [1, None], "locations": TWO}, "event 1: time is nothing (None)"),
    "huge": ({"times": [1, 10**400], "locations": TWO}, "a number beyond all floats"),
    "one coordinate": ({"times": [1, 2], "locations": [1, 2]}, "event 0: location is a number"),
    "three": ({"times": [1, 2], "locations": [[0, 0, 0]] * 2}, "location is a list of 3; expected"),
    "order": ({"times": [2, 1], "locations": TWO}, "event 1: time 1.0 comes after 2.0"),
    "marks": ({"times": [1, 2], "locations": TWO, "marks": [1]}, "2 times and 1 marks"),
    "mark": ({"times": [1, 2], "locations": TWO, "marks": [1, []]}, "event 1: mark is a list of 0"),
    "blank mark": ({"times": [1, 2], "locations": TWO, "marks": ["a", " "]}, "mark is missing"),
    "nothing": ({"times": [], "locations": []}, "no sequence has two events"),
}


@pytest.mark.parametrize(("line", "message"), WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_bad_line_is_named(line, message, tmp_path):
    path = tmp_path / "events.jsonl"
    write_lines(path, [line])
    with pytest.raises(DataError) as error:
        read_split(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


WRONG_TEXT = {
    "": "empty; give an object a sequence",
    '{"times": [NaN, 1]}': "line 1: not readable as JSON: NaN is no number",
    '{"times": [1], "times": [2]}': "the key 'times' stands here twice",
    '\n\n{"times": ': "line 3: not readable as JSON",
    "[" * 100_000: "line 1: not readable as JSON",
}


@pytest.mark.parametrize(("text", "message"), WRONG_TEXT.items(), ids=range(len(WRONG_TEXT)))
def test_text_that_is_no_json_is_named_by_its_line(text, message, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"events\.jsonl") as error:
        read_split(path)
    assert message in str(error.value)


class Hidden:
    def __reduce__(self):
        return (exec, ("raise SystemExit('run')",))


GOOD = np.column_stack([np.arange(3.0), np.zeros(3), np.ones(3)])
WRONG_SPLITS = {
    "hidden code": (objects([GOOD, Hidden()]), "refused to load builtins.exec"),
    "a list": (objects([GOOD, [1, 2]]), "(train), sequence 1: holds a list of 2"),
    "four columns": (objects([GOOD, np.zeros((3, 4))]), "is float64 of shape (3, 4); expected"),
    "text": (objects([np.array([["a", "b", "c"]])]), "is <U1 of shape (1, 3)"),
    "a number": (np.array(3.0), "holds a number"),
    "nothing": (np.zeros((0, 3)), "no events"),
    "not finite": (objects([GOOD * np.nan]), "(train), sequence 0, event 0: time is nan"),
    "order": (objects([GOOD, GOOD[::-1]]), "(train), sequence 1, event 1: time 1.0 comes after"),
}


@pytest.mark.parametrize(("train", "message"), WRONG_SPLITS.values(), ids=WRONG_SPLITS)
def test_a_bad_split_is_named_and_nothing_hidden_is_run(train, message, tmp_path):
    path = tmp_path / "events.npz"
    good = objects([GOOD, GOOD + 1])
    np.savez(path, train=train, val=good, test=good)
    with pytest.raises(DataError) as error:
        read_table_splits(path, COLUMNS)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_a_bad_sequence_is_named_as_its_array(tmp_path):
    path = tmp_path / "events.npz"
    np.savez(path, **{"20190401_000": GOOD, "20190402_000": GOOD[:, :2]})
    with pytest.raises(DataError, match=r"sequence 20190402_000: is float64 of shape \(3, 2\)"):
        read_split(path)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_truncated_file_is_refused_or_shorter(data, tmp_path_factory):
    events = random_sequences([5, 4, 6], seed=6)
    path = tmp_path_factory.mktemp("cut") / "events.jsonl"
    write_lines(path, lines_of(events))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    try:
        read = read_split(path)
    except DataError as error:
        said = str(error)
    else:
        said = str(path)
        assert read.time.tolist() == events.time[: read.n_events].tolist()
    assert said.startswith(str(path))
