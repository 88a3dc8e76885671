"""Data sets by name come from the user's folder or a checked download, and say which."""

import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest

from smash.catalogue import downloads
from smash.catalogue.datasets import load_dataset
from smash.catalogue.downloads import PUBLISHED
from smash.errors import DataError
from smash.settings import Columns, DataSettings, SimulatorSettings

SMALL = SimulatorSettings(sequences=(6, 3, 3), events=(5, 8))
FOLDER = os.environ.get("SMASH_DATA", "")
needs_data = pytest.mark.skipif(
    not (Path(FOLDER) / "crime").is_dir(),
    reason="SMASH_DATA names no folder with the published data sets",
)

# Sequences and events of train, validation and test, and the number of marks.
COUNTS = {
    "earthquake": ((1200, 150, 150), (88064, 15094, 11252), 3),
    "crime": ((250, 31, 32), (35381, 2963, 3680), 4),
    "football": ((98, 12, 13), (67408, 8121, 8716), 7),
}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, no data folder, and no network: every download fails."""

    def unreachable(self, url, output_file, pooch, check_only=False):
        raise ConnectionError("no route to host")

    monkeypatch.delenv("SMASH_DATA", raising=False)
    monkeypatch.setenv("SMASH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", unreachable)
    return tmp_path / "cache"


def write_crime(root: Path, folder: str = "crime", end: float = 100.0) -> Path:
    """Writes three small splits where the crime data are looked for."""
    generator = np.random.default_rng(0)
    (root / folder).mkdir(parents=True)
    for word in ("train", "val", "test"):
        time = np.sort(generator.uniform(0, end, (3, 5)), axis=1)
        events = np.concatenate(
            [
                time[..., None],
                generator.integers(0, 2, (3, 5, 1)),
                generator.normal(size=(3, 5, 2)),
            ],
            axis=2,
        )
        (root / folder / f"data_{word}.pkl").write_bytes(pickle.dumps(events.tolist()))
    return root


@pytest.mark.parametrize("name", COUNTS)
def test_without_network_both_ways_out_are_named(name, cache):
    with pytest.raises(DataError) as error:
        load_dataset(DataSettings(name=name))
    message = str(error.value)
    assert "set SMASH_DATA to a folder" in message
    assert "network" in message
    assert "no route to host" in message
    assert PUBLISHED[name].folder in message


def test_a_download_is_checked_and_used(cache, monkeypatch, tmp_path):
    source = write_crime(tmp_path / "served") / "crime"
    sums = tuple(pooch.file_hash(source / f"data_{w}.pkl") for w in ("train", "val", "test"))

    def serve(self, url, output_file, pooch, check_only=False):
        assert url.startswith(downloads.BASE_URL)
        shutil.copyfile(source / Path(url).name, output_file)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", serve)
    files = downloads.find_files("crime", replace(PUBLISHED["crime"], sha256=sums))
    assert all(path.is_relative_to(cache) for path in files.paths.values())
    assert files.warnings == ()
    # Damaged on the way: refused, whatever it holds.
    wrong = replace(PUBLISHED["crime"], sha256=("0" * 64, *sums[1:]))
    with pytest.raises(DataError, match="download failed"):
        downloads.find_files("crime", wrong)


@pytest.mark.parametrize("folder", ["crime", "Crime"])
def test_altered_files_are_used_with_a_warning(folder, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("SMASH_DATA", str(write_crime(tmp_path / "data", folder)))
    dataset = load_dataset(DataSettings(name="CRIME"))
    assert not dataset.published
    assert len(dataset.warnings) == 3
    assert all("differs from the published file" in warning for warning in dataset.warnings)
    np.testing.assert_array_equal(dataset.train.window, [[0, 168]] * 3)


def test_altered_files_may_go_on_after_the_published_window(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("SMASH_DATA", str(write_crime(tmp_path / "data", end=1000.0)))
    window = load_dataset(DataSettings(name="crime")).train.window
    assert window[:, 1].max() > 168


def test_a_file_missing_from_the_folder_is_named(cache, tmp_path, monkeypatch):
    root = write_crime(tmp_path / "data")
    (root / "crime" / "data_val.pkl").unlink()
    monkeypatch.setenv("SMASH_DATA", str(root))
    with pytest.raises(DataError, match=r"data_val\.pkl: no such file"):
        load_dataset(DataSettings(name="crime"))


@needs_data
@pytest.mark.parametrize("name", COUNTS)
def test_the_published_data_are_what_they_are(name):
    dataset = load_dataset(DataSettings(name=name.title()))
    sequences, events, n_marks = COUNTS[name]
    assert dataset.published
    assert dataset.warnings == ()
    assert tuple(len(split) for _, split in dataset.splits()) == sequences
    assert tuple(split.n_events for _, split in dataset.splits()) == events
    assert dataset.n_marks == n_marks
    unmarked = load_dataset(DataSettings(name=name, marked=False))
    assert not unmarked.marked
    assert unmarked.n_marks == 1


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(DataError, match="did you mean 'football'"):
        load_dataset(DataSettings(name="fotball"))


# --- simulated ---------------------------------------------------------------------------------


def test_simulated_data_depend_on_their_seed_alone():
    settings = DataSettings(simulator=SMALL)
    first, again = load_dataset(settings), load_dataset(settings)
    other = load_dataset(DataSettings(simulator=replace(SMALL, seed=1)))
    assert first.digest == again.digest != other.digest
    assert not load_dataset(replace(settings, marked=False)).marked


# --- own files ---------------------------------------------------------------------------------


def write_splits(folder: Path, rows: dict[str, str]) -> dict[str, str]:
    paths = {split: str(folder / f"{split}.csv") for split in rows}
    for split, text in rows.items():
        Path(paths[split]).write_text("time,x,y,kind\n" + text)
    return paths


ROWS = {
    "train": "0,1,2,b\n1,2,1,a\n3,3,3,b\n",
    "validation": "0,1,2,a\n1,2,1,a\n",
    "test": "0,1,2,c\n1,2,1,b\n",
}


def test_own_files_keep_their_marks_names_and_units(tmp_path):
    paths = write_splits(tmp_path, ROWS)
    settings = DataSettings(**paths, columns=Columns(mark="kind"), time_unit="hours")
    dataset = load_dataset(settings)
    assert dataset.name == tmp_path.name
    assert dataset.mark_names == ("a", "b", "c")
    assert dataset.n_marks == 3
    assert dataset.time_unit == "hours"
    assert list(dataset.test.mark) == [2, 1]
    assert load_dataset(replace(settings, name="mine")).name == "mine"


def test_dropped_sequences_are_said_out_loud(tmp_path):
    rows = {split: "0,1,1,m\n1,2,2,m\n3,3,3,m\n0,9,9,lonely\n" for split in ROWS}
    dataset = load_dataset(
        DataSettings(**write_splits(tmp_path, rows), columns=Columns(sequence="kind"))
    )
    assert any("train" in w and "fewer than two events" in w for w in dataset.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": None}, "data.test not set, but data.train is"),
        ({"path": "all.csv"}, "data.path and data.train are both set"),
        ({"marked": True}, "columns.mark"),
        ({"test": "absent.csv"}, "absent.csv: no such file"),
        ({"train": "train.xyz"}, "train.xyz: no such file"),
    ],
)
def test_incomplete_settings_are_named_by_key(change, message, tmp_path):
    paths = write_splits(tmp_path, ROWS)
    with pytest.raises(DataError, match=message):
        load_dataset(replace(DataSettings(**paths), **change))


def test_training_data_must_vary(tmp_path):
    paths = write_splits(tmp_path, ROWS | {"train": "0,1,2,b\n1,1,1,a\n3,1,3,b\n"})
    with pytest.raises(DataError, match=r"train\.csv: the first coordinate is 1"):
        load_dataset(DataSettings(**paths))


def test_reading_data_needs_neither_torch_nor_the_downloader():
    code = "import sys, smash.data; sys.exit(bool({'torch', 'pooch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
