"""The packed model: loads anywhere, forecasts what the model forecasts, refuses bad histories."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.utils.proto_json_utils import dataframe_from_parsed_json

import smash
from smash.baselines.etas import fit_etas
from smash.baselines.kept_pools import save_pool
from smash.data.events import build_sequences
from smash.data.scaling import Scaler, fit_scaler
from smash.errors import TrackingError
from smash.forecast.histories import COLUMNS, read_history
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import PartPool
from smash.law.mixed_law import PartShares
from smash.model.smash import About, Smash
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    SimulatorSettings,
)
from smash.simulate.simulator import simulate_dataset
from smash.workbench.runs.logged_model import example, pack_model, pack_pool
from smash.workbench.tracking.store import connect
from smash.workbench.tracking.tracker import MODEL

SAMPLING = SamplingSettings(sampling_steps=8, per_step=8, total_samples=20, n_samples=20)

PLAIN = About()


def make_model(n_marks, about=PLAIN):
    torch.manual_seed(0)
    scaler = Scaler(True, 1e-4, -3.0, 3.0, (0.0, 0.0), (1.0, 1.0))
    return Smash(ModelSettings(cond_dim=8, n_layers=1), n_marks, scaler, about).eval()


@pytest.fixture(scope="module", params=[1, 3], ids=["unmarked", "marked"])
def packed(request, tmp_path_factory):
    """A model and the folder it was packed in."""
    folder = tmp_path_factory.mktemp("packed")
    model = make_model(request.param)
    model.save(folder / "checkpoint")
    return model, pack_model(folder / "checkpoint", SAMPLING, folder / "model")


def history(**columns):
    events = {"sequence": [7], "time": [0.8], "x": [0.2], "y": [0.6], "mark": [0]}
    return pd.DataFrame(events | columns)


def test_a_model_without_recalibration_says_so(packed):
    loaded = mlflow.pyfunc.load_model(str(packed[1]))
    with pytest.raises(MlflowException, match="without a recalibration"):
        loaded.predict(history(), params={"recalibrated": 1})


def test_the_packed_model_forecasts_what_the_model_forecasts(packed):
    model, folder = packed
    time, location, mark = [0.8, 0.9], [[0.2, 0.6], [0.1, 0.1]], [0, 0]
    marks = np.array(mark) if model.marked else None
    sequences = build_sequences(np.array(time), np.array(location), marks, [2], "two events")
    generator = torch.Generator().manual_seed(5)
    [direct] = ModelForecaster(model, SAMPLING).forecast(sequences, 20, generator)
    loaded = mlflow.pyfunc.load_model(str(folder))
    row = loaded.predict(history(), params={"seed": 5}).iloc[0]
    assert row["sequence"] == 7
    assert row["gap_median"] == pytest.approx(np.median(direct.samples.gap[0]))
    assert row["x_mean"] == pytest.approx(direct.samples.location[0, :, 0].mean())
    if model.marked:
        probability = direct.samples.mark_probability[0]
        assert row[[f"mark_{k}" for k in range(3)]].tolist() == pytest.approx(probability.tolist())


def test_sequences_keep_their_names_and_order(packed):
    _, folder = packed
    table = pd.concat([history(sequence=[9]), history(sequence=[2]), history(sequence=[5])])
    again = table.assign(time=table["time"] + 0.5)
    summaries = mlflow.pyfunc.load_model(str(folder)).predict(pd.concat([table, again]))
    assert summaries["sequence"].tolist() == [9, 2, 5]


def test_quantiles_are_in_order(packed):
    model, folder = packed
    row = mlflow.pyfunc.load_model(str(folder)).predict(example(model, sized=False)).iloc[0]
    names = ["gap_low_90", "gap_low_50", "gap_median", "gap_high_50", "gap_high_90"]
    assert row[names].is_monotonic_increasing


def test_bad_histories_are_named(packed):
    model, folder = packed
    loaded = mlflow.pyfunc.load_model(str(folder))
    with pytest.raises(
        MlflowException, match="history, sequence 7, event 0: column 'time' is empty"
    ):
        loaded.predict(history(time=[float("nan")]))
    if model.marked:
        with pytest.raises(MlflowException, match="mark '3' is unknown"):
            loaded.predict(history(mark=[3]))


def test_requests_that_would_take_forever_are_refused(packed):
    _, folder = packed
    loaded = mlflow.pyfunc.load_model(str(folder))
    for params in REFUSED:
        with pytest.raises(MlflowException, match=next(iter(params))):
            loaded.predict(history(), params=params)
    many = pd.concat([history(sequence=[i]) for i in range(2)] * 10)
    for name, most in (("MOST_EVENTS", 19), ("MOST_SEQUENCES", 1), ("MOST_WORK", 1000)):
        code = sys.modules[type(loaded.unwrap_python_model()).__module__]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(code, name, most)
            with pytest.raises(MlflowException, match="one request"):
                loaded.predict(many)


REFUSED = (
    *({"n_samples": n} for n in (0, 1, -1, 10**8, 2**62)),
    *({"sampling_steps": n} for n in (0, -1, 10**8, 2**62)),
    {"seed": -1},
)
EXTREMES = [0.0, -1.0, 1e-300, 1e6, 1e15, 1e19, 1e30, 1e300, -1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize("what", ["time", "x", "y"])
def test_an_extreme_history_gives_numbers_or_is_refused_by_its_name(packed, what, value):
    loaded = mlflow.pyfunc.load_model(str(packed[1]))
    fine, extreme = history(sequence=[1]), history(**{what: [value]})
    try:
        answer = loaded.predict(pd.concat([fine, extreme]))
    except MlflowException as error:
        if "sequence 7" not in str(error):
            raise
        return
    assert np.isfinite(answer.to_numpy(dtype=float)).all()


def test_sequences_are_forecast_a_few_at_a_time_whatever_their_lengths(packed):
    loaded = mlflow.pyfunc.load_model(str(packed[1]))
    code = sys.modules[type(loaded.unwrap_python_model()).__module__]
    lengths = np.array([3, 3, 90, 3, 3, 3, 3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code, "MOST_PADDED", 100)
        groups = list(code._groups(lengths, replace(SAMPLING, test_batch_size=3)))
        assert groups == [[0, 1], [2], [3, 4, 5], [6]]
        patch.setattr(code, "MOST_DRAWS", 2 * SAMPLING.total_samples)
        assert max(map(len, code._groups(lengths, SAMPLING))) == 2


@pytest.mark.parametrize("sampler", ["langevin", "inverse_cdf"])
def test_computing_stops_before_the_server_gives_up(sampler, packed, tmp_path, monkeypatch):
    model, _ = packed
    model.save(tmp_path / "checkpoint")
    sampling = replace(SAMPLING, sampler=sampler)
    folder = pack_model(tmp_path / "checkpoint", sampling, tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert len(loaded.predict(history())) == 1
    monkeypatch.setenv("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "600")
    assert len(loaded.predict(history())) == 1
    code = sys.modules[type(loaded.unwrap_python_model()).__module__]
    drawing, sample_blocks = [], code.sample_blocks
    monkeypatch.setattr(code, "time", SimpleNamespace(monotonic=time.monotonic))

    def started(*arguments):
        """Draws as before, at a time beyond the deadline."""
        drawing.append(True)
        code.time.monotonic = lambda: time.monotonic() + 1e4
        yield from sample_blocks(*arguments)

    monkeypatch.setattr(code, "sample_blocks", started)
    with pytest.raises(MlflowException, match=r"longer than the 600 s .* fewer samples"):
        loaded.predict(history())
    assert drawing
    monkeypatch.setenv("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "0")
    drawing.clear()
    with pytest.raises(MlflowException, match="longer than the 0 s"):
        loaded.predict(history())
    assert not drawing


def test_timestamps_and_names_go_in_and_out(tmp_path):
    about = About(
        mark_names=("light", "strong"),
        time_unit="days",
        time_origin="2024-04-01T00:00:00+00:00",
        starts_at=None,
    )
    make_model(2, about).save(tmp_path / "checkpoint")
    folder = pack_model(tmp_path / "checkpoint", SAMPLING, tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(folder))
    events = history(time=["2024-04-03T12:00:00Z"], mark=["strong"])
    row = loaded.predict(events).iloc[0]
    gap = pd.Timestamp(row["time_median"]) - pd.Timestamp("2024-04-03T12:00:00Z")
    assert gap / pd.Timedelta(days=1) == pytest.approx(row["gap_median"], abs=1e-6)
    assert row["mark_light"] + row["mark_strong"] == pytest.approx(1, abs=1e-5)
    assert len(loaded.predict(loaded.input_example)) == 1
    with pytest.raises(MlflowException, match="'stronk' is unknown; did you mean 'strong'"):
        loaded.predict(history(time=["2024-04-03T12:00:00Z"], mark=["stronk"]))


def test_names_with_zeros_in_front_are_text_and_numbers_in_a_request_mean_them(tmp_path):
    about = About(mark_names=("001", "002", "003"))
    make_model(3, about).save(tmp_path / "checkpoint")
    folder = pack_model(tmp_path / "checkpoint", SAMPLING, tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(folder))
    schema = loaded.metadata.get_input_schema()
    assert schema.to_dict()[-1] == {"type": "string", "name": "mark", "required": True}
    answers = []
    for mark in ("002", "2", 2, "02"):
        body = {"dataframe_split": history(mark=[mark]).to_dict("split")}
        request = dataframe_from_parsed_json(body["dataframe_split"], "split", schema)
        answers.append(loaded.predict(request))
    for answer in answers[1:]:
        pd.testing.assert_frame_equal(answer, answers[0])
    with pytest.raises(MlflowException, match="mark '0' is unknown"):
        loaded.predict(history(mark=["0"]))


@pytest.mark.parametrize("packed", [3], ids=["marked"], indirect=True)
def test_events_are_sorted_by_time(packed):
    loaded = mlflow.pyfunc.load_model(str(packed[1]))
    two = pd.concat([history(), history(time=[1.5], mark=[1])])
    assert loaded.predict(two[::-1]).equals(loaded.predict(two))


def test_a_served_model_that_is_told_of_magnitudes_asks_for_them(tmp_path):
    torch.manual_seed(0)
    scaler = Scaler(
        *(True, 1e-4, -3.0, 3.0, (0.0, 0.0), (1.0, 1.0)),
        mean_gap=0.5,
        magnitude_low=2.5,
        magnitude_mean=0.4,
    )
    told = {"magnitudes": True, "recent_rates": True, "time_encoding": "relative"}
    model = Smash(ModelSettings(cond_dim=8, n_layers=1, **told), 1, scaler).eval()
    model.save(tmp_path / "checkpoint")
    loaded = mlflow.pyfunc.load_model(
        str(pack_model(tmp_path / "checkpoint", SAMPLING, tmp_path / "model"))
    )
    events = example(model, sized=True)
    assert events["magnitude"].tolist() == [3.5, 3.5]
    small, large = (
        loaded.predict(events.assign(magnitude=size)).iloc[0]["gap_median"] for size in (2.5, 7.0)
    )
    assert small != large
    with pytest.raises(MlflowException, match="magnitude"):
        loaded.predict(events.drop(columns="magnitude"))


def test_a_served_model_of_projected_places_speaks_longitude_and_latitude(tmp_path):
    about = About(location_unit="km", projection=(180.0, -20.0))
    make_model(1, about).save(tmp_path / "checkpoint")
    folder = pack_model(tmp_path / "checkpoint", SAMPLING, tmp_path / "model")
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert abs(loaded.input_example["x"]).min() > 179
    answers = [
        loaded.predict(history(x=[x], y=[-20.0]).drop(columns="mark")).iloc[0]
        for x in (-179.999, 180.001)
    ]
    assert 179.9 < abs(answers[0]["x_mean"]) <= 180  # a kilometre or so from the origin
    assert answers[0]["y_mean"] == pytest.approx(-20, abs=0.1)
    assert answers[0]["x_mean"] == pytest.approx(answers[1]["x_mean"])
    with pytest.raises(MlflowException, match="latitude is 180, beyond 90"):
        loaded.predict(history(x=[-20.0], y=[180.0]).drop(columns="mark"))


@pytest.mark.parametrize("packed", [3], ids=["marked"], indirect=True)
def test_it_loads_where_there_is_no_checkout(packed, tmp_path):
    _, folder = packed
    program = (
        "import sys, mlflow.pyfunc\n"
        "loaded = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "print(loaded.predict(loaded.input_example)['gap_median'][0])\n"
        "assert sys.modules['smash'].__file__.startswith(sys.argv[1])\n"
    )
    environment = {**os.environ, "DO_NOT_TRACK": "true"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


@pytest.mark.parametrize("earlier", [True, False], ids=["among the artifacts", "of its own"])
def test_a_run_gives_its_model_back(packed, uri, tmp_path, monkeypatch, earlier):
    model, folder = packed
    with connect("packed", uri, tmp_path).start("run", system_metrics=False) as run:
        if earlier:
            run.log_artifact(folder)
        else:
            run.log_model(folder, MODEL, "smash", {})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.run_id}/{MODEL}")
    assert loaded.metadata.signature.inputs.input_names()[:4] == ["sequence", "time", "x", "y"]
    assert len(loaded.predict(example(model, sized=False))) == 1
    name = f"smash-{model.n_marks}-{earlier}"
    registered = mlflow.register_model(f"runs:/{run.run_id}/{MODEL}", name)
    again = mlflow.pyfunc.load_model(f"models:/{name}/{registered.version}")
    assert len(again.predict(example(model, sized=False))) == 1
    for address in (f"runs:/{run.run_id}/{MODEL}", f"models:/{name}/{registered.version}"):
        assert smash.load(smash.workbench.load(address)).forecaster.n_marks == model.n_marks
    with pytest.raises(TrackingError, match="no model models:/nothing/1"):
        smash.workbench.load("models:/nothing/1")


def test_a_pool_with_etas_is_served_by_magnitudes(tmp_path):
    events = simulate_dataset(SimulatorSettings(sequences=(12, 4, 4), events=(15, 30))).train
    numbers = np.random.default_rng(0)
    train = replace(events, magnitude=1 + numbers.exponential(0.4, events.n_events))
    scaler = fit_scaler([train], ScalingSettings())
    sizes = ModelSettings(cond_dim=8, num_units=8, n_layers=0, location_law="history")
    model = Smash.untrained(sizes, ObjectiveSettings(kind="likelihood"), train, scaler, 3)
    members = {"model": ModelForecaster(model.eval()), "etas": fit_etas(train, 3)}
    shares = PartShares((0.5, 0.5), (1.0, 0.0), (0.0, 1.0))
    save_pool(tuple(members), PartPool(tuple(members.values()), shares), tmp_path / "pool")
    loaded = mlflow.pyfunc.load_model(
        str(pack_pool(tmp_path / "pool", SAMPLING, tmp_path / "packed"))
    )
    with pytest.raises(MlflowException, match="magnitude"):
        loaded.predict(history())
    row = loaded.predict(history(magnitude=[2.5]), params={"seed": 5, "n_samples": 50}).iloc[0]
    columns = replace(COLUMNS, magnitude="magnitude")
    known = read_history(history(magnitude=[2.5]), model.about, 3, columns=columns).events
    law = smash.load(tmp_path / "pool").forecaster.law_after(known)
    drawn = law.sample(50, torch.Generator().manual_seed(5))
    assert row["gap_median"] == pytest.approx(np.median(drawn.gap))
    assert row["y_mean"] == pytest.approx(drawn.location[0, :, 1].mean())
