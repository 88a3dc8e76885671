"""The law that points at the past is one law, and starts as the parametric one."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp, multivariate_normal
from synthetic import place_log_density, places_over, random_sequences

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences, build_sequences
from smash.data.scaling import fit_scaler
from smash.errors import SpecError
from smash.forecast.event_forecaster import EventForecaster
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import Ensemble
from smash.law.gaussian_mixtures import LocationLaw
from smash.model.history_head import HistoryHead
from smash.model.location_head import Given
from smash.model.smash import About, Smash
from smash.model.training import Trainer
from smash.sampling.inverse_cdf import sample_inverse_cdf
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    TrainingSettings,
)

HISTORY = ModelSettings(
    cond_dim=8,
    n_layers=1,
    num_units=16,
    base="climatology",
    mark_in_location=True,
    location_law="history",
    recent_events=6,
    skip=True,
    time_encoding="relative",
)
LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=1, law_points=32)
SAMPLING = SamplingSettings(sampler="inverse_cdf", total_samples=4000)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def untrained(events: EventSequences, settings: ModelSettings = HISTORY, n_marks: int = 3) -> Smash:
    torch.manual_seed(0)
    scaler = fit_scaler([events], ScalingSettings())
    return Smash.untrained(settings, LIKELIHOOD, events, scaler, n_marks).eval()


def stirred(model: Smash, spread: float = 0.5) -> Smash:
    """The model with weights as training might leave them."""
    torch.manual_seed(3)
    for name, weight in model.network.named_parameters():
        if name.startswith(("location.", "mark_shift")) and "parametric" not in name:
            torch.nn.init.normal_(weight, std=spread)
    with torch.no_grad():
        model.network.location.parametric.productivity.copy_(torch.tensor([0.05, -0.02, 0.1]))
        model.network.location.parametric.reach.copy_(torch.tensor([0.03, 0.02, -0.05]))
    return model


@torch.no_grad()
def known(model: Smash, events: EventSequences) -> tuple[Given, object, torch.Tensor]:
    """What locations of the events' targets are given, the terms, and their z."""
    batch = next(iter(ScaledSequences(events, model.scaler).batches(len(events))))
    z, mark = batch.targets()
    terms = model.network.terms(model.contexts(batch))
    time = z[:, None, :1]
    mixed = model.network.mixed(time, terms)
    given = model.network.given(time, mixed, None if mark is None else mark[:, None])
    return given, terms.location, z


def naive_gaussians(head: HistoryHead, z: np.ndarray, followed: list[np.ndarray]) -> float:
    """The log density of z under Gaussians that know nothing but the events they follow."""
    weight, x, y, a, b, c = head.out.bias.detach().double().numpy().reshape(6, -1)
    a, b = (0.01 + np.logaddexp(0, root) for root in (a, b))
    follow = head.follow.detach().double().numpy()
    density = 0.0
    for m, share in enumerate(np.exp(weight) / np.exp(weight).sum()):
        mean = np.array([x[m], y[m]]) + follow[m] @ np.array(followed)
        root = np.array([[a[m], 0], [c[m], b[m]]])
        density += share * multivariate_normal(mean, root @ root.T).pdf(z)
    return math.log(density)


def naive_log_density(model: Smash, events: EventSequences) -> list[float]:
    """The parametric law of each target's place in raw units, event by event, in float64."""
    head: HistoryHead = model.network.location
    few = [part.double().detach() for part in head.parametric()]
    productivity, reach, decay, exponent, offset, log_scale, of_magnitude = few
    size = np.zeros(events.n_events)
    if model.scaler.tells_magnitudes:
        size = model.scaler.scale_magnitude(events.magnitude)
    unit, tau = np.array(head.plane.unit), math.exp(float(head.log_unit_time))
    low, high = np.array(model.scaler.location_low), np.array(model.scaler.location_high)

    def plane(location: np.ndarray) -> np.ndarray:
        return (2 * (location - low) / (high - low) - 1) * unit

    found = []
    for row in np.flatnonzero(events.is_target):
        first = events.offsets[events.sequence[row]]
        past = range(max(first, row - head.n_recent), row)
        x = torch.from_numpy(plane(events.location[row])).float()
        logits = head.query.bias[:3].tolist()
        followed = [
            plane(events.location[row - 1 - i]) / unit if row - i > first else (0.0, 0.0)
            for i in range(head.follow.shape[1])
        ]
        parts = [
            float(head.background.log_density(x)),
            float(head.background.wide_log_density(x)),
            naive_gaussians(head, plane(events.location[row]) / unit, followed)
            - math.log(np.prod(unit)),
        ]
        for i in past:
            elapsed = (events.time[row] - events.time[i]) / tau
            mark = events.mark[i]
            large, wide = (of_magnitude * size[i]).tolist()
            fading = decay * math.log(elapsed + float(offset))
            logits.append(float(productivity[mark] - fading) + large)
            d = math.exp(float(log_scale + reach[mark]) + wide) + head.least_scale
            q = float(exponent)
            square = float(((plane(events.location[row]) - plane(events.location[i])) ** 2).sum())
            kernel = (q - 1) / math.pi * d ** (2 * (q - 1)) * (square + d**2) ** -q
            widest = 2 * head.background.reach
            kernel /= 1 - (1 + widest**2 / d**2) ** (1 - q)
            parts.append(math.log(kernel) if square <= widest**2 else -math.inf)
        weight = np.exp(logits) / np.exp(logits).sum()
        found.append(math.log((weight * np.exp(parts)).sum() * np.prod(unit / (high - low) * 2)))
    return found


