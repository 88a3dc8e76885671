"""Draws of the next event given that none has come for a while."""

import torch
from torch import Tensor

from smash.model.score_network import ScoreNet
from smash.sampling.chains import Chains, joined
from smash.sampling.inverse_cdf import sample_inverse_cdf
from smash.settings import SamplingSettings

ROUNDS = 20
"""How many times the wanted number is drawn, at most, to find enough late ones."""


def draw_after(
    network: ScoreNet,
    context: Tensor,
    sigma: Tensor,
    settings: SamplingSettings,
    generator: torch.Generator,
    after: Tensor | None,
) -> Chains:
    """Returns the chains of one context (1, C) whose events come after z = `after` (1, 1).

    Where times carry noise, its removal moves draws across the bound, so that the late ones among
    many draws are taken. Where these are too few, and where there is no noise, the law itself is
    cut off; without noise this is exact.

    Args:
        network: the score network, in evaluation mode.
        context: (1, C).
        sigma: (3,) noise scales on the z scale.
        settings: of `smash.sampling.inverse_cdf`; `total_samples` draws are returned.
        generator: source of all noise.
        after: until when no event came; None right after an event.
    """

    def draw(bound: Tensor | None) -> Chains:
        [block] = sample_inverse_cdf(network, context, sigma, settings, generator, after=bound)
        return block.chains

    if after is None or float(sigma[0]) == 0:
        return draw(after)
    late: list[Chains] = []
    for _ in range(ROUNDS):
        chains = draw(None)
        late.append(_of_draws(chains, chains.z[0, :, 0] > after[0]))
        if sum(part.z.shape[1] for part in late) >= settings.total_samples:
            return _of_draws(joined(late, dim=1), slice(settings.total_samples))
    return draw(after)


def _of_draws(chains: Chains, kept: Tensor | slice) -> Chains:
    z, mark, probability = chains
    if mark is None or probability is None:
        return Chains(z[:, kept], None, None)
    return Chains(z[:, kept], mark[:, kept], probability[:, kept])
