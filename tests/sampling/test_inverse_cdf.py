"""Exact draws of time and mark, short location chains, and denoising, against known laws."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from known_law import KnownLaw
from scipy.integrate import cumulative_trapezoid
from scipy.stats import ks_2samp, kstest, truncexpon

from smash.model.grid_time_law import GridTimeLaw
from smash.model.score_network import ScoreNet
from smash.sampling.denoising import denoise
from smash.sampling.inverse_cdf import sample_inverse_cdf, step_sizes
from smash.sampling.langevin import sample_langevin
from smash.settings import ModelSettings, SamplingSettings

SETTINGS = SamplingSettings(
    sampler="inverse_cdf", denoise="none", total_samples=2000, location_steps=100, block_events=1
)
SIGMA = torch.tensor([0.2, 0.1, 0.1])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def wavy_law(n_events: int = 3) -> GridTimeLaw:
    grid = torch.linspace(-1, 1, 200, dtype=torch.double)
    phase = torch.arange(n_events).double().view(-1, 1, 1)
    waves = torch.stack([1.5 + (4 * grid).sin(), 0.5 + grid.square()], -1)
    return GridTimeLaw(grid, (1 + phase) * waves)


def test_the_density_integrates_to_one():
    time = torch.linspace(-1, 1, 20_001, dtype=torch.double).expand(3, -1)
    density = wavy_law().log_density(time).exp()
    integral = torch.trapezoid(density, time)
    torch.testing.assert_close(integral, torch.ones(3).double(), rtol=1e-4, atol=0)


def test_draws_follow_the_density():
    law = wavy_law(1)
    draws = law.draw(4000, generator())[0].sort().values
    time = torch.linspace(-1, 1, 4001, dtype=torch.double).unsqueeze(0)
    density = law.log_density(time).exp()
    cumulative = torch.cumulative_trapezoid(density, time)[0].numpy()
    grid = time[0, 1:].numpy()

    assert kstest(draws.numpy(), lambda t: np.interp(t, grid, cumulative)).pvalue > 0.01


def test_inversion_undoes_the_compensator():
    law = wavy_law(1)
    target = torch.linspace(0.01, float(law.compensator[0, -1]) - 0.01, 50).double().unsqueeze(0)
    times = law.invert(target)
    assert (times.diff() > 0).all()
    # Between grid points the intensity is linear, so the trapezoid rule on a finer grid is exact.
    fine = np.linspace(-1, 1, 199 * 50 + 1)
    total = np.interp(fine, law.grid.numpy(), law.total[0].numpy())
    compensator = cumulative_trapezoid(total, fine, initial=0)
    reached = np.interp(times[0].numpy(), fine, compensator)
    np.testing.assert_allclose(reached, target[0].numpy(), atol=1e-4)


def test_a_known_law_is_drawn_exactly():
    (block,) = sample_inverse_cdf(KnownLaw(), torch.zeros(2, 4), SIGMA, SETTINGS, generator())
    z, mark, _ = block.chains
    gap = (z[..., 0] + 1).flatten().numpy()
    assert kstest(gap, truncexpon(b=8, scale=1 / 4).cdf).pvalue > 0.01
    assert (mark == 1).double().mean().item() == pytest.approx(0.25, abs=0.03)
    # The chain's last steps are small beside the law's spread, its drift is not yet gone.
    assert z[..., 1:].mean().item() == pytest.approx(0.1, abs=0.02)
    assert z[..., 1:].std().item() == pytest.approx(0.2, rel=0.1)


def test_a_long_chain_of_small_steps_agrees_on_a_network():
    """The published chain tends to the law drawn here, truncated to [-1, 1]."""
    torch.manual_seed(2)
    network = ScoreNet(ModelSettings(cond_dim=8, num_units=16), 3).eval()
    context = 2 * torch.randn(2, 32)
    chain = SamplingSettings(
        langevin_step=0.002,
        sampling_steps=2500,
        per_step=2500,
        denoise="none",
        total_samples=500,
        n_samples=500,
    )
    exact = replace(SETTINGS, total_samples=500, location_steps=1)
    with torch.inference_mode():
        (a,) = sample_langevin(network, context, SIGMA, chain, generator())
        (b,) = sample_inverse_cdf(network, context, SIGMA, exact, generator())
    for event in range(2):
        times = [block.chains.z[event, :, 0].numpy() for block in (a, b)]
        assert ks_2samp(*times).pvalue > 0.01
    marks = [torch.bincount(block.chains.mark.flatten(), minlength=3) / 1000 for block in (a, b)]
    torch.testing.assert_close(*marks, rtol=0, atol=0.07)


class GaussianLaw:
    """Scores of the noised law of a normal truth: time N(0.2, 0.3²), location correlated."""

    spread = torch.tensor([[0.04, 0.03], [0.03, 0.09]])

    def time_score(self, t):
        return ((0.2 - t) / (0.3**2 + SIGMA[0] ** 2)).squeeze(-1)

    def location_score(self, x):
        return -x @ torch.linalg.inv(self.spread + SIGMA[1] ** 2 * torch.eye(2))


def test_a_posterior_draw_gives_back_the_law_before_noise():
    law, n = GaussianLaw(), 200_000
    rng = generator()
    time = 0.2 + 0.3 * torch.randn(1, n, 1, generator=rng)
    location = torch.randn(1, n, 2, generator=rng) @ torch.linalg.cholesky(law.spread).mT
    clean = torch.cat([time, location], -1)
    noised = clean + SIGMA * torch.randn(1, n, 3, generator=rng)
    scores = (law.time_score, law.location_score)
    drawn = denoise(*scores, noised, SIGMA, "posterior", rng)[0]
    mean = denoise(*scores, noised, SIGMA, "tweedie", rng)[0]
    expected = torch.block_diag(torch.tensor([[0.09]]), law.spread)
    torch.testing.assert_close(drawn.T.cov(), expected, rtol=0.03, atol=2e-3)
    torch.testing.assert_close(drawn.mean(0), clean[0].mean(0), rtol=0, atol=3e-3)
    # The mean alone is too narrow, the noised draw too wide.
    assert mean[:, 0].var() < 0.75 * 0.09 < 1.3 * 0.09 < noised[0, :, 0].var()
    assert denoise(*scores, noised, SIGMA, "none", rng) is noised


def test_steps_shrink_from_the_box_to_the_noise():
    sizes = step_sizes(50, 0.03)
    assert all(a > b for a, b in pairwise(sizes))
    assert sizes[-1] == pytest.approx(0.5 * 0.03**2)
    assert step_sizes(1, 0.03) == [pytest.approx(0.5 * 0.03**2)]


def test_support_reaches_as_far_as_asked():
    wide = replace(SETTINGS, support="noised")
    for settings, reach in ((SETTINGS, 1.0), (wide, 1.7)):
        (block,) = sample_inverse_cdf(KnownLaw(), torch.zeros(2, 4), SIGMA, settings, generator())
        low = block.chains.z[..., 0].min()
        assert -reach <= low < -reach + 0.05
