"""Langevin dynamics as published (paper, algorithm 1): the chain, then its denoising."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from smash.blocks import slices
from smash.model.location_head import Given, LocationHead, LocationTerms
from smash.model.score_network import AtTime, ContextTerms, ScoreNet
from smash.model.time_branch import mark_probability
from smash.sampling import fused
from smash.sampling.chains import ChainBlock, Chains, draw_marks, joined
from smash.sampling.denoising import denoise
from smash.sampling.repeating import repeated
from smash.sampling.time_table import TimeTable
from smash.settings import SamplingSettings
from smash.sizes import SamplingSizes, in_blocks, sampling_sizes


def sample_langevin(
    network: ScoreNet,
    context: Tensor,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    on_steps: Callable[[int], None] | None = None,
) -> Iterator[ChainBlock]:
    """Yields the chains of N contexts (N, C) after every `per_step` steps, the last ones finished.

    Each step is z ← z + ½ ε s(z) + √ε ξ, clamped to [-1, 1], time and location in parallel; a
    marked chain redraws its mark from p(k | t) every step. Finishing is Tweedie's step
    z + σ² s(z); a marked chain then redraws its mark and runs `location_steps` further steps of
    the location alone, unclamped until their end, as published.

    Args:
        network: the score network, in evaluation mode.
        context: (N, C) contexts.
        sigma: (1 + D,) noise scales on the z scale.
        settings: `total_samples` chains an event, run `n_samples` at a time for `block_events`
            events, which bounds memory and, on a CPU, keeps the work in cache.
        generator: source of all noise.
        on_steps: called with the number of sample steps done, for a progress bar.
    """
    chains = _start(network, context, len(sigma), settings, generator)
    sizes = sampling_sizes(settings, network.units, context.device)
    done = 0
    while done < settings.sampling_steps:
        steps = min(settings.per_step, settings.sampling_steps - done)
        done += steps
        final = done == settings.sampling_steps

        def advanced(rows: slice, steps: int = steps, final: bool = final) -> tuple[slice, Chains]:
            """Returns all chains of the events `rows`, `steps` on."""
            terms = network.terms(context[rows])
            walk = _walk(network, terms, context[rows], settings, sizes, generator)
            parts = []
            for draws in slices(settings.total_samples, sizes.n_samples):
                part = walk(_part(chains, rows, draws), steps)
                if final:
                    part = _finish(network, terms, part, sigma, settings, generator)
                parts.append(part)
                if on_steps:
                    on_steps(part.z.shape[0] * part.z.shape[1] * steps)
            return rows, joined(parts, dim=1)

        for rows, part in in_blocks(len(context), sizes.block_events, advanced):
            _put(chains, rows, part)
        yield ChainBlock(chains, done, final)


def _start(
    network: ScoreNet,
    context: Tensor,
    n_numbers: int,
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Chains:
    shape, device = (len(context), settings.total_samples), context.device
    z = torch.randn(*shape, n_numbers, generator=generator, device=device)
    if network.n_marks == 1:
        return Chains(z, None, None)
    mark = torch.randint(network.n_marks, shape, generator=generator, device=device)
    probability = z.new_full((*shape, network.n_marks), 1 / network.n_marks)
    return Chains(0.5 * z, mark, probability)


def _time_branch(
    network: ScoreNet, terms: ContextTerms, context: Tensor, settings: SamplingSettings
) -> Callable[[Tensor], AtTime]:
    """Returns the time branch of contexts (N, C), tabulated on [-1, 1] where that is asked for."""
    if not settings.time_table:
        return partial(network.at_time, terms=terms)
    grid = torch.linspace(-1, 1, settings.grid_points, device=context.device)
    return TimeTable(network, terms, len(context), grid).at_time


def _walk(
    network: ScoreNet,
    terms: ContextTerms,
    context: Tensor,
    settings: SamplingSettings,
    sizes: SamplingSizes,
    generator: torch.Generator,
) -> Callable[[Chains, int], Chains]:
    """Returns what takes chains of the contexts (N, C) so many steps further."""
    step_size = settings.langevin_step
    if settings.fused and not settings.time_table and fused.walks(network, context.device):
        return lambda chains, steps: fused.walk(network, terms, chains, steps, step_size, generator)
    step = _step(
        network, terms, _time_branch(network, terms, context, settings), step_size, generator
    )

    def walk(chains: Chains, steps: int) -> Chains:
        recorded = chains.z.shape[:2].numel() <= sizes.cuda_graph_up_to
        z, mark, intensity = repeated(step, chains, steps, generator, recorded)
        return Chains(z, mark, None if intensity is None else mark_probability(intensity))

    return walk


def _step(
    network: ScoreNet,
    terms: ContextTerms,
    at_time: Callable[[Tensor], AtTime],
    step_size: float,
    generator: torch.Generator,
) -> Callable[[Chains], Chains]:
    """Returns what takes chains a step on, marks' intensities in place of probabilities."""
    root = math.sqrt(step_size)

    def step(chains: Chains) -> Chains:
        z, mark, _ = chains
        here = at_time(z[..., :1])
        given = network.given(z[..., :1], here.mixed, mark)
        place_score = network.location.score(z[..., 1:], given, terms.location)
        score = torch.cat([here.score(mark).unsqueeze(-1), place_score], dim=-1)
        noise = torch.randn(z.shape, generator=generator, device=z.device)
        z = z.add(score, alpha=0.5 * step_size).add_(noise, alpha=root).clamp_(-1.0, 1.0)
        if mark is None:
            return Chains(z, None, None)
        return Chains(z, draw_marks(here.intensity, generator), here.intensity)

    return step


