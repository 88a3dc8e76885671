"""The tabulated time branch stands for the exact one, point by point and in distribution."""

from dataclasses import replace

import pytest
import torch
from known_law import KnownLaw
from scipy.stats import ks_2samp

from smash.model.score_network import ScoreNet
from smash.sampling.langevin import sample_langevin
from smash.sampling.time_table import TimeTable
from smash.settings import ModelSettings, SamplingSettings

SIGMA = torch.tensor([0.2, 0.1, 0.1])
GRID = torch.linspace(-1, 1, 256)


def network() -> ScoreNet:
    torch.manual_seed(2)
    return ScoreNet(ModelSettings(cond_dim=8, num_units=16), 3).eval()


@torch.inference_mode()
def test_a_table_is_exact_on_its_grid_and_close_between():
    net, context = network(), 2 * torch.randn(5, 32)
    terms = net.terms(context)
    table = TimeTable(net, terms, 5, GRID)
    on_grid = GRID.expand(5, -1).unsqueeze(-1)
    torch.testing.assert_close(table.at_time(on_grid), net.at_time(on_grid, terms))
    between = on_grid[:, :-1] + 0.37 * GRID.diff()[:, None]
    for name in ("intensity", "mixed"):
        near, exact = (
            getattr(f(between), name) for f in (table.at_time, lambda t: net.at_time(t, terms))
        )
        assert (near - exact).abs().max() < 2e-3 * exact.abs().max()
    near, exact = table.at_time(between).score(None), net.at_time(between, terms).score(None)
    # A ReLU's kink inside a cell is a step of the slope: rare, and no larger than the slope.
    assert (near - exact).abs().quantile(0.99) < 0.02 * exact.abs().max()


def test_times_beyond_the_grid_count_as_its_ends():
    table = TimeTable(KnownLaw(), torch.zeros(2, 4), 2, GRID)
    beyond = torch.tensor([-3.0, 5.0]).expand(2, 2).unsqueeze(-1)
    torch.testing.assert_close(table.at_time(beyond), table.at_time(beyond.clamp(-1, 1)))


@pytest.mark.parametrize("denoise", ["none", "tweedie"])
def test_a_chain_with_a_table_draws_the_same_law(denoise):
    settings = SamplingSettings(
        langevin_step=0.01,
        sampling_steps=150,
        per_step=150,
        denoise=denoise,
        total_samples=1500,
        n_samples=1500,
        location_steps=20,
    )
    net, context = network(), 2 * torch.randn(2, 32)
    with torch.inference_mode():
        chains = [
            next(sample_langevin(net, context, SIGMA, chosen, torch.Generator().manual_seed(seed)))
            for seed, chosen in enumerate((settings, replace(settings, time_table=True)))
        ]
    exact, tabulated = (block.chains for block in chains)
    for event in range(2):
        for coordinate in range(3):
            pair = [c.z[event, :, coordinate].numpy() for c in (exact, tabulated)]
            assert ks_2samp(*pair).pvalue > 0.005
    marks = [torch.bincount(c.mark.flatten(), minlength=3) / 3000 for c in (exact, tabulated)]
    torch.testing.assert_close(*marks, rtol=0, atol=0.04)
