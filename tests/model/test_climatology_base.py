"""A model that starts at climatology is climatology, and stays a model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from synthetic import random_sequences

from smash.baselines import Climatology
from smash.data.events import EventSequences
from smash.data.protocol import PreparedData, prepare
from smash.data.scaling import fit_scaler
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.forecaster import Forecaster
from smash.model.climatology_base import (
    ClimatologyHazard,
    ClimatologyPlaces,
    base_grid,
    plain_hazard,
)
from smash.model.grid_time_law import GridTimeLaw
from smash.model.smash import Smash
from smash.scores import score_events
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    ScoreSettings,
    SimulatorSettings,
)
from smash.simulate.simulator import simulate_dataset

SETTINGS = ModelSettings(cond_dim=8, n_layers=1, num_units=16, base="climatology")
LIKELIHOOD = ObjectiveSettings(kind="likelihood")
SAMPLING = SamplingSettings(
    sampler="inverse_cdf", denoise="posterior", location_steps=20, total_samples=200
)


@pytest.fixture(scope="module")
def data() -> PreparedData:
    simulator = SimulatorSettings(sequences=(80, 12, 2), events=(20, 40))
    return prepare(simulate_dataset(simulator), "strict", ScalingSettings())


def untrained(data: PreparedData, objective: ObjectiveSettings = LIKELIHOOD) -> Smash:
    torch.manual_seed(0)
    return Smash.untrained(SETTINGS, objective, data.train, data.scaler, 3).eval()


def scores(forecaster: Forecaster, sequences: EventSequences) -> dict[str, np.ndarray]:
    """CRPS, energy score and mark log-loss of each event."""
    rng = torch.Generator().manual_seed(0)
    settings = ScoreSettings(original=False)
    forecasts = list(forecaster.forecast(sequences, 200, rng))
    tables = [score_events(f.samples, f.targets, settings, rng, None) for f in forecasts]
    names = ("crps_time", "energy_location", "mark_log_loss")
    return {name: np.concatenate([table[name] for table in tables]) for name in names}


def test_untrained_it_scores_as_climatology_does(data):
    model = scores(ModelForecaster(untrained(data), SAMPLING), data.validation)
    climatology = scores(Climatology.fit(data.train, 3), data.validation)
    for name, expected in climatology.items():
        difference = model[name] - expected
        error = difference.std() / len(difference) ** 0.5
        assert abs(difference.mean()) < 4 * error + 0.003 * expected.mean(), name


def test_the_factor_starts_at_one_and_the_residual_at_zero_whatever_the_history(data):
    network = untrained(data).network
    z = torch.rand(5, 7, 3) * 2 - 1
    with torch.no_grad():
        evaluation = network(z, network.terms(torch.randn(5, 32)))
        expected = network.time.base.intensity(z[..., :1])
        torch.testing.assert_close(evaluation.intensity, expected)
        score = network.location.base.score_at(z[..., 1:])
        torch.testing.assert_close(evaluation.location_score, score, rtol=0, atol=0)


def test_the_plain_hazard_has_the_gaps_own_survival():
    rng = np.random.default_rng(0)
    gap = np.clip(np.where(rng.random(3000) < 0.3, -0.95, rng.normal(0, 0.3, 3000)), -1, 1)
    grid = np.linspace(-1.1, 1.1, 128)
    hazard = torch.from_numpy(plain_hazard(gap, grid, len(gap)))
    law = GridTimeLaw(torch.from_numpy(grid), hazard[None, :, None])
    before = np.searchsorted(np.sort(gap), grid) / len(gap)
    survival = np.exp(-law.compensator[0].numpy())
    smooth = (before[:-2] + 2 * before[1:-1] + before[2:]) / 4
    np.testing.assert_allclose(1 - survival[1:-1], smooth, atol=0.02)
    assert (hazard > 0).all()
    assert survival[-1] < 1e-4


def noised_score(points: np.ndarray, at: np.ndarray, sigma: float) -> np.ndarray:
    """∇ log of the density of points (P, D) with noise added, at places (N, D)."""
    away = at[:, None] - points
    weight = np.exp(-(away**2).sum(-1) / (2 * sigma**2))
    return -(weight[..., None] * away).sum(1) / weight.sum(1)[:, None] / sigma**2


def test_under_score_matching_it_has_the_scores_of_the_noised_data(data):
    model = untrained(data, ObjectiveSettings())
    sigma_time, sigma_loc, _ = model.noise_scale().tolist()
    targets = data.train.targets()
    gap = 2 * data.scaler.scale_gap(targets.gap)[:, None] - 1
    location = 2 * data.scaler.scale_location(targets.location) - 1
    rng = np.random.default_rng(0)
    rows = rng.integers(len(targets), size=200)
    at = np.hstack([gap[rows], location[rows]])
    at = at + rng.normal(size=at.shape) * [sigma_time, sigma_loc, sigma_loc]
    with torch.no_grad():
        terms = model.network.terms(torch.zeros(1, 32))
        evaluation = model.network(torch.from_numpy(at).float()[None], terms)
        mark = torch.zeros(1, 200, dtype=torch.long)
        score = evaluation.score(mark)[0].double().numpy()
    expected = np.hstack(
        [noised_score(gap, at[:, :1], sigma_time), noised_score(location, at[:, 1:], sigma_loc)]
    )
    for column, sigma in enumerate((sigma_time, sigma_loc, sigma_loc)):
        # In units of 1 / σ, where the noise alone has scores of about 1.
        error = sigma * (score[:, column] - expected[:, column])
        assert np.sqrt(np.mean(error**2)) < 0.05


def test_drawn_locations_have_the_noised_moments(data):
    base = untrained(data).network.location.base
    drawn = base.draw((40_000,), torch.Generator().manual_seed(0))
    targets = data.train.targets()
    location = 2 * data.scaler.scale_location(targets.location) - 1
    spread = np.sqrt(location.std(0) ** 2 + SETTINGS.sigma_loc**2)
    np.testing.assert_allclose(drawn.mean(0), location.mean(0), atol=0.01)
    np.testing.assert_allclose(drawn.std(0), spread, rtol=0.02)


def test_no_gap_mark_or_place_is_impossible():
    sequences = random_sequences([5, 5], n_marks=2)
    scaler = fit_scaler([sequences], ScalingSettings())
    base, places = ClimatologyHazard(4, base_grid(0.05)), ClimatologyPlaces(0.02)
    base.fit(sequences, scaler, 0.05)
    places.fit(sequences, scaler)
    assert (base.frequency > 0).all()
    corners = torch.tensor([[[-1.0, -1.0], [1.0, 1.0], [-3.0, 3.0]]])
    assert torch.isfinite(places.score_at(corners)).all()
    assert (base.hazard >= 0).all()
    assert torch.isfinite(base.hazard).all()
    # Far from the data a location is drawn towards them.
    assert (places.score_at(corners)[0] * corners[0] < 0).all()


@pytest.mark.parametrize("kind", ["likelihood", "score_matching"])
def test_saved_with_its_base_it_forecasts_the_same(data, tmp_path, kind):
    model = untrained(data, ObjectiveSettings(kind=kind, law_points=50))
    model.save(tmp_path / "model")
    loaded = Smash.load(tmp_path / "model")
    assert loaded.law_points == (50 if kind == "likelihood" else 0)
    sequences = data.validation.select([0])
    gaps = [
        next(
            ModelForecaster(m, SAMPLING).forecast(sequences, 20, torch.Generator().manual_seed(1))
        ).samples.gap
        for m in (model, loaded)
    ]
    np.testing.assert_array_equal(*gaps)


def test_without_a_base_nothing_changes(data):
    """The published network has the weights it always had."""
    torch.manual_seed(0)
    plain = Smash(replace(SETTINGS, base="none"), 3, data.scaler)
    assert not any("base" in name for name in plain.state_dict())
    torch.manual_seed(0)
    with_base = untrained(data, ObjectiveSettings())
    for name, tensor in plain.encoder.state_dict().items():
        assert torch.equal(tensor, with_base.encoder.state_dict()[name])


def test_the_hazard_of_noised_normal_gaps_is_the_normal_one():
    gap = np.random.default_rng(0).normal(0, 0.2, 20_000)
    base = ClimatologyHazard(1, base_grid(0.2))
    sequences = random_sequences([len(gap) + 1], n_marks=1)
    times = np.concatenate([[0.0], np.cumsum(gap + 2)])  # scaled back below
    sequences = replace(sequences, time=times, window=np.array([[0.0, times[-1]]]))
    scaler = replace(
        fit_scaler([sequences], ScalingSettings(log_normalization=False)),
        gap_low=1.0,
        gap_high=3.0,
    )
    base.fit(sequences, scaler, 0.2)
    t = torch.linspace(-0.5, 0.5, 11)
    law = norm(0, np.hypot(0.2, 0.2))
    expected = law.pdf(t) / law.sf(t)
    found = base.intensity(t.view(1, -1, 1))[0, :, 0]
    np.testing.assert_allclose(found, expected, rtol=0.05)
