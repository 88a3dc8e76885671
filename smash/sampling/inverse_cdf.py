"""Times and marks drawn exactly from the model's law, then a short location chain.

The law of time and mark that the intensity stands for is one-dimensional in time, so its
cumulative distribution is tabulated and inverted (`TimeLaw`). The published chain tends to this
law on [-1, 1] as its step shrinks. Locations are drawn by a Langevin chain at the drawn time (and
mark, where the model asks for it), whose steps shrink from the box's scale to the noise's.

A likelihood-trained model brings its own grid, between whose points its intensity is linear, so
that times are drawn from the very law whose likelihood was maximised; they carry no noise.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from smash.sampling.chains import ChainBlock, Chains, draw_marks, slices
from smash.sampling.denoising import denoise
from smash.sampling.time_law import TimeLaw
from smash.sampling.time_table import TimeTable
from smash.scorenet import ContextTerms, ScoreNet
from smash.settings import SamplingSettings

REACH = 3.5
"""How far, in σ, the support of the noised law is taken beyond [-1, 1]."""
FIRST_STEP = 0.02
STABLE_STEP = 2.0
LAST_STEP = 0.5
"""Step sizes of the location chain: the first on the z scale, and what bounds it when the chain
starts at climatology, in units of σ²; the last in units of σ²."""
START_SPREAD = 0.5


def sample_inverse_cdf(
    network: ScoreNet,
    context: Tensor,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    on_steps: Callable[[int], None] | None = None,
) -> Iterator[ChainBlock]:
    """Yields one block: all draws of N contexts (N, C).

    Args:
        network: the score network, in evaluation mode.
        context: (N, C) contexts.
        sigma: (3,) noise scales on the z scale.
        settings: `grid_points` and `support` of the time grid, `location_steps` of the location
            chain, `denoise`; the draws of `block_events` events are made at a time.
        generator: source of all noise.
        on_steps: called with the number of sample steps done, for a progress bar.
    """
    parts = []
    for rows in slices(len(context), settings.block_events):
        terms = network.terms(context[rows])
        part = _draw(network, terms, len(context[rows]), sigma, settings, generator)
        parts.append(part)
        if on_steps:
            on_steps(part.z.shape[0] * part.z.shape[1] * settings.sampling_steps)
    yield ChainBlock(_joined(parts), settings.sampling_steps, True)


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
) -> Chains:
    grid = network.law_grid
    if grid is None:
        grid = time_grid(float(sigma[0]), settings, sigma.device)
    table = TimeTable(network, terms, n_events, grid)
    time = TimeLaw(grid, table.at_grid.intensity).draw(settings.total_samples, generator)
    time = time.unsqueeze(-1)
    at_time = table.at_time(time)
    probability, mark = None, None
    if network.n_marks > 1:
        probability = at_time.mark_probability()
        mark = draw_marks(probability, generator)
    mixed = network.with_mark(at_time.mixed, mark)
    location = _walk(network, terms, mixed, float(sigma[1]), settings, generator)
    z = denoise(
        lambda t: table.at_time(t).score(mark),
        lambda x: network.location_score(x, mixed, terms),
        torch.cat([time, location], dim=-1),
        sigma,
        settings.denoise,
        generator,
    )
    return Chains(z, mark, probability)


def _walk(
    network: ScoreNet,
    terms: ContextTerms,
    mixed: Tensor,
    sigma_loc: float,
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Tensor:
    """Returns locations (N, S, 2) after a chain whose steps shrink geometrically.

    With a base it starts at climatology's places, spread as they should be, and steps no further
    than the noise lets it stay stable; else it has to come from all over the box.
    """
    shape = (*mixed.shape[:2], 2)

    def noise() -> Tensor:
        return torch.randn(shape, generator=generator, device=mixed.device)

    reach = 1.0 if settings.support == "box" else 1.0 + REACH * sigma_loc
    if network.base is None:
        x, first = START_SPREAD * noise(), FIRST_STEP
    else:
        x = network.base.draw_location(mixed.shape[:2], generator)
        first = min(FIRST_STEP, STABLE_STEP * sigma_loc**2)
    for size in step_sizes(settings.location_steps, sigma_loc, first):
        score = network.location_score(x, mixed, terms)
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


def _joined(parts: list[Chains]) -> Chains:
    marks = [part.mark for part in parts if part.mark is not None]
    probabilities = [part.probability for part in parts if part.probability is not None]
    return Chains(
        torch.cat([part.z for part in parts]),
        torch.cat(marks) if marks else None,
        torch.cat(probabilities) if probabilities else None,
    )
