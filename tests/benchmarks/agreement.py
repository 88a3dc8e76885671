"""Fused kernels held against the plain way on a GPU: step by step without noise, and as laws."""

from dataclasses import replace
from typing import Any

import torch
from scipy.stats import chisquare, ks_2samp

from smash.data.scaling import Scaler
from smash.model.smash import Smash
from smash.sampling import fused, sample_blocks
from smash.sampling.chains import Chains
from smash.sampling.langevin import _start
from smash.settings import ModelSettings, SamplingSettings

SCALER = Scaler(True, 1e-4, -9.0, 3.0, (0.0, 0.0), (1.0, 1.0))
DEVICE, STEP = "cuda", 0.01
EXACT = {"ieee": 1e-4, "tf32": 2e-2, "float16": 2e-2, "bfloat16": 1e-1}
"""How far steps without noise may end from the plain ones, by the digits of products."""


def agreement() -> list[dict[str, Any]]:
    """Returns a line for each comparison: what, how far apart, and how far they may be."""
    return [*steps_without_noise(), *same_law()]


def model_of(units: int, n_marks: int, spread: float = 1.0) -> tuple[Smash, torch.Tensor]:
    torch.manual_seed(0)
    settings = ModelSettings(cond_dim=16, num_units=units, mark_in_location=n_marks == 4)
    model = Smash(settings, n_marks, SCALER).eval()
    if model.network.mark_shift is not None:
        torch.nn.init.normal_(model.network.mark_shift.weight)
    context = spread * torch.randn(40, model.encoder.size)
    return model.to(DEVICE), context.to(DEVICE)


@torch.inference_mode()
def steps_without_noise() -> list[dict[str, Any]]:
    found = []
    for units, n_marks, precision in (
        (16, 3, "ieee"),
        (16, 1, "ieee"),
        (32, 4, "ieee"),
        (64, 3, "tf32"),
        (64, 3, "float16"),
        (64, 4, "float16"),
        (64, 3, "bfloat16"),
    ):
        model, context = model_of(units, n_marks)
        network, generator = model.network, torch.Generator(DEVICE).manual_seed(0)
        terms, start = network.terms(context), start_of(network, context, generator)
        walked = fused.walk(network, terms, start, 1, STEP, generator, 0.0, precision)
        plain = plain_step(network, terms, start)
        apart = float((walked.z - plain).abs().max())
        line = f"one step, H={units}, K={n_marks}, {precision}: {apart:.2g} apart"
        found.append({"line": line, "apart": apart, "at_most": EXACT[precision]})
    return found


def start_of(network, context: torch.Tensor, generator: torch.Generator) -> Chains:
    settings = SamplingSettings(sampler="langevin", total_samples=300)
    return _start(network, context, 3, settings, generator)


def plain_step(network, terms, chains: Chains) -> torch.Tensor:
    here = network.at_time(chains.z[..., :1], terms)
    given = network.given(chains.z[..., :1], here.mixed, chains.mark)
    place = network.location.score(chains.z[..., 1:], given, terms.location)
    score = torch.cat([here.score(chains.mark).unsqueeze(-1), place], dim=-1)
    return chains.z.add(score, alpha=0.5 * STEP).clamp(-1.0, 1.0)


@torch.inference_mode()
def same_law() -> list[dict[str, Any]]:
    """Compares draws of the whole chain and of the fast sampler, event by event."""
    found = []
    for name, settings in (
        ("langevin", SamplingSettings(sampler="langevin", denoise="tweedie", langevin_step=STEP)),
        ("inverse_cdf", SamplingSettings()),
    ):
        settings = replace(settings, sampling_steps=300, per_step=300, total_samples=4000)
        model, context = model_of(64, 3, spread=2.0)
        drawn = [
            list(
                sample_blocks(
                    model,
                    context,
                    replace(settings, fused=way),
                    torch.Generator(DEVICE).manual_seed(seed),
                )
            )[-1].chains
            for seed, way in enumerate((True, False))
        ]
        values = [
            ks_2samp(*(one.z[event, :, axis].cpu().numpy() for one in drawn)).pvalue
            for event in range(len(context))
            for axis in range(3)
        ]
        marks = [mark_agreement(drawn, event) for event in range(len(context))]
        # Of so many p values, each uniform if the laws are equal, the least times their number.
        for what, least in (("times and places", values), ("marks", marks)):
            p = min(1.0, min(least) * len(least))
            line = f"{name}, {what}: p = {p:.2g} of {len(least)} tests"
            found.append({"line": line, "p": p, "at_least": 0.001})
    return found


def mark_agreement(drawn: list[Chains], event: int) -> float:
    counts = [torch.bincount(one.mark[event], minlength=3).double().cpu() for one in drawn]
    both = counts[0] + counts[1]
    kept = both > 0
    expected = torch.cat([both[kept] / 2, both[kept] / 2])
    return float(
        chisquare(torch.cat([c[kept] for c in counts]), expected, ddof=int(kept.sum())).pvalue
    )
