"""Coarser products, where they are asked for: while samples are drawn, and of the same law."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import ks_2samp

from smash.sampling import sample_blocks
from smash.sampling.precision import drawn_with
from smash.settings import SamplingSettings


def precisions_seen():
    for _ in range(3):
        yield torch.get_float32_matmul_precision()


def test_it_holds_while_blocks_are_drawn_and_not_between():
    for seen in drawn_with("medium", precisions_seen()):
        assert seen == "medium"
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == "highest"


def test_it_ends_with_an_error_too():
    def failing():
        raise RuntimeError("out of memory")
        yield

    with pytest.raises(RuntimeError, match="out of memory"):
        next(drawn_with("medium", failing()))
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("sampler", ["langevin", "inverse_cdf"])
def test_coarse_products_draw_the_same_law(sampler, small_model):
    model = small_model.eval()
    exact = SamplingSettings(
        sampler=sampler,
        langevin_step=0.01,
        sampling_steps=150,
        per_step=150,
        total_samples=1500,
        n_samples=1500,
        location_steps=20,
    )
    torch.manual_seed(1)
    context = 2 * torch.randn(2, model.encoder.size)
    drawn = [
        next(sample_blocks(model, context, chosen, torch.Generator().manual_seed(seed))).chains
        for seed, chosen in enumerate((exact, replace(exact, matmul_precision="medium")))
    ]
    for event in range(2):
        for coordinate in range(3):
            pair = [chains.z[event, :, coordinate].numpy() for chains in drawn]
            assert ks_2samp(*pair).pvalue > 0.005
