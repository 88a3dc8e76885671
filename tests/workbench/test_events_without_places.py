"""Events of time and mark alone, from file to served model: nothing is said of places."""

import json
import re

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_runs import TINY, Outcome, Workshop
from typer.testing import CliRunner

import smash
from smash.data.clock import Clock
from smash.data.readers import OwnSplits
from smash.data.writing import write_events
from smash.errors import ForecastError
from smash.settings import SimulatorSettings
from smash.simulate.simulator import simulate_dataset
from smash.workbench.cli.app import app
from smash.workbench.report.production import make_report
from smash.workbench.runs.samples_file import read_samples

DATA = simulate_dataset(SimulatorSettings(sequences=(8, 4, 4), events=(6, 9))).without_places()
FUTURES = ("--set", "futures_horizon=1", "--set", "futures_paths=10")
OF_PLACES = re.compile(r"location|place|region|energy_joint|unmarked")
HISTORY = pd.DataFrame({"time": [0.4, 1.1, 1.2], "mark": ["0", "2", "0"]})


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Workshop:
    """A folder with a spec of data in EasyTPP's layout."""
    folder = tmp_path_factory.mktemp("no-places")
    files = {}
    for split, events in DATA.splits():
        files[split] = str(folder / f"{split}.json")
        own = OwnSplits({split: events}, DATA.mark_names, Clock("days", ""))
        write_events(folder / f"{split}.json", own)
    spec = TINY | {
        "name": "timed",
        "data": {"name": "timed", "time_unit": "days", **files},
        "objective": {"kind": "likelihood", "law_points": 32},
        "sampling": {"sampler": "inverse_cdf", "total_samples": 10, "n_samples": 5},
        "baselines": ["climatology", "markov", "poisson", "hawkes"],
    }
    (folder / "timed.yaml").write_text(yaml.safe_dump(spec))
    return Workshop.at(folder)


@pytest.fixture(scope="module")
def timed(shop) -> Outcome:
    return shop.run("timed.yaml", *FUTURES, "--set", "validation_samples=5", draw=True)


@pytest.fixture(scope="module")
def checkpoint(shop, timed) -> str:
    return str(shop.artifact(timed.run_id, "checkpoints/best"))


def test_easytpps_files_hold_what_was_simulated(shop):
    first = json.loads((shop.folder / "train.json").read_text())[0]
    assert first["dim_process"] == 3
    assert first["seq_len"] == len(first["time_since_start"]) == len(first["type_event"])
    np.testing.assert_allclose(
        np.cumsum(first["time_since_last_event"]) + first["time_since_start"][0],
        first["time_since_start"],
    )
    files = {split: shop.folder / f"{split}.json" for split, _ in DATA.splits()}
    read = smash.load_data(**files)
    for (_, own), (_, written) in zip(read.splits(), DATA.splits(), strict=True):
        np.testing.assert_array_equal(own.time, written.time)
        np.testing.assert_array_equal(own.mark, written.mark)


def test_scores_are_of_time_and_mark(shop, timed):
    figures = {"rmse_time", "crps_time", "accuracy", "cs_time", "mark_log_loss", "time_log_loss"}
    assert figures | {"event_log_loss", "crps_time_law"} <= timed.test_metrics.keys()
    parts = (timed.test_metrics[f"{part}_log_loss"] for part in ("time", "mark_given_time"))
    assert timed.test_metrics["event_log_loss"] == pytest.approx(sum(parts))
    over_horizon = {"time_error_1", "mark_error_1", "transport_distance", "tmap"}
    assert {f"futures/{name}" for name in over_horizon} <= timed.metrics.keys()
    # The name of the location's part of a loss stays, and is 0.
    assert timed.metrics["train/loss_location"] == 0
    said = {name for name in timed.metrics if OF_PLACES.search(name)}
    assert said <= {"train/loss_location", "validation/loss_location"}
    table = shop.scores(timed.run_id)
    assert not [name for name in table if OF_PLACES.search(name) or name in ("x", "y")]
    assert not [name for name in timed.tags if name.startswith("data/location")]
    targets, samples = read_samples(shop.artifact(timed.run_id, "samples/samples.parquet"))
    assert targets.location.shape == (len(targets), 0)
    assert samples.location.shape == (len(targets), 10, 0)


def test_the_report_has_no_part_on_places(shop, timed, tmp_path):
    uri = f"sqlite:///{shop.folder / 'mlflow.db'}"
    make_report(run_ids=[timed.run_id], out=tmp_path, uri=uri)
    page = (tmp_path / "report.html").read_text()
    # But for pictures, the spec, whose keys are those of all specs, and where runs took place.
    page = re.sub(r"<svg.*?</svg>|<style.*?</style>|<pre.*?</pre>|took place", "", page, flags=re.S)
    text = re.sub(r"<[^>]+>", " ", page)
    assert "RMSE time" in text
    assert "transport distance" in text
    said = re.findall(r"[^.]*\b(?:locations?|places?|regions?)\b[^.]*", text)
    assert not said, said


