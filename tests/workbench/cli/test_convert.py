"""`smash data convert`: what is written is read back as it was; nothing of the user's is lost."""

import json
from dataclasses import replace

import numpy as np
import pytest
from synthetic import random_sequences
from typer.testing import CliRunner

from smash.data.clock import Clock
from smash.data.readers import OwnSplits, read_splits, read_table_splits
from smash.data.windows import WINDOW_COLUMNS
from smash.data.writing import write_events
from smash.errors import OutputError
from smash.workbench.cli.data import app

COLUMNS = replace(WINDOW_COLUMNS, magnitude=None, history=None)
KINDS = ("csv", "parquet", "npz", "jsonl")


def invoke(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def own(seeds=(1,), names=("0", "1", "2"), origin="") -> OwnSplits:
    splits = dict(zip(("train", "validation", "test"), seeds, strict=False))
    events = {split: random_sequences([5, 9, 3], seed=seed) for split, seed in splits.items()}
    return OwnSplits(events, names, Clock("hours" if origin else "time units", origin))


def assert_same(read, written) -> None:
    for name in ("location", "mark", "offsets"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    for name in ("time", "window"):
        np.testing.assert_allclose(getattr(read, name), getattr(written, name), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [("0", "1", "2"), ("a", "b", "c")])
def test_what_is_written_is_read(kind, names, tmp_path):
    path, data = tmp_path / f"events.{kind}", own(names=names)
    write_events(path, data)
    columns = COLUMNS
    splits, found = read_splits({"train": path}, columns)
    assert found == (("0", "1", "2") if kind == "jsonl" else names)
    assert_same(splits["train"], data.events["train"])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_keeps_splits_apart(kind, tmp_path):
    path, data = tmp_path / f"events.{kind}", own(seeds=(1, 2, 3))
    write_events(path, data)
    splits, _ = read_table_splits(path, COLUMNS)
    for split, events in data.events.items():
        assert_same(splits[split], events)


@pytest.mark.parametrize("kind", ["npz", "jsonl"])
def test_several_splits_do_not_fit_into_sequences(kind, tmp_path):
    with pytest.raises(OutputError, match="there are train, validation, test; choose one"):
        write_events(tmp_path / f"events.{kind}", own(seeds=(1, 2, 3)))
    assert not list(tmp_path.iterdir())


def test_every_kind_becomes_every_other(tmp_path):
    """Around through all kinds, the events are as they were."""
    first = tmp_path / "0.jsonl"
    write_events(first, own())
    columns = ("--mark", "mark", "--sequence", "sequence")
    path = first
    for step, kind in enumerate(("csv", "npz", "parquet", "jsonl"), start=1):
        out = tmp_path / f"{step}.{kind}"
        done = invoke(path, out, *(columns if path.suffix in (".csv", ".parquet") else ()))
        assert done.exit_code == 0, done.output
        assert "17 events of 3 sequences" in done.output
        path = out
    names = ("times", "locations", "marks")
    read = [
        [[json.loads(line)[name] for name in names] for line in each.read_text().splitlines()]
        for each in (first, path)
    ]
    assert read[0] == read[1]


def test_timestamps_stay_in_tables_and_are_said_elsewhere(tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("time,x,y\n2024-01-01T06:00:00Z,0,1\n2024-01-02T07:30:00Z,2,3\n")
    assert invoke(table, tmp_path / "out.csv").exit_code == 0
    assert "2024-01-02 07:30:00+00:00" in (tmp_path / "out.csv").read_text()
    done = invoke(table, tmp_path / "out.jsonl")
    assert "times are days since 2024-01-01T00:00:00+00:00" in done.output


def test_one_split_is_chosen(tmp_path):
    table = tmp_path / "in.parquet"
    write_events(table, own(seeds=(1, 2, 3)))
    flags = ("--mark", "mark", "--sequence", "sequence", "--split", "split")
    done = invoke(table, tmp_path / "out.npz", *flags, "--only", "validation")
    assert done.exit_code == 0, done.output
    splits, _ = read_splits({"only": tmp_path / "out.npz"})
    np.testing.assert_array_equal(splits["only"].time, own((1, 2)).events["validation"].time)
    done = invoke(table, tmp_path / "out.npz", *flags, "--only", "vaidation")
    assert done.exit_code == 2
    assert "has train, validation, test" in done.output


def test_nothing_is_destroyed(tmp_path):
    source = tmp_path / "in.jsonl"
    write_events(source, own())
    before = source.read_bytes()
    (tmp_path / "folder.npz").mkdir()
    for out, message in {
        source: "is read as well",
        tmp_path / "folder.npz": "a folder",
        tmp_path / "out.xlsx": "name a file that ends in .csv, .parquet, .npz, .jsonl",
        source / "below.csv": "is a file, not a folder",
    }.items():
        done = invoke(source, out)
        assert done.exit_code == 2, out
        assert message in done.output
    kept = tmp_path / "kept.npz"
    kept.write_text("old")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{")
    assert invoke(bad, kept).exit_code == 2
    assert kept.read_text() == "old"
    assert source.read_bytes() == before