@pytest.mark.parametrize("magnitudes", [False, True], ids=["", "magnitudes"])
def test_untrained_it_is_the_parametric_law_summed_up_event_by_event(magnitudes):
    events = random_sequences([20, 30, 4])
    events = replace(events, magnitude=np.random.default_rng(1).exponential(1, events.n_events))
    model = untrained(events, replace(HISTORY, magnitudes=magnitudes))
    with torch.no_grad():
        if magnitudes:
            model.network.location.parametric.of_magnitude.copy_(torch.tensor([0.08, 0.05]))
        model.network.location.parametric.productivity.copy_(torch.tensor([0.05, -0.02, 0.1]))
        model.network.location.parametric.reach.copy_(torch.tensor([0.03, 0.02, -0.05]))
        model.network.location.parametric.log_offset.add_(0.1)
    found = place_log_density(model, events)
    np.testing.assert_allclose(found, naive_log_density(model, events), rtol=1e-3, atol=1e-3)


def test_whatever_the_context_untrained_weights_are_the_parametric_ones():
    events = random_sequences([20, 30])
    model = untrained(events)
    before = place_log_density(model, events)
    for name, weight in model.encoder.named_parameters():
        torch.nn.init.normal_(weight, std=0.5) if weight.ndim > 1 else None
        assert name
    np.testing.assert_allclose(place_log_density(model, events), before, rtol=1e-5)


@torch.no_grad()
def test_it_integrates_to_one_over_the_plane():
    events = random_sequences([8])
    model = stirred(untrained(events), spread=0.2)
    given, terms, _ = known(model, events)
    head = model.network.location
    few, law = head.parametric(), head.law(given, terms)
    assert float(few.exponent) < 2
    # Polar coordinates around each event hold its kernel's peak and tail alike; every point is
    # counted with the share of the law that is centred there.
    log_radius = torch.linspace(-14, math.log(60 * head.background.reach), 1500)
    turn = (torch.arange(64) + 0.5) / 64 * 2 * math.pi
    ring = log_radius.exp()[:, None, None] * torch.stack([turn.cos(), turn.sin()], -1)
    area = log_radius.exp().square()[:, None] * (log_radius[1] - log_radius[0]) * 2 * math.pi / 64
    for event in (2, 6):
        total, centres = 0.0, [*law.place[event, :event].tolist(), [0.0, 0.0]]
        for centre in centres:
            x = (torch.tensor(centre) + ring).flatten(0, 1)
            near = torch.stack(
                [1 / ((x - torch.tensor(c)).square().sum(-1) + 1e-9) for c in centres], -1
            )
            mine = near[:, centres.index(centre)] / near.sum(-1)
            of_event = replace(
                law,
                log_weight=law.log_weight[event : event + 1].expand(1, 1, -1),
                gaussians=LocationLaw(
                    law.gaussians.log_weight[event : event + 1],
                    law.gaussians.mean[event : event + 1],
                    law.gaussians.root[event : event + 1],
                ),
                place=law.place[event : event + 1],
                log_scale=law.log_scale[event : event + 1],
            )
            density = of_event.log_density(x[None]).exp()[0]
            total += float((density * mine * area.expand(-1, 64).flatten()).sum())
        assert total == pytest.approx(1, abs=0.02)


