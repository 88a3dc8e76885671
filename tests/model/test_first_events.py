"""The law of a first event: of the waits, places and marks there were, kept with the model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import kstest

from smash.data.events import EventSequences, build_sequences
from smash.data.scaling import fit_scaler
from smash.errors import CheckpointError, ForecastError
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.first_events import FirstEvents, waits
from smash.model.smash import WEIGHTS, Smash
from smash.settings import ModelSettings, ObjectiveSettings, ScalingSettings


def poisson(rate: float, n: int, end: float, late: float = 0.0) -> EventSequences:
    """Sequences of a Poisson process from `late` on, in windows from 0 to `end`."""
    numbers = np.random.default_rng(1)
    times = [late + np.cumsum(numbers.exponential(1 / rate, int(4 * rate * end))) for _ in range(n)]
    times = [time[time < end] for time in times]
    lengths = [len(time) for time in times]
    place = numbers.normal(2.0, 0.5, size=(sum(lengths), 2))
    mark = (numbers.random(sum(lengths)) < 0.25).astype(np.int64)
    window = np.tile([0.0, end], (n, 1))
    return build_sequences(np.concatenate(times), place, mark, lengths, "poisson", window)


def law_of(train: EventSequences, n_marks: int = 2):
    first = FirstEvents()
    first.fit(train, n_marks)
    return first.law(2)


def test_first_events_wait_as_they_did():
    law = law_of(poisson(2.0, 400, 8.0))
    gap = -np.log(1 - np.linspace(0.01, 0.99, 99)) / 2.0
    np.testing.assert_allclose(
        law.cdf(np.stack([gap, gap]))[0], np.linspace(0.01, 0.99, 99), atol=0.06
    )
    late = law_of(poisson(2.0, 400, 8.0, late=1.0))
    assert late.cdf(np.full((2, 1), 0.8)).max() < 0.05
    samples = law.sample(4000, torch.Generator().manual_seed(0))
    assert (samples.mark == 1).mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(samples.location.mean(axis=(0, 1)), 2.0, atol=0.05)


@pytest.mark.parametrize("n", [1, 80])
def test_where_windows_start_with_their_events_one_waits_as_from_any_moment(n):
    train = poisson(2.0, n, 400.0 / n)
    first = train.time[train.offsets[:-1]]
    from_events = replace(train, window=np.stack([first, train.window[:, 1]], axis=1))
    found = waits(from_events)
    assert (found >= 0).all()
    assert kstest(found, "expon", (0, 0.5)).pvalue > 1e-4


@pytest.fixture
def saved(tmp_path):
    train = poisson(2.0, 40, 8.0)
    torch.manual_seed(0)
    settings = ModelSettings(cond_dim=8, n_layers=1, num_units=8)
    scaler = fit_scaler([train], ScalingSettings())
    model = Smash.untrained(settings, ObjectiveSettings(), train, scaler, 2)
    model.save(tmp_path / "model")
    return model, tmp_path / "model", train


def empty(train: EventSequences) -> EventSequences:
    nothing = replace(train.select([0]), time=np.zeros(0), location=np.zeros((0, 2)))
    return replace(nothing, mark=np.zeros(0, np.int64), offsets=np.array([0, 0]))


def test_a_saved_model_has_the_same_first_events(saved):
    model, folder, train = saved
    loaded = Smash.load(folder)
    gap = np.array([[0.1, 1.0]])
    laws = [ModelForecaster(m).law_after(empty(train)) for m in (model, loaded)]
    np.testing.assert_array_equal(*(law.log_survival(gap) for law in laws))


def test_a_model_of_before_loads_and_says_that_it_knows_none(saved):
    _, folder, train = saved
    weights = load_file(folder / WEIGHTS)
    of_before = {name: w for name, w in weights.items() if not name.startswith("first.")}
    assert len(of_before) == len(weights) - 3
    save_file(of_before, folder / WEIGHTS)
    forecaster = ModelForecaster(Smash.load(folder))
    for ask in (forecaster.law_after, lambda history: forecaster.start(history, 2)):
        with pytest.raises(ForecastError, match=r"no law of a first event.*train it anew"):
            ask(empty(train))
    forecaster.law_after(train.select([0]))


@pytest.mark.parametrize(
    "tables",
    [
        {"first.wait": [-1.0, 2.0]},
        {"first.wait": [0.0]},
        {"first.wait": []},
        {"first.mark_share": [1.0]},
        {"first.mark_share": [1.0, 0.0]},
        {"first.mark_share": [0.5, 0.9]},
        {"first.place": np.zeros((0, 2))},
    ],
)
def test_tables_that_are_no_datas_are_refused(saved, tables):
    _, folder, _ = saved
    weights = load_file(folder / WEIGHTS)
    other = {name: torch.tensor(np.array(value, dtype=float)) for name, value in tables.items()}
    save_file(weights | other, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match="first events"):
        Smash.load(folder)
