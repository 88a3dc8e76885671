"""Scores by a law's own cdf are those of its draws without their noise."""

import numpy as np
import pytest
import scoringrules
import torch
from scipy.stats import kstest

from smash.law.log_normal_times import LogNormalTimes, kernel_times
from smash.law.next_event_law import TimePart
from smash.scores.law_times import law_crps, law_pit
from smash.scores.proper import fair_crps
from smash.simulate.self_exciting_law import SelfExcitingTimes

N = 1000


def log_normals(mean, scale) -> LogNormalTimes:
    none = np.full(len(mean), -np.inf)
    return LogNormalTimes(none, np.zeros((len(mean), 1)), mean[:, None], scale[:, None])


def with_zeros(n_events: int) -> LogNormalTimes:
    numbers = np.random.default_rng(4)
    gaps = np.where(numbers.random(500) < 0.3, 0.0, numbers.lognormal(size=500))
    return kernel_times(gaps, n_events)


class Lattice(TimePart):
    """Whole gaps, each longer by one with probability exp(-rate)."""

    cell = 1.0

    def __init__(self, n_events: int, rate: float) -> None:
        self.n_events, self.rate = n_events, rate

    def __len__(self):
        return self.n_events

    def log_density(self, gap):
        raise NotImplementedError

    def log_survival(self, gap):
        return -self.rate * (np.floor(gap + 1e-9) + 1)


@pytest.mark.parametrize("foreseen", [True, False])
def test_the_crps_of_log_normals_is_the_closed_form(foreseen):
    numbers = np.random.default_rng(0)
    mean, scale = numbers.normal(0, 2, N), numbers.uniform(0.1, 2, N)
    gap = np.exp(numbers.normal(mean, scale) if foreseen else numbers.normal(0, 3, N))
    known = scoringrules.crps_lognormal(gap, mean, scale)
    np.testing.assert_allclose(law_crps(log_normals(mean, scale), gap), known, rtol=0.02)
    assert law_crps(log_normals(mean, scale), gap).mean() == pytest.approx(known.mean(), rel=1e-4)


@pytest.mark.parametrize("rate", [1e-6, 1.0, 1e6])
def test_the_crps_of_exponentials_is_the_closed_form_in_any_unit(rate):
    gap = np.random.default_rng(1).exponential(1 / rate, N)
    law = SelfExcitingTimes(np.array([rate]), np.zeros((N, 1)), 1.0)
    known = scoringrules.crps_exponential(gap, rate)
    np.testing.assert_allclose(law_crps(law, gap), known, rtol=1e-5)


def test_the_crps_of_a_law_with_zeros_is_that_of_its_draws():
    law = with_zeros(100)
    gap = law.draw(1, torch.Generator().manual_seed(0))[:, 0]
    drawn = fair_crps(law.draw(4000, torch.Generator().manual_seed(1)), gap)
    assert (gap == 0).any()
    np.testing.assert_allclose(law_crps(law, gap), drawn, rtol=0.05, atol=0.05)
    assert law_crps(law, gap).mean() == pytest.approx(drawn.mean(), rel=0.01)


@pytest.mark.parametrize(("cell", "near"), [(1.0, 1e-4), (0.0, 0.02)])
@pytest.mark.parametrize("rate", [1.0, 0.1])
def test_the_crps_of_gaps_on_a_lattice_is_a_sum_over_its_cells(rate, cell, near, monkeypatch):
    monkeypatch.setattr(Lattice, "cell", cell)
    gap = np.floor(np.random.default_rng(2).exponential(1 / rate, N))
    t = np.arange(1000)
    known = ((1 - np.exp(-rate * (t + 1)) - (t >= gap[:, None])) ** 2).sum(axis=1)
    assert law_crps(Lattice(N, rate), gap).mean() == pytest.approx(known.mean(), rel=near)


def test_no_event_at_all_has_no_finite_crps():
    law = SelfExcitingTimes(np.zeros(1), np.ones((3, 1)), 1.0)
    assert np.isinf(law_crps(law, np.array([0.0, 1.0, 9.0]))).all()


@pytest.mark.parametrize(
    "law", [with_zeros(N), Lattice(N, 0.3), log_normals(np.zeros(N), np.ones(N))]
)
def test_the_pit_of_a_laws_own_draws_is_uniform(law):
    if isinstance(law, Lattice):
        gap = np.floor(np.random.default_rng(3).exponential(1 / law.rate, N))
    else:
        gap = law.draw(1, torch.Generator().manual_seed(3))[:, 0]
    pit = law_pit(law, gap, torch.Generator().manual_seed(4))
    assert ((pit >= 0) & (pit <= 1)).all()
    assert kstest(pit, "uniform").pvalue > 1e-3
