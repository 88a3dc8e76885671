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
    own: tuple[Tensor, ...] | None = None,
) -> Chains:
    """Returns the chains of contexts (N, C) whose events come after z = `after` (N, 1).

    Where times carry noise, its removal moves draws across the bound, so that the late ones among
    many draws are taken. Where these are too few, and where there is no noise, the law itself is
    cut off; without noise this is exact.

    Args:
        network: the score network, in evaluation mode.
        context: (N, C).
        sigma: (1 + D,) noise scales on the z scale.
        settings: of `smash.sampling.inverse_cdf`; `total_samples` draws of each are returned.
        generator: source of all noise.
        after: until when no event came; None right after an event.
        own: as in `ScoreNet.terms`.
    """

    def draw(bound: Tensor | None) -> Chains:
        [block] = sample_inverse_cdf(
            network, context, sigma, settings, generator, after=bound, own=own
        )
        return block.chains

    if after is None or float(sigma[0]) == 0:
        return draw(after)
    drawn: list[Chains] = []
    for _ in range(ROUNDS):
        drawn.append(draw(None))
        chains = joined(drawn, dim=1)
        late = chains.z[..., 0] > after
        if int(late.sum(dim=1).min()) >= settings.total_samples:
            break
    else:
        # Draws of the law cut off stand behind the others, for events with too few late ones.
        chains = joined([chains, draw(after)], dim=1)
        cut = torch.ones_like(late[:, : settings.total_samples])
        late = torch.cat([late, cut], dim=1)
    first = late.to(torch.int8).argsort(dim=1, descending=True, stable=True)
    return _chosen(chains, first[:, : settings.total_samples])


def _chosen(chains: Chains, which: Tensor) -> Chains:
    """Returns of chains (N, S) the draws `which` (N, T) of each event."""
    rows = torch.arange(len(which), device=which.device).unsqueeze(1)
    z, mark, probability = chains
    if mark is None or probability is None:
        return Chains(z[rows, which], None, None)
    return Chains(z[rows, which], mark[rows, which], probability[rows, which])
