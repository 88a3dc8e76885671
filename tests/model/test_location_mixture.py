"""A location mixture is one law, whether it is asked for its density, its score or a draw."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import place_log_density, places_over, random_sequences

from smash.data.batching import ScaledSequences
from smash.data.events import build_sequences
from smash.data.scaling import fit_scaler
from smash.errors import SpecError
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.gaussian_mixtures import LocationLaw
from smash.model.likelihood import likelihood_loss
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.sampling.inverse_cdf import sample_inverse_cdf
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    TrainingSettings,
)

MIXTURE = ModelSettings(
    cond_dim=8,
    n_layers=1,
    num_units=16,
    base="climatology",
    mark_in_location=True,
    location_law="mixture",
    location_components=4,
    recent_events=2,
    skip=True,
    time_encoding="relative",
)
LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=1, law_points=32)
SAMPLING = SamplingSettings(total_samples=2000)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def untrained(events, objective: ObjectiveSettings = LIKELIHOOD) -> Smash:
    torch.manual_seed(0)
    scaler = fit_scaler([events], ScalingSettings())
    return Smash.untrained(MIXTURE, objective, events, scaler, 3).eval()


def test_the_score_is_the_gradient_of_the_log_density():
    torch.manual_seed(1)
    law = LocationLaw.of(torch.randn(5, 7, 24, dtype=torch.double), 0.1)
    place = torch.randn(5, 7, 2, dtype=torch.double, requires_grad=True)
    (gradient,) = torch.autograd.grad(law.log_density(place).sum(), place)
    torch.testing.assert_close(law.score(place.detach()), gradient)


def test_components_start_at_places_of_the_training_data():
    events = random_sequences([20, 30])
    model = untrained(events)
    location = model.network.location
    place = torch.from_numpy(2 * model.scaler.scale_location(events.location) - 1).float()
    targets = events.is_target.nonzero()[0]
    last, after = place[targets - 1], place[targets]
    with torch.no_grad():
        location.out.weight.zero_()
        # Both of the recent events at one place, as they are taken to be.
        recent = last[:, None, None].expand(-1, 1, 2, 2)
        mean = location.law(torch.zeros(len(last), 1, 16), recent).mean[:, 0]
    assert mean.shape == (len(last), 4, 2)
    # Each component stands at the place of one of the events it could have been drawn from.
    assert ((mean - after[:, None]).norm(dim=-1).min(dim=0).values < 1e-6).all()


def test_draws_have_the_density_that_was_trained():
    events = random_sequences([20, 30])
    model = untrained(events)
    torch.nn.init.normal_(model.network.mark_shift.weight, std=3.0)
    batch = next(iter(ScaledSequences(events, model.scaler).batches(2)))
    with torch.no_grad():
        context = model.contexts(batch)[:3]
        (block,) = sample_inverse_cdf(
            model.network, context, model.noise_scale(), SAMPLING, generator()
        )
        z, mark = block.chains.z, block.chains.mark
        terms = model.network.terms(context)
        given = model.network.given(z[..., :1], model.network.mixed(z[..., :1], terms), mark)
        law = model.network.location.law(given.mixed, *terms.location.own)
        # Were the draws of another law than `law`, its own draws would be likelier or less so.
        own = law.log_density(law.draw(generator(1)))
        drawn = law.log_density(z[..., 1:])
    spread = own.std(dim=1) * (2 / SAMPLING.total_samples) ** 0.5
    assert ((own.mean(dim=1) - drawn.mean(dim=1)).abs() < 4 * spread).all()
    score = model.network.location.score(z[..., 1:], given, terms.location)
    torch.testing.assert_close(score, law.score(z[..., 1:]))


def test_components_move_with_the_recent_events():
    events = random_sequences([20, 30])
    location = untrained(events).network.location
    with torch.no_grad():
        location.out.weight.zero_()
        mixed = torch.zeros(1, 1, 16)
        shift = torch.tensor([[0.3, -0.2], [-0.1, 0.5]])
        here, there = (location.law(mixed, shift * part).mean for part in (0, 1))
    # Of four components, each second one follows the event before the last.
    expected = torch.linspace(0, 1, 4)[:, None] * shift.repeat(2, 1)
    torch.testing.assert_close(there - here, expected.expand_as(here))


def test_a_context_tells_of_the_recent_events():
    events = random_sequences([6])
    model = untrained(events)
    batch = next(iter(ScaledSequences(events, model.scaler).batches(1)))
    with torch.no_grad():
        encoding = model.encoder(batch)
    z = 2 * batch.u[0] - 1
    torch.testing.assert_close(encoding[0, 4, -6:], torch.cat([z[4], z[3]]))
    torch.testing.assert_close(encoding[0, 0, -6:], torch.cat([z[0], torch.zeros(3)]))


def test_the_folded_maps_are_the_maps_one_after_the_other():
    events = random_sequences([20, 30])
    model = untrained(events)
    network, batch = model.network, next(iter(ScaledSequences(events, model.scaler).batches(2)))
    with torch.no_grad():
        context, time = model.contexts(batch), batch.targets()[0][:, None, :1]
        terms, hidden = network.terms(context), time
        for layer, term in zip(network.time.trunk, terms.time.layers, strict=False):
            hidden = (hidden @ layer.weight.T + term).relu()
        last = network.time.last
        expected = network.location.context(context)[:, None] + network.location.time(last(hidden))
        torch.testing.assert_close(network.mixed(time, terms), expected)


def test_noise_plays_no_part():
    model = untrained(random_sequences([20, 30]))
    assert model.noise_scale().tolist() == [0, 0, 0]
    batch = next(iter(ScaledSequences(random_sequences([20, 30]), model.scaler).batches(2)))
    z, mark = batch.targets()
    terms = model.network.terms(model.contexts(batch))
    losses = [
        likelihood_loss(model.network, terms, z, mark, noise, model.noise_scale(), LIKELIHOOD)
        for noise in torch.randn(2, len(z), 1, 3)
    ]
    assert losses[0].location == losses[1].location


def test_training_finds_two_places_far_apart(tmp_path):
    """Between the places there are no data, and their shares are 3 to 1."""
    numbers = torch.Generator().manual_seed(3)
    right = torch.rand(600, generator=numbers) < 0.75
    place = torch.stack([right.double() * 2 - 1, torch.zeros(600)], dim=-1)
    place = place + 0.05 * torch.randn(600, 2, generator=numbers)
    gap = torch.rand(600, generator=numbers).double() + 0.5
    time = torch.cat([part.cumsum(0) for part in gap.split(20)])
    mark = torch.zeros(600, dtype=torch.long)
    events = build_sequences(time.numpy(), place.numpy(), mark.numpy(), [20] * 30, "two places")
    model = untrained(events)
    data = ScaledSequences(events, model.scaler)
    settings = TrainingSettings(
        total_epochs=24, batch_size=2, warmup_epochs=1, learning_rate=3e-3, eval_every=24
    )
    Trainer(model, data, data, LIKELIHOOD, settings, tmp_path, seed=0).fit()
    model.eval()
    with torch.no_grad():
        context = model.contexts(next(iter(data.batches(30))))
        (block,) = sample_inverse_cdf(
            model.network, context, model.noise_scale(), SAMPLING, generator()
        )
    x = block.chains.z[..., 1]
    assert float((x > 0).float().mean()) == pytest.approx(0.75, abs=0.06)
    assert float((x.abs() < 0.4).float().mean()) < 0.05


def test_a_model_is_loaded_as_it_was_saved(tmp_path):
    events = random_sequences([20, 30])
    model = untrained(events)
    model.save(tmp_path / "model")
    loaded = Smash.load(tmp_path / "model")
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], weight, rtol=0, atol=0)
    assert loaded.noise_scale().tolist() == [0, 0, 0]


def test_its_density_is_one_of_raw_places():
    """Summed over the plane it is 1, whatever the scales."""
    events = random_sequences([20, 30])
    model = untrained(replace(events, location=events.location * [3.0, 0.2]))
    low, high = model.scaler.location_low, model.scaler.location_high
    every, cell = places_over(low, high, margin=2, n=80)
    density = np.exp(place_log_density(model, every))
    assert density.sum() * cell == pytest.approx(1, rel=0.01)
    found = ModelForecaster(model, SAMPLING).log_densities(events)
    np.testing.assert_allclose(
        found.event - found.time_mark, place_log_density(model, events), rtol=1e-5
    )


def test_score_matching_cannot_train_a_density():
    with pytest.raises(SpecError, match="location_law: mixture is a density"):
        untrained(random_sequences([20, 30]), ObjectiveSettings())
