"""Fused kernels walk as plain chains do; on a CPU, in Triton's interpreter."""

import math
import os

import pytest
import torch
from scipy.stats import kstest

from smash.data.scaling import Scaler
from smash.model.smash import Smash
from smash.sampling import fused
from smash.sampling.chains import Chains
from smash.settings import ModelSettings

SCALER = Scaler(True, 1e-4, -9.0, 3.0, (0.0, 0.0), (1.0, 1.0))
STEP, N_CHAINS = 0.05, 40
interpreted = pytest.mark.skipif(
    not fused.has_triton() or os.environ.get("TRITON_INTERPRET") != "1",
    reason="needs triton, and TRITON_INTERPRET=1",
)


def model_of(n_marks: int, by_mark: bool = False, units: int = 16) -> Smash:
    torch.manual_seed(0)
    settings = ModelSettings(cond_dim=8, n_layers=1, num_units=units, mark_in_location=by_mark)
    model = Smash(settings, n_marks, SCALER).eval()
    if model.network.mark_shift is not None:
        torch.nn.init.normal_(model.network.mark_shift.weight)
    return model


def start(model: Smash, n_events: int = 2) -> tuple[torch.Tensor, Chains]:
    generator = torch.Generator().manual_seed(1)
    context = torch.randn(n_events, model.encoder.size, generator=generator)
    z = 0.5 * torch.randn(n_events, N_CHAINS, 3, generator=generator)
    if model.n_marks == 1:
        return context, Chains(z, None, None)
    mark = torch.randint(model.n_marks, (n_events, N_CHAINS), generator=generator)
    return context, Chains(z, mark, z.new_zeros(n_events, N_CHAINS, model.n_marks))


def plain_step(network, terms, chains: Chains):
    here = network.at_time(chains.z[..., :1], terms)
    given = network.given(chains.z[..., :1], here.mixed, chains.mark)
    place = network.location.score(chains.z[..., 1:], given, terms.location)
    score = torch.cat([here.score(chains.mark).unsqueeze(-1), place], dim=-1)
    return chains.z.add(score, alpha=0.5 * STEP).clamp(-1, 1), here.intensity


@interpreted
@pytest.mark.parametrize(("n_marks", "by_mark"), [(3, False), (4, True), (1, False)])
@torch.no_grad()
def test_a_step_without_noise_is_the_plain_one(n_marks, by_mark):
    model = model_of(n_marks, by_mark)
    network = model.network
    context, chains = start(model)
    terms, before = network.terms(context), chains.z.clone()
    generator = torch.Generator().manual_seed(0)
    walked = fused.walk(network, terms, chains, 1, STEP, generator, 0.0, "ieee")
    z, intensity = plain_step(network, terms, chains)
    torch.testing.assert_close(walked.z, z)
    torch.testing.assert_close(chains.z, before)
    if n_marks > 1:
        torch.testing.assert_close(walked.probability, intensity)


@interpreted
@torch.no_grad()
def test_steps_follow_each_other_and_the_last_intensities_are_kept():
    model = model_of(1)
    context, chains = start(model)
    terms, generator = model.network.terms(context), torch.Generator().manual_seed(0)
    walked = fused.walk(model.network, terms, chains, 3, STEP, generator, 0.0, "ieee")
    for _ in range(3):
        chains = Chains(plain_step(model.network, terms, chains)[0], None, None)
    torch.testing.assert_close(walked.z, chains.z, rtol=1e-4, atol=1e-5)


@interpreted
@torch.no_grad()
def test_noise_is_standard_normal_and_seeded_by_the_generator():
    model = model_of(3)
    context, chains = start(model, n_events=6)
    terms = model.network.terms(context)
    chains = chains._replace(z=torch.zeros_like(chains.z))
    size = 1e-4  # so that no clamp is reached

    def walk(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return fused.walk(model.network, terms, chains, 1, size, generator, 1.0, "ieee").z

    still = fused.walk(model.network, terms, chains, 1, size, torch.Generator(), 0.0, "ieee").z
    noise = (walk(0) - still) / math.sqrt(size)
    assert kstest(noise.flatten().numpy(), "norm").pvalue > 0.01
    assert torch.equal(walk(0), walk(0))
    assert not torch.equal(walk(0), walk(1))
    halves = noise.flatten(0, 1).mT  # time, x, y apart, and from event to event
    assert torch.corrcoef(halves).triu(1).abs().max() < 0.2


@interpreted
@torch.no_grad()
def test_marks_are_drawn_by_their_intensities():
    model = model_of(4)
    context, chains = start(model, n_events=16)
    terms = model.network.terms(context)
    generator = torch.Generator().manual_seed(0)
    walked = fused.walk(model.network, terms, chains, 1, STEP, generator, 1.0, "ieee")
    assert walked.mark is not None
    assert walked.probability is not None
    p = walked.probability / walked.probability.sum(-1, keepdim=True)
    expected, seen = p.sum((0, 1)), torch.bincount(walked.mark.flatten(), minlength=4)
    spread = (p * (1 - p)).sum((0, 1)).sqrt()
    assert ((seen - expected).abs() < 3.5 * spread).all()


@interpreted
@torch.no_grad()
def test_places_walk_as_plain_ones():
    model = model_of(3)
    context, chains = start(model)
    network, head = model.network, model.network.location
    terms, x = network.terms(context), chains.z[..., 1:]
    given = network.given(chains.z[..., :1], network.mixed(chains.z[..., :1], terms), chains.mark)
    sizes = [1e-12, 1e-12]
    generator = torch.Generator().manual_seed(0)
    still = fused.walk_places(head, terms.location, given, x, sizes, 0.4, generator, "ieee")
    torch.testing.assert_close(still, x.clamp(-0.4, 0.4), rtol=0, atol=1e-4)
    far = fused.walk_places(head, terms.location, given, x, [1.0], math.inf, generator, "ieee")
    noise = far - x - 0.5 * head.score(x, given, terms.location)
    assert kstest(noise.flatten().numpy(), "norm").pvalue > 0.01


def test_half_precision_is_left_where_hidden_units_may_be_large(monkeypatch):
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    model = model_of(3)
    context, _ = start(model)

    def precision() -> str:
        with torch.no_grad():
            terms = model.network.terms(context)
            parts = fused._place_parts(model.network.location, terms.location)
            bounds = fused._time_bounds(model.network.time, terms) + fused._place_bounds(parts)
            return fused._precision(bounds)

    assert precision() == "float16"
    with torch.no_grad():
        model.network.time.trunk[1].weight.mul_(1e5)
    assert precision() == "tf32"


@torch.no_grad()
def test_hidden_units_stay_within_their_bounds():
    model = model_of(3)
    context, chains = start(model, n_events=20)
    terms = model.network.terms(context)
    hidden, slope = model.network.time._hidden_with_slope(
        chains.z[..., :1].clamp(-1, 1), terms.time
    )
    # In their order: slope and hidden units of the first layer, a matrix, then of each layer.
    bounds = fused._time_bounds(model.network.time, terms)
    slope_bound, hidden_bound = bounds[5], bounds[6]
    assert (slope.abs() <= slope_bound.unsqueeze(0) + 1e-5).all()
    assert (hidden <= hidden_bound + 1e-5).all()


def test_only_a_gpu_and_published_heads_are_fused():
    model = model_of(3)
    assert not fused.walks(model.network, torch.device("cpu"))
    assert not fused.walks_places(model.network.location, torch.device("cpu"))
