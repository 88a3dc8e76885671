"""A model that starts at a fitted self-exciting process is it, and training adds to it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from smash.baselines import Hawkes, fit_hawkes
from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences
from smash.data.scaling import fit_scaler
from smash.errors import CheckpointError, SpecError
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.self_exciting_head import SelfExcitingHead
from smash.model.smash import Smash
from smash.model.training import Hooks, Trainer
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    ScalingSettings,
    SimulatorSettings,
    TrainingSettings,
)
from smash.simulate.hawkes_fit import FittedHawkes, fit_process
from smash.simulate.simulator import simulate_dataset

DATA = simulate_dataset(SimulatorSettings(sequences=(40, 20, 2), events=(20, 40)))
SETTINGS = ModelSettings(
    cond_dim=8,
    n_layers=1,
    num_units=16,
    base="self_exciting",
    location_law="history",
    mark_in_location=True,
    time_encoding="relative",
)
LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=1)


def untrained(
    train: EventSequences,
    n_marks: int = 3,
    scaling: ScalingSettings = ScalingSettings(),  # noqa: B008
    settings: ModelSettings = SETTINGS,
) -> Smash:
    torch.manual_seed(0)
    scaler = fit_scaler([train], scaling)
    return Smash.untrained(settings, LIKELIHOOD, train, scaler, n_marks).eval()


def trainer(model: Smash, folder: Path, epochs: int, hooks: Hooks | None = None) -> Trainer:
    settings = TrainingSettings(
        total_epochs=epochs, batch_size=8, learning_rate=3e-3, warmup_epochs=1, eval_every=1
    )
    train, validation = (ScaledSequences(x, model.scaler) for x in (DATA.train, DATA.validation))
    return Trainer(model, train, validation, LIKELIHOOD, settings, folder, 0, hooks)


def nats(forecaster: ModelForecaster | Hawkes, sequences: EventSequences) -> np.ndarray:
    """(3, N) nats of time, time and mark, and the event."""
    found = forecaster.log_densities(sequences)
    return -np.stack([found.time, found.time_mark, found.event])


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_untrained_it_is_the_hawkes_baseline(marked, log):
    data = DATA if marked else DATA.without_marks()
    hawkes = fit_hawkes(data.train, data.n_marks)
    model = untrained(data.train, data.n_marks, ScalingSettings(log_normalization=log))
    found, expected = (nats(f, data.validation) for f in (ModelForecaster(model), hawkes))
    # Between its points the rate is linear: of log gaps the points lie closer than it bends.
    assert np.abs(found - expected).max() < (5e-3 if log else 0.2)
    assert np.abs((found - expected).mean(1)).max() < (5e-4 if log else 5e-3)


def test_of_gaps_in_cells_it_is_the_baseline_but_for_half_a_cell():
    cell, data = 0.02, [rounded(x, 0.02) for x in (DATA.train, DATA.validation)]
    hawkes = fit_hawkes(data[0], 3)
    model = untrained(data[0], scaling=ScalingSettings(resolution=cell))
    assert model.scaler.gap_lattice
    found, expected = (nats(f, data[1])[1] for f in (ModelForecaster(model), hawkes))
    apart = (found - expected)[data[1].targets().gap > cell / 2]
    rate = 2 / data[1].targets().gap.mean()  # events come where it is high
    assert abs(apart.mean()) < rate * cell
    assert np.abs(apart).max() < 0.2


def rounded(sequences: EventSequences, cell: float) -> EventSequences:
    return replace(sequences, time=np.floor(sequences.time / cell) * cell)


def test_slopes_are_those_of_the_intensity():
    hazard = untrained(DATA.train).network.hazard.double()
    hazard.rates.decay.fill_(40.0)
    t = torch.linspace(-1.0, 1.0, 33, dtype=torch.double).repeat(2, 1).unsqueeze(-1)
    t.requires_grad_()
    excited = torch.tensor([[0.1, 2.0, 0.0], [3.0, 0.5, 1.0]], dtype=torch.double)
    intensity, slope = hazard.intensity_with_slope(t, excited)
    torch.testing.assert_close(intensity, hazard.intensity(t, excited))
    for k in range(3):
        [expected] = torch.autograd.grad(intensity[..., k].sum(), t, retain_graph=True)
        torch.testing.assert_close(slope[..., k], expected[..., 0])


def test_a_few_epochs_leave_it_as_good_where_the_process_is_true(tmp_path):
    model = untrained(DATA.train)
    start = nats(ModelForecaster(model), DATA.validation)[2]
    result = trainer(model, tmp_path, 4).fit()
    later = nats(ModelForecaster(Smash.load(result.folder)), DATA.validation)[2]
    assert later.mean() < start.mean() + 0.01


def test_training_adds_what_a_wrong_process_lacks(tmp_path):
    model = untrained(DATA.train)
    fitted = fit_process(DATA.train, 3)
    right, excitation = fitted.process, fitted.process.excitation
    weak = replace(right, excitation=0.2 * excitation[:, ::-1].copy(), spread=3 * right.spread)
    model.start_at(FittedHawkes(weak, fitted.center, fitted.scale), DATA.train)
    start = nats(ModelForecaster(model), DATA.validation)
    result = trainer(model, tmp_path, 6).fit()
    later = nats(ModelForecaster(Smash.load(result.folder)), DATA.validation)
    better = (start - later).mean(axis=1)
    assert better[1] > 0.02  # time and mark
    assert better[2] - better[1] > 0.1  # place


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole = trainer(untrained(DATA.train), tmp_path / "whole", 3)
    whole.fit()

    def stop_after_one(record, checkpoint):
        raise KeyboardInterrupt

    cut = trainer(untrained(DATA.train), tmp_path / "cut", 3, Hooks(on_epoch=stop_after_one))
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    resumed = trainer(untrained(DATA.train), tmp_path / "cut", 3)
    assert resumed.resume()
    resumed.fit()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
    assert [r.loss for r in whole.result.records] == [r.loss for r in resumed.result.records]


def test_saved_and_loaded_it_is_the_same_law(tmp_path):
    model = untrained(DATA.train)
    model.save(tmp_path / "model")
    loaded = Smash.load(tmp_path / "model")
    assert isinstance(loaded.network.location, SelfExcitingHead)
    for one, other in zip(
        *(nats(ModelForecaster(m), DATA.test) for m in (model, loaded)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time.base.rates.decay", 0.0),
        ("time.base.rates.excitation", -1.0),
        ("time.base.rates.background", 0.0),
        ("location.rates.decay", -1.0),
        ("location.spread", 0.0),
        ("location.scale", -1.0),
    ],
)
def test_weights_that_are_no_process_s_are_refused(tmp_path, name, value):
    untrained(DATA.train).save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    weights = load_file(path)
    weights["network." + name].fill_(value)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match="process"):
        Smash.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("key", "value"),
    [("law_points", 0), ("location_law", "score"), ("time_law", "mixture"), ("base", "none")],
)
def test_a_description_it_cannot_have_is_refused(tmp_path, key, value):
    untrained(DATA.train).save(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    content = json.loads(path.read_text())
    (content if key in content else content["settings"])[key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError):
        Smash.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("settings", "objective"),
    [
        (SETTINGS, ObjectiveSettings()),
        (replace(SETTINGS, location_law="mixture"), LIKELIHOOD),
        (replace(SETTINGS, time_law="mixture"), LIKELIHOOD),
    ],
)
def test_what_does_not_go_with_it_is_said(settings, objective):
    scaler = fit_scaler([DATA.train], ScalingSettings())
    with pytest.raises(SpecError, match=r"model\.base: self_exciting|location_law: history"):
        Smash.untrained(settings, objective, DATA.train, scaler, 3)
