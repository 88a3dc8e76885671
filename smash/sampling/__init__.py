"""Samplers of the next event, one file each, behind one function."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from smash.model.smash import Smash
from smash.sampling.chains import ChainBlock, to_samples
from smash.sampling.inverse_cdf import sample_inverse_cdf
from smash.sampling.langevin import sample_langevin
from smash.sampling.precision import drawn_with
from smash.settings import SamplingSettings
from smash.sizes import sampling_sizes

__all__ = ["ChainBlock", "sample_blocks", "to_samples"]

SAMPLERS = {"langevin": sample_langevin, "inverse_cdf": sample_inverse_cdf}


@torch.inference_mode()
def sample_blocks(
    model: Smash,
    context: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    on_steps: Callable[[int], None] | None = None,
) -> Iterator[ChainBlock]:
    """Yields the chains of N contexts (N, C), block by block, by the sampler of `settings`.

    Samplers that need no blocks yield once.
    """
    sigma = model.noise_scale()
    sampler = SAMPLERS[settings.sampler]
    blocks = sampler(model.network, context, sigma, settings, generator, on_steps)
    sizes = sampling_sizes(settings, model.network.units, context.device)
    yield from drawn_with(sizes.matmul_precision, blocks)