@torch.no_grad()
def test_draws_have_the_density():
    events = random_sequences([20, 30])
    model = stirred(untrained(events), spread=0.2)
    batch = next(iter(ScaledSequences(events, model.scaler).batches(2)))
    context = model.contexts(batch)[12:15]
    (block,) = sample_inverse_cdf(
        model.network, context, model.noise_scale(), SAMPLING, generator()
    )
    z, mark = block.chains.z, block.chains.mark
    terms = model.network.terms(context)
    time = z[..., :1]
    given = model.network.given(time, model.network.mixed(time, terms), mark)
    head = model.network.location
    own = head.log_density(head.draw(given, terms.location, generator(1)), given, terms.location)
    drawn = head.log_density(z[..., 1:], given, terms.location)
    spread = own.std(dim=1) * (2 / SAMPLING.total_samples) ** 0.5
    assert ((own.mean(dim=1) - drawn.mean(dim=1)).abs() < 4 * spread).all()
    # For densities f and g of places, E_f[g / f] over draws of f is 1 if f is their density.
    uniform = 1 / 4 * (z[..., 1:].abs() <= 1).all(-1)
    ratio = uniform / drawn.exp()
    error = ratio.std(dim=1) / SAMPLING.total_samples**0.5
    assert ((ratio.mean(dim=1) - 1).abs() < 4 * error).all()
    # The chain's way, by small steps of the score, is not needed; but the score is the gradient.
    x = z[:, :50, 1:].double()
    step = 1e-3
    some = Given(time[:, :50], given.mixed[:, :50])
    model.double()
    terms = type(terms.location)(
        *(p.double() for p in terms.location[:2]), tuple(p.double() for p in terms.location.own)
    )
    some = Given(some.time.double(), some.mixed.double())
    for axis in range(2):
        shift = step * torch.eye(2).double()[axis]
        slope = head.log_density(x + shift, some, terms) - head.log_density(x - shift, some, terms)
        found = head.score(x, some, terms)[..., axis]
        close = (found - slope / (2 * step)).abs() < 0.02 * (1 + found.abs())
        assert close.double().mean() > 0.97


@torch.no_grad()
def test_neither_the_event_itself_nor_the_future_changes_the_law():
    events = random_sequences([20])
    model = stirred(untrained(events))
    moved, mark = events.location.copy(), events.mark.copy()
    moved[11:] += 0.3
    mark[12:] = (mark[12:] + 1) % 3
    at, found = torch.randn(19, 1, 2, generator=generator()), []
    for version in (events, replace(events, location=moved, mark=mark)):
        given, terms, _ = known(model, version)
        found.append(model.network.location.log_density(at, given, terms)[:, 0])
    # Target n is event n + 1.
    torch.testing.assert_close(found[0][:11], found[1][:11])
    assert ((found[0] - found[1])[11:].abs() > 1e-5).all()


def test_no_place_is_impossible():
    events = random_sequences([20, 30])
    model = untrained(events)
    far = events.location.copy()
    far[10] = [1e4, -1e4]
    found = place_log_density(model, replace(events, location=far))
    assert np.isfinite(found).all()


def test_in_training_events_do_not_find_themselves_in_the_background():
    events = random_sequences([20, 30])
    model = untrained(events)
    given, terms, z = known(model, events)
    head = model.network.location
    x = z[:, None, 1:]
    with torch.no_grad():
        asked = head.log_density(x, given, terms)
        model.train()
        trained = head.log_density(x, given, terms)
    assert (trained - asked).mean() < -0.05


def test_its_density_is_one_of_raw_places_whatever_the_axes():
    """Stretching an axis by s divides the density by s; degrees count as they are on the globe."""
    events = random_sequences([20, 30])
    degrees = replace(events, location=events.location * 0.5 + [140.0, 60.0])
    scaler = fit_scaler([degrees], ScalingSettings())
    torch.manual_seed(0)
    about = About(location_unit="degrees")
    model = Smash.untrained(HISTORY, LIKELIHOOD, degrees, scaler, 3, about).eval()
    low, high = np.array(scaler.location_low), np.array(scaler.location_high)
    every, cell = places_over(low, high, margin=3, n=120)
    density = np.exp(place_log_density(model, every))
    assert density.sum() * cell == pytest.approx(1, rel=0.03)
    unit = np.array(model.network.location.plane.unit)
    middle = math.radians((low[1] + high[1]) / 2)
    np.testing.assert_allclose(unit, (high - low) / 2 * [math.cos(middle), 1])


