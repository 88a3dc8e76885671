"""What is opened at all, and JSON that says one thing."""

import os
from pathlib import Path

import pytest

from smash.data.readers import read_split
from smash.errors import CheckpointError, DataError, SpecError
from smash.model.smash import Smash
from smash.untrusted_files import read_json, read_text, regular_size
from smash.workbench.specs.experiment_spec import load_spec

IN_PLACE = {
    "pipe": (lambda path: os.mkfifo(path), "is a pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "loop": (lambda path: path.symlink_to(path.name), "cannot be opened"),
    "nothing": (lambda path: None, "no such file"),
    "link to nothing": (lambda path: path.symlink_to("/nowhere"), "no such file"),
}


@pytest.mark.parametrize("kind", IN_PLACE)
@pytest.mark.parametrize("name", ["e.csv", "e.parquet", "e.npz", "e.pkl", "spec.yaml", "model"])
def test_what_is_no_file_is_refused_before_it_is_opened(kind, name, tmp_path):
    make, message = IN_PLACE[kind]
    path = tmp_path / name
    read, expected = {
        "spec.yaml": (load_spec, SpecError),
        "model": (Smash.load, CheckpointError),
    }.get(name, (read_split, DataError))
    if name == "model":
        path.mkdir()
        make(path / "model.json")
    else:
        make(path)
    with pytest.raises(expected, match=message) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_path_that_is_none_is_refused():
    with pytest.raises(DataError, match="cannot be opened"):
        regular_size("a\0b", DataError)


JSON = {
    "key twice": ('{"a": {"b": 1, "b": 2}}', "'b' stands here twice"),
    "NaN": ('{"a": NaN}', "NaN is no number"),
    "infinite": ('{"a": -Infinity}', "Infinity is no number"),
    "beyond floats": ('{"a": 1e999}', "1e999 is beyond all floats"),
    "deep": ("[" * 100_000, "not readable as JSON"),
    "long number": ("9" * 10_000, "not readable as JSON"),
    "not text": (b"\xff\xfe{", "not text in UTF-8"),
    "nothing": ("", "not readable as JSON"),
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_says_two_things_or_none_is_refused(name, tmp_path):
    content, message = JSON[name]
    path = tmp_path / "a.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CheckpointError, match=message):
        read_json(path)


def test_a_text_is_no_longer_than_its_kind(tmp_path):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk, and would take all memory
    with pytest.raises(DataError, match="has 1099511627776 bytes"):
        read_text(path, DataError)


def test_what_the_system_makes_up_while_it_is_read_is_empty():
    assert read_text(Path("/proc/self/status"), DataError) == ""
