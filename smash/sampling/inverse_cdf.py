"""Times and marks drawn exactly from the model's law, then a short location chain.

The law of time and mark that the intensity stands for is one-dimensional in time, so its
cumulative distribution is tabulated and inverted (`GridTimeLaw`). The published chain tends to this
law on [-1, 1] as its step shrinks. Locations are drawn by a Langevin chain at the drawn time (and
mark, where the model asks for it), whose steps shrink from the box's scale to the noise's.

A likelihood-trained model brings its own law, by a grid between whose points its intensity is
linear or outright, so that times are drawn from the very law whose likelihood was maximised; they
carry no noise.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from smash.errors import ForecastError
from smash.model.grid_time_law import GridTimeLaw
from smash.model.location_head import DensityHead, Given, LocationHead, LocationTerms
from smash.model.noise_levels import LevelScoreHead
from smash.model.score_network import AtCleanTime, AtTime, ContextTerms, ScoreNet
from smash.model.time_law import TimeLaw
from smash.sampling import fused
from smash.sampling.annealing import annealed_places
from smash.sampling.chains import ChainBlock, Chains, draw_marks, joined
from smash.sampling.denoising import denoise
from smash.sampling.time_table import TimeTable
from smash.settings import SamplingSettings
from smash.sizes import in_blocks, sampling_sizes

REACH = 3.5
"""How far, in σ, the support of the noised law is taken beyond [-1, 1]."""
FIRST_STEP = 0.02
STABLE_STEP = 2.0
LAST_STEP = 0.5
"""Step sizes of the location chain: the first on the z scale, and what bounds it when the chain
starts at climatology, in units of σ²; the last in units of σ²."""
START_SPREAD = 0.5
TABLE_DRAWS = 32
"""Draws an event from which a table of the time branch is worth its making."""


def sample_inverse_cdf(
    network: ScoreNet,
    context: Tensor,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    on_steps: Callable[[int], None] | None = None,
    after: Tensor | None = None,
    own: tuple[Tensor, ...] | None = None,
) -> Iterator[ChainBlock]:
    """Yields one block: all draws of N contexts (N, C).

    Args:
        network: the score network, in evaluation mode.
        context: (N, C) contexts.
        sigma: (1 + D,) noise scales on the z scale.
        settings: `grid_points` and `support` of the time grid, `location_steps` of the location
            chain, `denoise`; the draws of `block_events` events are made at a time.
        generator: source of all noise.
        on_steps: called with the number of sample steps done, for a progress bar.
        after: (N, 1) times on the z scale until which no event came; from the start if None.
        own: as in `ScoreNet.terms`.
    """

    def drawn(rows: slice) -> Chains:
        """Returns the chains of the events `rows`."""
        known = None if own is None else tuple(part[rows] for part in own)
        terms = network.terms(context[rows], known)
        later = None if after is None else after[rows]
        part = _draw(network, terms, len(context[rows]), sigma, settings, generator, later)
        if on_steps:
            on_steps(part.z.shape[0] * part.z.shape[1] * settings.sampling_steps)
        return part

    sizes = sampling_sizes(settings, network.units, context.device)
    parts = list(in_blocks(len(context), sizes.block_events, drawn))
    yield ChainBlock(joined(parts), settings.sampling_steps, True)


def time_grid(sigma_time: float, settings: SamplingSettings, device: torch.device) -> Tensor:
    """Returns the grid (G,) of times: the box [-1, 1], or as far as noised times reach."""
    reach = 1.0 if settings.support == "box" else 1.0 + REACH * sigma_time
    return torch.linspace(-reach, reach, settings.grid_points, device=device)


def _draw(
    network: ScoreNet,
    terms: ContextTerms,
    n_events: int,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    after: Tensor | None,
) -> Chains:
    law, time_branch = _time_branch(network, terms, n_events, sigma, settings)
    time = law.draw(settings.total_samples, generator, after).unsqueeze(-1)
    _check_numbers(time)
    at_time = time_branch(time)
    probability, mark = None, None
    if network.n_marks > 1:
        probability = at_time.mark_probability()
        _check_numbers(probability)
        mark = draw_marks(probability, generator)
    given = network.given(time, at_time.mixed, mark)
    head = network.location
    location = draw_places(head, terms.location, given, sigma, settings, generator)
    z = denoise(
        lambda t: time_branch(t).score(mark),
        lambda x: head.score(x, given, terms.location),
        torch.cat([time, location], dim=-1),
        sigma,
        settings.denoise,
        generator,
    )
    if after is not None:
        # What noise leaves of the times must not bring them before what is known.
        z = torch.cat([torch.maximum(z[..., :1], after.unsqueeze(-1)), z[..., 1:]], dim=-1)
    _check_numbers(z)
    return Chains(z, mark, probability)


def draw_places(
    head: LocationHead,
    terms: LocationTerms,
    given: Given,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Tensor:
    """Returns places (N, S, D) on the z scale, of a score head with its noise `sigma` (1 + D,)."""
    if isinstance(head, DensityHead):
        return head.draw(given, terms, generator)
    if isinstance(head, LevelScoreHead):
        return annealed_places(head, terms, given, settings.location_steps, generator)
    return _walk(head, terms, given, float(sigma[1]), settings, generator)


def _check_numbers(drawn: Tensor) -> None:
    if not torch.isfinite(drawn).all():
        raise ForecastError(
            "the model's answer is no number (NaN or infinite): its weights are damaged, or the "
            "history is far from all that it was trained on; check both"
        )


def _time_branch(
    network: ScoreNet,
    terms: ContextTerms,
    n_events: int,
    sigma: Tensor,
    settings: SamplingSettings,
) -> tuple[TimeLaw, Callable[[Tensor], AtTime | AtCleanTime]]:
    """Returns the law of N events' times, and the network at times (N, Q, 1).

    With an intensity, for few draws the network itself, for many a table of it. Times beyond the
    law's reach count as its ends.
    """
    if network.gives_law:
        law = network.time_law(terms, n_events)

        def at_clean_time(t: Tensor) -> AtCleanTime:
            mixed = network.mixed(network.within_reach(t), terms)
            return AtCleanTime(law.log_mark(t.squeeze(-1)), mixed)

        return law, at_clean_time
    grid = network.law_grid
    if grid is None:
        grid = time_grid(float(sigma[0]), settings, sigma.device)
    if settings.total_samples < TABLE_DRAWS:
        points = grid.expand(n_events, -1).unsqueeze(-1)

        def at_time(t: Tensor) -> AtTime:
            return network.at_time(t.clamp(grid[0], grid[-1]), terms)

        return GridTimeLaw(grid, network.intensity(points, terms), network.law_growth), at_time
    table = TimeTable(network, terms, n_events, grid)
    return GridTimeLaw(grid, table.at_grid.intensity, network.law_growth), table.at_time


def _walk(
    head: LocationHead,
    terms: LocationTerms,
    given: Given,
    sigma_loc: float,
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Tensor:
    """Returns locations (N, S, 2) after a chain whose steps shrink geometrically.

    With a base it starts at climatology's places, spread as they should be, and steps no further
    than the noise lets it stay stable; else it has to come from all over the box.
    """
    n_events, n_draws, _ = given.time.shape

    def noise() -> Tensor:
        shape = (n_events, n_draws, 2)
        return torch.randn(shape, generator=generator, device=given.time.device)

    reach = 1.0 if settings.support == "box" else 1.0 + REACH * sigma_loc
    start = head.draw_start((n_events, n_draws), generator)
    if start is None:
        x, first = START_SPREAD * noise(), FIRST_STEP
    else:
        x = start
        first = min(FIRST_STEP, STABLE_STEP * sigma_loc**2)
    sizes = step_sizes(settings.location_steps, sigma_loc, first)
    if settings.fused and fused.walks_places(head, x.device):
        return fused.walk_places(head, terms, given, x, sizes, reach, generator)
    for size in sizes:
        score = head.score(x, given, terms)
        x = x.add(score, alpha=0.5 * size).add_(noise(), alpha=math.sqrt(size))
        x.clamp_(-reach, reach)
    return x


def step_sizes(n_steps: int, sigma_loc: float, first: float = FIRST_STEP) -> list[float]:
    """Returns the sizes of the location chain's steps, from `first` to the noise's scale."""
    last = LAST_STEP * sigma_loc**2
    first = max(first, last)
    if n_steps == 1:
        return [last]
    return [first * (last / first) ** (i / (n_steps - 1)) for i in range(n_steps)]