def test_training_learns_that_one_event_follows_another(tmp_path):
    """Half of the events follow the last one closely; the others come from anywhere."""
    rng = np.random.default_rng(0)
    place = rng.uniform(-5, 5, size=(40, 25, 2))
    for i in range(1, 25):
        follows = rng.random(40) < 0.5
        place[follows, i] = place[follows, i - 1] + 0.05 * rng.normal(size=(follows.sum(), 2))
    time = rng.exponential(size=(40, 25)).cumsum(1)
    mark = rng.integers(3, size=1000)
    events = build_sequences(time.ravel(), place.reshape(-1, 2), mark, [25] * 40, "followers")
    model = untrained(events)
    before = -place_log_density(model, events).mean()
    data = ScaledSequences(events, model.scaler)
    settings = TrainingSettings(
        total_epochs=8, batch_size=4, warmup_epochs=1, learning_rate=5e-3, eval_every=8
    )
    Trainer(model, data, data, LIKELIHOOD, settings, tmp_path, seed=0).fit()
    after = -place_log_density(model, events).mean()
    # -½ log ½·N(σ = 0.05)'s peak-averaged density, -½ log ½ / 100 for the others.
    best = 0.5 * (math.log(2) + math.log(2 * math.pi * 0.05**2) + 1) + 0.5 * math.log(200)
    assert after < before - 0.3
    assert after == pytest.approx(best, abs=0.5)


@pytest.mark.parametrize("n_marks", [1, 3])
def test_a_model_is_loaded_as_it_was_saved(tmp_path, n_marks):
    events = random_sequences([20, 30], n_marks=n_marks)
    model = untrained(events, n_marks=n_marks)
    model.save(tmp_path / "model")
    loaded = Smash.load(tmp_path / "model")
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], weight, rtol=0, atol=0)
    found = ModelForecaster(loaded, SAMPLING).log_densities(events)
    np.testing.assert_allclose(
        found.event - found.time_mark, place_log_density(model, events), rtol=1e-4, atol=1e-5
    )


def test_a_lattice_of_places_is_spread_and_rounded_back():
    events = random_sequences([30, 40])
    lattice = replace(events, location=np.round(events.location * 4) / 4)
    scaler = fit_scaler([lattice], ScalingSettings(location_resolution=0.25))
    torch.manual_seed(0)
    model = Smash.untrained(HISTORY, LIKELIHOOD, lattice, scaler, 3).eval()
    assert np.isfinite(place_log_density(model, lattice)).all()
    # No kernel is narrower than a quarter of a cell, so that no place has more than its mass.
    assert model.network.location.least_scale >= 0.25 / 4
    forecast = next(
        ModelForecaster(model, SamplingSettings()).forecast(lattice.select([0]), 20, generator())
    )
    off = forecast.samples.location * 4
    np.testing.assert_allclose(off, np.round(off), atol=1e-6)


def test_it_forecasts_next_events_futures_and_in_an_ensemble():
    events = random_sequences([20, 30])
    model = stirred(untrained(events), spread=0.2)
    model.about = About(location_unit="km", starts_at=0.0)
    forecaster = EventForecaster.of_model(model)
    table = pd.DataFrame(
        {
            "time": events.time[:8],
            "x": events.location[:8, 0],
            "y": events.location[:8, 1],
            "mark": events.mark[:8],
        }
    )
    drawn = forecaster.next(table, n_samples=1500, seed=1).samples
    futures = forecaster.simulate(table, horizon=60.0, n_paths=1500).table()
    first = futures.groupby("path").first()
    assert len(futures) > 3 * len(first)
    assert len(first) > 1490
    for column in ("x", "y"):
        assert ks_2samp(first[column], drawn[column]).pvalue > 1e-3
    member = ModelForecaster(model, SamplingSettings())
    ensemble = Ensemble((member, member))
    pooled = next(ensemble.forecast(events, 20, generator())).samples
    assert pooled.location.shape[1:] == (20, 2)
    assert np.isfinite(pooled.location).all()


def test_score_matching_cannot_train_a_density():
    events = random_sequences([20, 30])
    scaler = fit_scaler([events], ScalingSettings())
    with pytest.raises(SpecError, match="location_law: history is a density"):
        Smash.untrained(HISTORY, ObjectiveSettings(), events, scaler, 3)


def test_unless_told_it_looks_back_at_as_many_events_as_its_law_asks_for():
    assert ModelSettings(location_law="history").n_recent == 128
    assert ModelSettings(location_law="mixture").n_recent == 1
    assert ModelSettings(recent_events=8).n_recent == 0
