"""`smash data resplit`: what is written is what was dealt, as a spec that runs as it is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from smash.catalogue import load_dataset
from smash.data.resplitting import resplit
from smash.settings import DataSettings
from smash.workbench.cli.data import app
from smash.workbench.specs.experiment_spec import load_spec


def invoke(*arguments):
    return CliRunner().invoke(app, ["resplit", *map(str, arguments)])


def test_the_spec_reads_what_was_dealt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("simulated", "--seed", 3, "--out", "anew")
    assert done.exit_code == 0, done.output
    assert "dealt anew with seed 3" in " ".join(done.output.split())
    spec = load_spec(Path("anew/spec.yaml"))
    read = load_dataset(spec.data)
    wanted = resplit(load_dataset(DataSettings(name="simulated")), 3)
    assert read.digest == wanted.digest
    assert (read.name, read.time_unit, read.mark_names) == ("anew", "days", wanted.mark_names)
    assert read.rows == wanted.rows
    assert "anew with seed 3" in Path("anew/spec.yaml").read_text()
    again = invoke("simulated", "--seed", 4, "--out", "anew")
    assert again.exit_code == 0
    assert load_dataset(spec.data).digest != wanted.digest


def test_a_spec_of_own_data_is_dealt_anew_with_its_words_and_plane(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("quakes.csv").write_text(
        "when,lon,lat,kind\n"
        + "".join(
            f"2024-{1 + i // 28:02d}-{1 + i % 28:02d} 0{i % 9}:30,{140 + i % 7},{30 + i % 5},"
            f"{'slip' if i % 3 else 'thrust'}\n"
            for i in range(200)
        )
    )
    named = ["--time", "when", "--x", "lon", "--y", "lat", "--mark", "kind", "--project"]
    first = ["check", "quakes.csv", *named, "--window", "10d", "--out", "own"]
    checked = CliRunner().invoke(app, first)
    assert checked.exit_code == 0, checked.output
    done = invoke("own/spec.yaml", "--out", "anew")
    assert done.exit_code == 0, done.output
    before, after = (load_dataset(load_spec(f"{name}/spec.yaml").data) for name in ("own", "anew"))
    assert after.digest == resplit(before, 0).digest
    for what in ("mark_names", "time_origin", "geography", "columns"):
        assert getattr(after, what) == getattr(before, what), what
    assert after.location_unit == "km"


def test_events_without_places_stay_without(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text("data: {name: simulated, places: false}\n")
    assert invoke("own.yaml", "--out", "anew").exit_code == 0
    assert load_dataset(load_spec("anew/spec.yaml").data).n_axes == 0


@pytest.mark.parametrize("named", ["nothing", "missing.yaml"])
def test_what_is_no_data_set_is_said_in_a_line(named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(named, "--out", "anew")
    assert done.exit_code == 2
    assert done.output.startswith("error:")
    assert named in done.output
    assert not Path("anew").exists()


def test_a_spec_that_was_changed_is_not_lost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("simulated", "--out", "anew").exit_code == 0
    spec = Path("anew/spec.yaml")
    spec.write_text(spec.read_text() + "seed: 7\n")
    done = invoke("simulated", "--out", "anew", "--seed", 1)
    assert done.exit_code == 2
    assert "changed since" in " ".join(done.output.split())
    assert spec.read_text().endswith("seed: 7\n")