def test_futures_are_forecast_written_and_drawn(shop, checkpoint, tmp_path):
    history, out = tmp_path / "history.csv", tmp_path / "futures.csv"
    HISTORY.to_csv(history, index=False)
    more = ("--horizon", "2", "--paths", "20")
    files = ("--out", str(out), "--plot", str(tmp_path / "futures.png"))
    done = CliRunner().invoke(app, ["forecast", checkpoint, str(history), *more, *files])
    assert done.exit_code == 0, done.output
    assert "events within 2 days" in done.output
    assert "None" not in done.output
    assert list(pd.read_csv(out)) == ["path", "time", "mark"]
    assert (tmp_path / "futures.png").stat().st_size > 0
    for flag in ("--intensity", "--geojson"):
        named = [flag, str(tmp_path / "map.png")]
        refused = CliRunner().invoke(app, ["forecast", checkpoint, str(history), *more, *named])
        assert refused.exit_code == 2
        assert f"error: {flag}: is of places" in refused.output


def test_python_says_that_there_are_no_places(checkpoint):
    forecaster = smash.load(checkpoint)
    event = forecaster.next(HISTORY, n_samples=20)
    assert event.median.location is None
    assert event.regions == {}
    assert list(event.samples) == ["time", "gap", "mark"]
    futures = forecaster.simulate(HISTORY, horizon=1.0, n_paths=5)
    for asked in (event.geojson, futures.rate_map, lambda: forecaster.intensity(HISTORY, [2.0])):
        with pytest.raises(ForecastError, match="these events have none"):
            asked()


def test_the_logged_model_answers_without_places(shop, timed):
    model = mlflow.pyfunc.load_model(str(shop.model(timed.run_id)))
    asked = [column.name for column in model.metadata.signature.inputs.inputs]
    assert asked == ["sequence", "time", "mark"]
    events = HISTORY.assign(sequence=1, mark=HISTORY["mark"].astype(int))[asked]
    answer = model.predict(events)
    assert not {"x_mean", "y_mean"} & set(answer)
    assert answer[["mark_0", "mark_1", "mark_2"]].to_numpy().sum() == pytest.approx(1)


def test_places_of_any_data_are_left_out(shop):
    """The published way of training and sampling, and the oracle, of simulated data."""
    run = shop.run("tiny.yaml", "--set", "places=false", "--set", "baselines=[oracle]")
    assert run.test_metrics["rmse_time"] > 0
    assert not [name for name in run.test_metrics if OF_PLACES.search(name)]


REFUSED = {
    "walk": ("baselines=[walk]", "walk is a law of places, and these events have none"),
    "etas": ("baselines=[etas]", "etas is a law of places"),
    "mirroring": ("training.variation.mirroring.axes=both", "turns places around"),
    "places": ("places=true", "has no places, but they are asked for (data.places)"),
}


@pytest.mark.parametrize(("setting", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_of_places_is_refused(shop, setting, message):
    done = shop.invoke("timed.yaml", "--set", setting)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_own_tables_are_checked_without_places(tmp_path):
    table, out = tmp_path / "events.csv", tmp_path / "out"
    events = DATA.train
    columns = {"time": events.time, "kind": events.mark, "visit": events.sequence}
    pd.DataFrame(columns).to_csv(table, index=False)
    arguments = ("data", "check", str(table), "--out", str(out), "--sequence", "visit")
    asked = CliRunner().invoke(app, [*arguments, "--mark", "kind"])
    assert asked.exit_code == 2
    assert "no column 'x'" in asked.output
    assert "--no-places" in asked.output
    region = CliRunner().invoke(app, [*arguments, "--no-places", "--location-unit", "km"])
    assert region.exit_code == 2
    assert "--location-unit: is of places" in region.output
    done = CliRunner().invoke(app, [*arguments, "--mark", "kind", "--no-places"])
    assert done.exit_code == 0, done.output
    spec = yaml.safe_load((out / "spec.yaml").read_text())
    assert spec["data"]["places"] is False
    assert "sigma_loc" not in spec["model"]
    assert {"x", "y"} & set(pd.read_parquet(out / "events.parquet")) == set()


def test_it_is_converted_there_and_back(shop, tmp_path):
    source = shop.folder / "train.json"
    path = source
    for name, more in (
        ("events.csv", ()),
        ("events.npz", ("--no-places", "--sequence", "sequence", "--mark", "mark")),
        ("events.jsonl", ()),
        ("events.json", ()),
    ):
        out = tmp_path / name
        done = CliRunner().invoke(app, ["data", "convert", str(path), str(out), *more])
        assert done.exit_code == 0, done.output
        path = out
    assert json.loads(path.read_text()) == json.loads(source.read_text())


def test_places_are_not_lost_without_a_word(tmp_path):
    placed = simulate_dataset(SimulatorSettings(sequences=(2, 2, 2), events=(4, 6)))
    source, out = tmp_path / "events.jsonl", tmp_path / "events.json"
    write_events(source, OwnSplits({"train": placed.train}, placed.mark_names, Clock("days", "")))
    done = CliRunner().invoke(app, ["data", "convert", str(source), str(out)])
    assert done.exit_code == 2
    assert "leave them out (--no-places)" in " ".join(done.output.split())
    assert not out.exists()
    done = CliRunner().invoke(app, ["data", "convert", str(source), str(out), "--no-places"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(out.read_text())) == 2