def _finish(
    network: ScoreNet,
    terms: ContextTerms,
    chains: Chains,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Chains:
    """Returns denoised chains; for marked ones with the published further location steps."""
    z, mark, probability = chains
    time = z[..., :1]
    given = network.given(time, network.at_time(time, terms).mixed, mark)
    z = denoise(
        lambda t: network.at_time(t, terms).score(mark),
        lambda x: network.location.score(x, given, terms.location),
        z,
        sigma,
        settings.denoise,
        generator,
    )
    if mark is None or settings.denoise != "tweedie":
        return Chains(z, mark, probability)
    at_time = network.at_time(z[..., :1], terms)
    probability = mark_probability(at_time.intensity)
    mark = draw_marks(probability, generator)
    given = network.given(z[..., :1], at_time.mixed, mark)
    location = _walk_places(
        network.location, terms.location, given, z[..., 1:], settings, generator
    )
    z = torch.cat([z[..., :1], location], dim=-1)
    return Chains(z.clamp(-1.0, 1.0), mark, probability)


def _walk_places(
    head: LocationHead,
    terms: LocationTerms,
    given: Given,
    location: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Tensor:
    """Returns locations (N, S, 2) `location_steps` on."""
    step_size, root = settings.langevin_step, math.sqrt(settings.langevin_step)
    if settings.fused and fused.walks_places(head, location.device):
        sizes = [step_size] * settings.location_steps
        return fused.walk_places(head, terms, given, location, sizes, math.inf, generator)
    for _ in range(settings.location_steps):
        score = head.score(location, given, terms)
        noise = torch.randn(score.shape, generator=generator, device=location.device)
        location = location + 0.5 * step_size * score + root * noise
    return location


def _part(chains: Chains, rows: slice, draws: slice) -> Chains:
    z, mark, probability = chains
    if mark is None or probability is None:
        return Chains(z[rows, draws], None, None)
    return Chains(z[rows, draws], mark[rows, draws], probability[rows, draws])


def _put(chains: Chains, rows: slice, part: Chains) -> None:
    for whole, piece in zip(chains, part, strict=True):
        if whole is not None and piece is not None:
            whole[rows] = piece
