"""Steps in the same places of memory are the steps one after the other."""

from dataclasses import replace

import pytest
import torch

from smash.sampling import sample_blocks
from smash.sampling.chains import Chains
from smash.sampling.repeating import repeated
from smash.settings import SamplingSettings

CHAIN = SamplingSettings(
    sampler="langevin", sampling_steps=12, per_step=5, total_samples=7, n_samples=4
)


def walk(chains: Chains) -> Chains:
    return Chains(0.5 * chains.z + 1, None, None)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_step_is_done_as_often_as_asked_and_its_start_is_left_alone(recorded):
    start = torch.zeros(2, 3, 3)
    after = repeated(walk, Chains(start, None, None), 3, generator(), recorded)
    torch.testing.assert_close(after.z, torch.full((2, 3, 3), 1.75))
    assert not start.any()


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
        ),
    ],
)
def test_a_recorded_chain_draws_what_a_plain_one_draws(device, small_model):
    model = small_model.eval().to(device)
    torch.manual_seed(1)
    context = torch.randn(3, model.encoder.size, device=device)
    blocks = []
    for recorded in (False, True):
        settings = replace(CHAIN, cuda_graph=recorded)
        numbers = torch.Generator(device).manual_seed(0)
        blocks.append([b.chains.z for b in sample_blocks(model, context, settings, numbers)])
    plain, again = blocks
    assert len(plain) == 3
    if device == "cpu":
        torch.testing.assert_close(again, plain, rtol=0, atol=0)
    else:  # the steps that warm a graph up take numbers from the generator
        torch.testing.assert_close(
            torch.stack(again).std(), torch.stack(plain).std(), rtol=0.3, atol=0
        )
