"""Data in a line of Python: as a spec's `data` section gives them, unknown keys refused."""

import pytest

import smash
from smash.catalogue.datasets import load_dataset
from smash.errors import DataError, SpecError
from smash.settings import Columns, DataSettings, SimulatorSettings

SMALL = {"sequences": (4, 2, 2), "events": (5, 9)}


def table(path):
    rows = [
        f"{s},{t * t + s / 9},{t % 3},{(s + t) % 4},{('train', 'validation', 'test')[s % 3]}"
        for s in range(9)
        for t in range(1, 6)
    ]
    path.write_text("\n".join(["day,time,lon,lat,part", *rows]) + "\n")
    return path


def test_a_named_set_is_that_of_its_settings():
    found = smash.load_data("Simulated", simulator=SMALL, marked=False)
    settings = DataSettings(simulator=SimulatorSettings(**SMALL), marked=False)
    assert found.digest == load_dataset(settings).digest
    assert smash.load_data(name="simulated", simulator=SMALL, marked=False).digest == found.digest


def test_a_file_is_that_of_its_settings_by_whatever_way_it_is_named(tmp_path):
    path = table(tmp_path / "mine.csv")
    names = {"x": "lon", "y": "lat", "sequence": "day", "split": "part"}
    known = {"columns": names, "time_unit": "hours", "location_unit": "km"}
    expected = load_dataset(DataSettings(path=str(path), **known | {"columns": Columns(**names)}))
    for source in (path, str(path)):
        assert smash.load_data(source, **known).digest == expected.digest
    assert smash.load_data(path=path, **known).digest == expected.digest
    split = dict.fromkeys(("train", "validation", "test"), path)
    with_each = smash.load_data(**split, **known | {"columns": names | {"split": None}})
    assert len(with_each.train) == 9


def test_what_is_unknown_is_refused_with_what_is_meant(tmp_path):
    with pytest.raises(DataError, match="did you mean 'football'"):
        smash.load_data("footbal")
    with pytest.raises(DataError, match="one of earthquake"):
        smash.load_data()
    with pytest.raises(DataError, match=r"mine\.csv"):
        smash.load_data(tmp_path / "mine.csv")
    with pytest.raises(SpecError, match="did you mean time_unit"):
        smash.load_data("simulated", time_units="days")
    with pytest.raises(SpecError, match=r"columns\.split_by.*split"):
        smash.load_data(table(tmp_path / "mine.csv"), columns={"split_by": "part"})
