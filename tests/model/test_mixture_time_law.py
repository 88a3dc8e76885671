"""Times and marks as mixtures of log-normals: one law, however asked, and how it is learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from synthetic import random_sequences
from torch import Tensor

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences, build_sequences
from smash.data.scaling import fit_scaler
from smash.errors import SpecError
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.gaussian_mixtures import NormalMixture
from smash.model.mixture_time_law import MixtureTimeLaw
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    TrainingSettings,
)

LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=1)
SIZES = ModelSettings(cond_dim=8, n_layers=1, num_units=16, time_law="mixture")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_law(n: int = 3, n_marks: int = 2, atom: float | None = None) -> MixtureTimeLaw:
    numbers = torch.randn(n, n_marks, 13, generator=generator()).double()
    by_mark = NormalMixture.of(numbers[..., 1:], 0.05)
    return MixtureTimeLaw(numbers[..., 0].log_softmax(-1), by_mark, atom)


def times(law: MixtureTimeLaw, *values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.double).expand(len(law.numbers), -1)


def test_time_and_mark_have_mass_one_and_survival_is_what_is_left():
    law = random_law()
    time = torch.linspace(-12, 12, 40_001, dtype=torch.double).expand(3, -1)
    mass = torch.cumulative_trapezoid(law.log_density(time).exp(), time)
    left = (-law.compensator_at(time[:, 1:])).exp()
    torch.testing.assert_close(1 - mass, left, rtol=0, atol=1e-6)
    joint = law.log_likelihood(time).exp().sum(-1)
    torch.testing.assert_close(joint, law.log_density(time).exp())
    share = law.log_mark(time).exp().sum(-1)
    torch.testing.assert_close(share, torch.ones_like(share))


def test_the_compensator_is_inverted_far_out_too():
    law = random_law()
    asked = times(law, 1e-9, 0.01, 0.7, 5.0, 40.0, 700.0)
    torch.testing.assert_close(law.compensator_at(law.invert(asked)), asked, rtol=1e-6, atol=0)


def test_the_mass_of_an_interval_is_exact_in_both_tails_and_between():
    law = random_law()
    low = times(law, -9.0, -0.3, 0.2, 9.0)
    for width in (1e-12, 1e-3):
        found = law.log_mass(low, low + width)
        expected = law.log_density(low + width / 2) + np.log(width)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    whole = law.log_mass(times(law, -torch.inf), times(law, 50.0))
    torch.testing.assert_close(whole, torch.zeros_like(whole), rtol=0, atol=1e-12)


def test_draws_after_a_while_are_those_of_the_law_cut_off():
    law = random_law()
    for bound in (-1.0, 0.4, 6.0):
        after = times(law, bound)
        drawn = law.draw(3000, generator(1), after)
        assert (drawn >= after).all()
        rest = law.compensator_at(drawn) - law.compensator_at(after)
        for row in rest.numpy():
            assert kstest(row, "expon").pvalue > 1e-3


def test_below_the_atom_every_time_has_its_whole_probability():
    law = random_law(atom=-0.5)
    early, later = law.log_likelihood(times(law, -9.0, -0.6, -0.4)).split([2, 1], dim=1)
    mass = random_law().log_mass(times(law, -torch.inf), times(law, -0.5))
    torch.testing.assert_close(early.logsumexp(-1), mass.expand(-1, 2))
    torch.testing.assert_close(later, random_law().log_likelihood(times(law, -0.4)))
    # That no event came until some moment before the first gap there is says: no gap of 0.
    left = torch.log(-torch.expm1(mass))
    torch.testing.assert_close(-law.compensator_at(times(law, -3.0)), left)


def bursts(n: int = 60, zeros: bool = False) -> EventSequences:
    """Gaps of about 0.01, rarely of about 1; with `zeros` a third of 0, the least other 0.001."""
    numbers = np.random.default_rng(0)
    lengths = [20] * n
    gap = np.exp(numbers.normal(np.where(numbers.random((n, 20)) < 0.2, 0.0, -4.6), 0.3))
    if zeros:
        gap[numbers.random(gap.shape) < 1 / 3] = 0.0
    place = numbers.normal(size=(20 * n, 2))
    mark = (numbers.random(20 * n) < 0.25).astype(np.int64)
    return build_sequences(gap.cumsum(axis=1).ravel(), place, mark, lengths, "bursts")


def model_of(train: EventSequences, **scaling: object) -> Smash:
    torch.manual_seed(0)
    scaler = fit_scaler([train], replace(ScalingSettings(), **scaling))
    return Smash.untrained(SIZES, LIKELIHOOD, train, scaler, 2).eval()


def test_untrained_it_is_the_training_datas_own_law():
    train = bursts()
    law = ModelForecaster(model_of(train)).law_after(train.select([0, 7]))
    targets = train.targets()
    gap = np.sort(targets.gap)
    level = law.cdf(np.stack([gap, gap]))
    np.testing.assert_allclose(level, np.linspace(0, 1, len(gap))[None].repeat(2, 0), atol=0.06)
    share = law.mark_probability(np.array([[0.01, 1.0]] * 2))
    np.testing.assert_allclose(share[..., 1], (targets.mark == 1).mean(), atol=0.01)


def trainer(train: EventSequences, root, epochs: int = 4, **scaling: object) -> Trainer:
    model = model_of(train, **scaling)
    settings = TrainingSettings(
        total_epochs=epochs, batch_size=4, eval_every=1, warmup_epochs=1, learning_rate=5e-3
    )
    scaled = ScaledSequences(train, model.scaler)
    return Trainer(model, scaled, scaled, LIKELIHOOD, settings, root, seed=3)


def test_the_validation_loss_is_the_raw_log_density_but_for_the_units(tmp_path):
    t = trainer(bursts(), tmp_path, epochs=1)
    record = t.fit().records[-1]
    model = Smash.load(t.result.folder)
    density = ModelForecaster(model).log_densities(bursts())
    slope = model.scaler.log_gap_slope(bursts().targets().gap)
    assert record.validation_loss_time == pytest.approx(-(density.time - slope).mean(), abs=1e-4)
    assert record.validation_loss_mark == pytest.approx(-density.mark.mean(), abs=1e-4)


def test_gaps_of_zero_have_the_probability_they_come_with(tmp_path):
    train = bursts(zeros=True)
    t = trainer(train, tmp_path, epochs=3, resolution="auto")
    scaler = t.model.scaler
    assert scaler.gap_cell
    assert not scaler.gap_lattice
    t.fit()
    forecaster = ModelForecaster(Smash.load(t.result.folder))
    zero = train.targets().gap == 0
    found = np.exp(forecaster.log_densities(train).time[zero]).mean()
    assert found == pytest.approx(zero.mean(), abs=0.08)
    [forecast] = forecaster.forecast(train.select(range(4)), 400, generator())
    assert (forecast.samples.gap == 0).mean() == pytest.approx(zero.mean(), abs=0.08)


def test_a_resumed_training_gives_the_same_weights(tmp_path):
    whole = trainer(bursts(12), tmp_path / "whole")
    whole.fit()
    stopped = trainer(bursts(12), tmp_path / "parts")

    class Stop(Exception):
        pass

    def stop(record, folder):
        if record.epoch == 2:
            raise Stop

    stopped.hooks = replace(stopped.hooks, on_epoch=stop)
    with pytest.raises(Stop):
        stopped.fit()
    resumed = trainer(bursts(12), tmp_path / "parts")
    assert resumed.resume()
    resumed.fit()
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0)


def test_what_asks_for_it_without_a_likelihood_or_a_logarithm_is_refused():
    train = random_sequences([8, 8])
    scaler = fit_scaler([train], ScalingSettings())
    with pytest.raises(SpecError, match=r"time_law.*objective\.kind to likelihood"):
        Smash.untrained(SIZES, ObjectiveSettings(), train, scaler, 3)
    linear = fit_scaler([train], ScalingSettings(log_normalization=False))
    with pytest.raises(SpecError, match=r"time_law.*log_normalization"):
        Smash.untrained(SIZES, LIKELIHOOD, train, linear, 3)


@pytest.mark.parametrize("places", ["score", "mixture", "history"])
def test_draws_of_times_and_marks_are_those_of_the_law_whatever_the_place(places):
    train = bursts()
    torch.manual_seed(0)
    scaler = fit_scaler([train], ScalingSettings())
    sizes = replace(SIZES, location_law=places, base="climatology")
    model = Smash.untrained(sizes, LIKELIHOOD, train, scaler, 2).eval()
    torch.nn.init.normal_(model.network.time.out.weight, std=0.1)
    sampling = SamplingSettings(location_steps=2, denoise="posterior")
    law = ModelForecaster(model, sampling).law_after(train.select([1]))
    samples = law.sample(3000, generator(2))
    assert kstest(law.cdf(samples.gap)[0], "uniform").pvalue > 1e-3
    np.testing.assert_allclose(
        samples.mark_probability[0], np.bincount(samples.mark[0], minlength=2) / 3000, atol=0.03
    )
