"""The likelihood of time and mark: a law, a rate, and what the end of a window tells."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncexpon
from synthetic import random_sequences
from torch import Tensor

from smash.data.batching import ScaledSequences
from smash.data.events import build_sequences
from smash.data.scaling import Scaler, fit_scaler
from smash.errors import SpecError
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.gaussian_mixtures import NormalMixture
from smash.model.grid_time_law import GridTimeLaw
from smash.model.likelihood import likelihood_loss
from smash.model.mixture_time_law import MixtureTimeLaw
from smash.model.model_times import ModelTimes
from smash.model.score_network import Evaluation, ScoreNet
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

LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=4, law_points=64)
SMALL = ModelSettings(cond_dim=8, n_layers=1, num_units=16)
GRID = torch.linspace(-1.1, 1.1, 128, dtype=torch.double)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wavy_intensity(grid: Tensor = GRID) -> Tensor:
    """(2, G, 2): two events, two marks."""
    waves = torch.stack([1.5 + (4 * grid).sin(), 0.5 + grid.square()], -1)
    return torch.stack([waves, 0.3 * waves])


def test_what_the_likelihood_leaves_over_is_the_chance_of_no_event_on_the_grid():
    law = GridTimeLaw(GRID, wavy_intensity())
    time = torch.linspace(-1.1, 1.1, 20_001, dtype=torch.double).expand(2, -1)
    mass = torch.trapezoid(law.log_likelihood(time).exp().sum(-1), time)
    torch.testing.assert_close(mass, 1 - (-law.compensator[:, -1]).exp(), rtol=1e-4, atol=0)
    torch.testing.assert_close(law.compensator_at(GRID.expand(2, -1)), law.compensator)


def test_beyond_the_grid_the_last_rate_goes_on():
    law = GridTimeLaw(GRID, wavy_intensity())
    far = torch.tensor([[1.1, 1.6]], dtype=torch.double).expand(2, -1)
    before, after = law.compensator_at(far).unbind(-1)
    torch.testing.assert_close(after - before, 0.5 * law.total[:, -1])
    torch.testing.assert_close(law.intensity_at(far)[:, 1], law.intensity[:, -1])


def exponential_family(c: float) -> tuple[Tensor, Tensor]:
    """λ = p / (S + c) (1, G, 1) of p = 3 exp(-3 (t + 1.1)), and its slope."""
    survival = (-3 * (GRID + 1.1)).exp()
    intensity = 3 * survival / (survival + c)
    slope = intensity * (intensity - 3)
    return intensity[None, :, None], slope[None, :, None]


def test_the_likelihood_tells_apart_what_scores_cannot():
    """p / (S + c) has one score for all c; its likelihood is best at c = 0, the true rate."""
    time = GridTimeLaw(GRID, exponential_family(0.0)[0]).draw(4000, generator())
    scores, likelihoods = [], []
    for c in (0.0, 0.1, 1.0):
        intensity, slope = exponential_family(c)
        scores.append(Evaluation(intensity, slope, torch.zeros(1)).time_score(None))
        likelihoods.append(GridTimeLaw(GRID, intensity).log_likelihood(time).mean().item())
    for score in scores:
        torch.testing.assert_close(score, torch.full_like(score, -3.0))
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert likelihoods[0] - likelihoods[1] > 0.05


def test_training_by_likelihood_finds_the_rates():
    """Marks 0 and 1 come at rates 3 and 1 from -1.1 on, whatever the history."""
    torch.manual_seed(0)
    network = ScoreNet(SMALL, 2, law_grid=torch.linspace(-1.1, 1.1, 64))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    rng = generator()
    n = 128
    context = torch.zeros(n, 32)
    for _ in range(120):
        time = -1.1 - torch.rand(n, generator=rng).log() / 4
        mark = (torch.rand(n, generator=rng) < 0.25).long()
        z = torch.stack([time, *torch.zeros(2, n)], -1)
        noise, sigma = torch.randn(n, 1, 3, generator=rng), torch.tensor([0.0, 0.1, 0.1])
        terms = network.terms(context)
        loss = likelihood_loss(network, terms, z, mark, noise, sigma, LIKELIHOOD)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    with torch.no_grad():
        often = torch.linspace(-1.1, -0.5, 20).view(1, -1, 1)
        rate = network.intensity(often, network.terms(context[:1]))[0].mean(0)
    torch.testing.assert_close(rate, torch.tensor([3.0, 1.0]), rtol=0.15, atol=0)


def test_the_loss_is_the_negative_log_likelihood_of_time_and_mark(tmp_path):
    t = trainer(tmp_path, random_sequences([9, 12, 7], seed=1))
    z, mark = t.train.batch([0, 1, 2]).targets()
    network = t.model.network
    with torch.no_grad():
        terms = network.terms(torch.randn(len(z), 32, generator=generator()))
        noise = torch.randn(len(z), 2, 3, generator=generator())
        loss = likelihood_loss(network, terms, z, mark, noise, t.sigma, LIKELIHOOD)
        law = network.time_law(terms, len(z))
        log_likelihood = law.log_likelihood(z[:, :1])[:, 0].gather(1, mark[:, None])
    torch.testing.assert_close(loss.time + loss.mark, -log_likelihood.mean())
    torch.testing.assert_close(loss.total, loss.time + loss.mark + loss.location)


def test_times_are_drawn_from_the_law_whose_likelihood_was_maximised(tmp_path):
    t = trainer(tmp_path, random_sequences([9, 12, 7], seed=1), base="climatology")
    settings = SamplingSettings(total_samples=4000, location_steps=1)
    context = torch.randn(1, 32, generator=generator())
    with torch.no_grad():
        torch.nn.init.normal_(t.model.network.time.head[1].weight, std=0.3)
        (block,) = sample_inverse_cdf(t.model.network, context, t.sigma, settings, generator())
        law = t.model.network.time_law(t.model.network.terms(context), 1)
        compensator = law.compensator_at(block.chains.z[..., 0])[0]
    # By the time change, ∫ λ up to an event is exponential, cut off at the grid's end.
    end = float(law.compensator[0, -1])
    assert kstest(compensator.numpy(), truncexpon(b=end).cdf).pvalue > 0.01


def poisson_sequences(rate: float, end: float, n: int):
    rng = np.random.default_rng(0)
    times = [np.cumsum(rng.exponential(1 / rate, 40)) for _ in range(n)]
    times = [t[t < end] for t in times]
    lengths = [len(t) for t in times]
    window = np.tile([0.0, end], (n, 1))
    location = rng.normal(size=(sum(lengths), 2))
    return build_sequences(np.concatenate(times), location, None, lengths, "poisson", window)


def test_the_end_of_a_window_corrects_the_rate_of_a_cut_poisson_process():
    """Gaps seen before a fixed end are too short; the event-free end makes up for it."""
    rate = 2.0
    sequences = poisson_sequences(rate, end=3.0, n=800)
    settings = ScalingSettings(log_normalization=False)
    scaler = replace(fit_scaler([sequences], settings), gap_low=0.0)
    batch = ScaledSequences(sequences, scaler).batch(list(range(len(sequences))))
    z, _ = batch.targets()
    _, left = batch.event_free_ends(torch.zeros(*batch.time.shape, 1))
    grid = torch.linspace(-1, 1.1, 64)
    law = GridTimeLaw(grid, torch.ones(1, 64, 1))
    # With a constant rate r the loss is Σ (r C - log r) + Σ r C', least at n / Σ C.
    exposure = law.compensator_at(z[None, :, 0]).sum()
    rest = law.compensator_at(left[None]).sum()
    per_gap = 2 / (scaler.gap_high - scaler.gap_low)
    corrected, seen = (float(len(z) / e * per_gap) for e in (exposure + rest, exposure))
    error = rate / len(z) ** 0.5
    assert corrected == pytest.approx(rate, abs=3 * error)
    assert seen > rate + 10 * error


def trainer(root, sequences, **settings) -> Trainer:
    torch.manual_seed(0)
    scaler = fit_scaler([sequences], ScalingSettings())
    n_marks = 1 if sequences.mark is None else 3
    model = Smash.untrained(replace(SMALL, **settings), LIKELIHOOD, sequences, scaler, n_marks)
    scaled = ScaledSequences(sequences, scaler)
    training = TrainingSettings(batch_size=3, block_events=16)
    return Trainer(model, scaled, scaled, LIKELIHOOD, training, root, seed=5)


def test_a_known_end_costs_its_compensator_and_an_unknown_one_nothing(tmp_path):
    ends_with_last_event = random_sequences([6, 4], seed=1)
    window = ends_with_last_event.window + np.array([[0, 0], [0, 3.0]])
    longer = replace(ends_with_last_event, window=window)
    t = trainer(tmp_path, ends_with_last_event)
    t.model.eval()
    with torch.no_grad():
        losses = []
        for sequences in (ends_with_last_event, longer):
            scaled = ScaledSequences(sequences, t.model.scaler)
            losses.append(t._loss_of(t.model, scaled.batch([0, 1]), generator()))
        batch = ScaledSequences(longer, t.model.scaler).batch([0, 1])
        ends, left = batch.event_free_ends(t.model.encoder(batch))
        assert len(ends) == len(left) == 1
        grid = t.model.network.law_grid
        intensity = t.model.network.intensity(grid[None, :, None], t.model.network.terms(ends))
        law = GridTimeLaw(grid, intensity, t.model.scaler.gap_growth)
        cost = law.compensator_at(left[None]) / 8
    difference = (losses[1] - losses[0]).float()
    torch.testing.assert_close(difference[:2], cost[0].expand(2), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(difference[2:], torch.zeros(2))


@pytest.mark.parametrize("base", ["none", "climatology"])
def test_gradients_reach_every_weight(tmp_path, base):
    t = trainer(tmp_path, random_sequences([9, 12, 7], seed=1), base=base, mark_in_location=True)
    for _ in range(2):  # what starts at exactly 0 passes gradients on after a first step
        t._step(t.train.batch([0, 1, 2]), "here")
    for name, parameter in t.model.named_parameters():
        if name.startswith("encoder.lstms") and "bias_hh" in name:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_zero_gaps_need_a_resolution(tmp_path):
    sequences = random_sequences([8, 8])
    time = sequences.time.copy()
    time[4] = time[3]
    tied = replace(sequences, time=time)
    with pytest.raises(SpecError, match=r"random.*gaps of exactly 0.*resolution"):
        trainer(tmp_path, tied)
    score_matching = ObjectiveSettings()
    scaler = fit_scaler([tied], ScalingSettings())
    Smash.untrained(SMALL, score_matching, tied, scaler, 3)  # as published


CONTINUOUS = Scaler(True, 1e-4, -2.0, 3.0, (0.0, 0.0), (1.0, 1.0))
TICK = 0.25
CLOCK = Scaler(
    True, 1e-4, float(np.log(TICK)), float(np.log(100)), (0.0, 0.0), (1.0, 1.0), TICK, True
)
ATOM = replace(CLOCK, gap_lattice=False)
LINEAR = replace(CONTINUOUS, log_normalization=False, gap_low=0.1, gap_high=2.1)
SCALERS = {"continuous": CONTINUOUS, "clock": CLOCK, "atom": ATOM, "linear": LINEAR}
GRID_LAWS = {name: ("grid", scaler) for name, scaler in SCALERS.items()}
MIXTURES = {f"{n}, mixture": ("mixture", s) for n, s in SCALERS.items() if s.log_normalization}
LAWS = GRID_LAWS | MIXTURES


def mixture_law(n: int, scaler: Scaler) -> MixtureTimeLaw:
    """The same two marks for each of N events: one of short and long gaps, one in between."""
    log_weight = torch.tensor([[0.3, 0.7], [0.5, 0.5]], dtype=torch.double).log()
    mean = torch.tensor([[-0.7, 0.4], [-0.2, 0.1]], dtype=torch.double)
    scale = torch.tensor([[0.2, 0.25], [0.1, 0.3]], dtype=torch.double)
    by_mark = NormalMixture(*(part.expand(n, -1, -1) for part in (log_weight, mean, scale)))
    share = torch.tensor([0.6, 0.4], dtype=torch.double).log().expand(n, -1)
    return MixtureTimeLaw(share, by_mark, Smash(SMALL, 2, scaler)._atom())


def one_law(n: int, kind: str, scaler: Scaler) -> ModelTimes:
    intensity = (0.2 + 3 * wavy_intensity()[:1]).expand(n, -1, -1)
    law = GridTimeLaw(GRID, intensity, scaler.gap_growth)
    return ModelTimes(lambda: mixture_law(n, scaler) if kind == "mixture" else law, scaler, n)


@pytest.mark.parametrize(("kind", "scaler"), LAWS.values(), ids=LAWS)
def test_raw_gaps_have_one_law_whether_asked_for_density_survival_or_quantile(kind, scaler):
    law = one_law(1, kind, scaler)
    if scaler.gap_lattice:
        gap = TICK * np.arange(4000)[None]
        mass = np.exp(law.log_density(gap)) * np.where(gap > 0, TICK, 1.0)
        left = np.exp(law.log_survival(gap))
        np.testing.assert_allclose(1 - mass.cumsum(axis=1), left, atol=1e-12)
    else:
        first = TICK if scaler.gap_cell else 0.0
        gap = np.concatenate([[first], first + np.geomspace(1e-9, 1000, 200_001)])[None]
        middle = (gap[:, 1:] + gap[:, :-1]) / 2
        mass = np.exp(law.log_density(middle)) * np.diff(gap)
        left = np.exp(law.log_survival(gap))
        np.testing.assert_allclose(left[:, :1] - mass.cumsum(axis=1), left[:, 1:], atol=1e-4)
        at_zero = np.exp(law.log_density(np.zeros((1, 1)))) if scaler.gap_cell else 0.0
        np.testing.assert_allclose(left[:, :1] + at_zero, 1, atol=1e-12)
        some = np.array([[0.3, 1.0, 40.0, 500.0]])
        np.testing.assert_allclose(law.at_log_survival(law.log_survival(some)), some, rtol=1e-6)
    assert left[0, -1] < 1e-6
    assert law.log_density(np.array([[np.inf]])) == -np.inf


@pytest.mark.parametrize(("kind", "scaler"), LAWS.values(), ids=LAWS)
def test_every_gap_that_may_come_has_a_finite_density(kind, scaler):
    gap = np.array([[0.0, 1e-300, 1e-12, 1e-3, 1.0, 99.0, 1e3, 1e5]])
    assert np.isfinite(one_law(1, kind, scaler).log_density(gap)).all()


@pytest.mark.parametrize(("kind", "scaler"), LAWS.values(), ids=LAWS)
def test_raw_gaps_are_drawn_from_that_law(kind, scaler):
    n, law = 4000, one_law(1, kind, scaler)
    for drawn in (
        law.draw(n, generator(1))[0],
        np.maximum(scaler.unscale_gap((law.law.draw(n, generator(2))[0].numpy() + 1) / 2), 0),
    ):
        if scaler.gap_cell:
            values, count = np.unique(np.minimum(drawn, 40.0), return_counts=True)
            if scaler.gap_lattice:
                left = np.exp(law.log_survival(values[None, :-1]))[0]
                seen = 1 - count.cumsum()[:-1] / n
                np.testing.assert_allclose(seen, left, atol=0.03)
            else:
                share = np.exp(law.log_density(np.zeros((1, 1)))).item()
                assert (drawn == 0).mean() == pytest.approx(share, abs=0.03)
        else:
            assert kstest(law.cdf(drawn[None])[0], "uniform").pvalue > 1e-3


def test_little_mass_between_equal_cumulatives_is_not_lost():
    """In float32 the cumulatives of gaps of a clock's minute are equal far out, and infinite."""
    hazard = torch.full((1, 64, 1), 8.0)
    hazard[:, 40:] = 1e-6
    scaler = Scaler(True, 1e-4, -4.1, 2.8, (0.0, 0.0), (1.0, 1.0), 1 / 60, True)
    grid = torch.linspace(-1.1, 1.1, 64)
    law = GridTimeLaw(grid.double(), hazard.double(), scaler.gap_growth)
    times = ModelTimes(lambda: law, scaler, 1)
    low, high = (law.compensator_at(times._z(np.array([[gap]]))) for gap in (7.0, 7.0 + 1 / 60))
    assert float(low.float()) == float(high.float())
    found = times.log_density(np.array([[7.0]])).item()
    assert np.isfinite(found)
    assert found == pytest.approx(float(law.log_density(times._z(np.array([[7.0]])))), abs=5)


def test_densities_come_in_the_order_of_targets_and_need_a_likelihood(tmp_path, small_dataset):
    t = trainer(tmp_path, small_dataset.train)
    density = ModelForecaster(t.model).log_densities(small_dataset.test)
    n = len(small_dataset.test.targets())
    assert density.time.shape == density.mark.shape == (n,)
    last = ModelForecaster(t.model).log_densities(small_dataset.test.select([2]))
    np.testing.assert_allclose(density.time[-len(last.time) :], last.time, rtol=1e-4)
    np.testing.assert_allclose(density.mark[-len(last.time) :], last.mark, rtol=1e-4)
    published = ModelForecaster(Smash(SMALL, 3, t.model.scaler))
    found = published.log_densities(small_dataset.test)
    assert found.time is found.place is found.unmarked is None
    assert "objective.kind=likelihood" in found.lacking
    law = published.law_after(small_dataset.test)
    np.testing.assert_allclose(law.mark_probability(np.ones((len(law), 2))).sum(-1), 1, rtol=1e-6)
    with pytest.raises(ValueError, match=r"objective\.kind=likelihood"):
        law.cdf(np.ones((len(law), 1)))
