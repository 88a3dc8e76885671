r"""Score matching of clean times that knows where they can lie, and whether one comes at all.

With the score ψ(z) = ∂_z log Σ_l λ(z, l) − Σ_l λ(z, l) of a gap on the z scale, its true ψ* and
density p*, and a weight h >= 0 that is 0 at both ends of an interval,

    ½ E[h (ψ − ψ*)²] = E[½ h ψ² + (h ψ)'] + a constant,

as E[h ψ ψ*] = ∫ h ψ p*' = −E[(h ψ)'] by parts, without a term at the ends (Cao, Zhang, Zhou, arXiv
2410.04037; without h that term is lost, and the estimator with it). Gaps of events that came lie
between 0 and what was left of the window, and the score of a truncated law is that of the whole: so
h is the distance to the nearer end (arXiv 2512.04617), here of the model's grid cut at the window's
end b. The score leaves p / (S + c) open for every c. What tells c is whether an event comes before
b: −log(1 − S(b)) of events that do, −log S(b) after last events, a proper score of its own (the
survival classification of arXiv 2512.04617, by the model's own S).

A network of ReLUs has kinks, at which ψ jumps, so that its derivative misses what (h ψ)' holds
there. Both parts are therefore those of gaps spread evenly over z ± δ, where the second is a
difference, exact across kinks. Marks are told by their cross-entropy, places by their own score.
"""

from torch import Tensor

from smash.model.likelihood import location_loss, survival_loss
from smash.model.score_matching import Loss, mark_errors
from smash.model.score_network import ContextTerms, ScoreNet
from smash.settings import ObjectiveSettings

SPREAD = 0.02
"""δ, on the z scale."""
LEAST = 1e-12
"""Least probability that a logarithm is taken of."""


def distance_to_ends(z: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Returns h of z, 0 from either end on."""
    return ((high - low) / 2 - (z - (low + high) / 2).abs()).clamp_min(0)


def around(z: Tensor) -> Tensor:
    """Returns (N, 3) z - δ, z and z + δ of z (N,)."""
    return z.unsqueeze(-1) + z.new_tensor([-SPREAD, 0.0, SPREAD])


def weighted_errors(score: Tensor, weight: Tensor) -> Tensor:
    """Returns ½ h ψ² + (h ψ)' (N,) over z ± δ, of ψ and h (N, 3) as `around` has them."""
    first, middle, last = (0.5 * weight * score.square()).unbind(-1)
    flow = weight * score
    return (first + 4 * middle + last) / 6 + (flow[:, 2] - flow[:, 0]) / (2 * SPREAD)


def weighted_score_matching_loss(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
    settings: ObjectiveSettings,
    until: Tensor,
) -> Loss:
    """Returns the mean loss of N events.

    Arguments are those of `smash.model.score_matching.score_matching_loss`; of `noise` only the
    location's part is used. `until` (N,): z of how long each gap could have been, NaN where that is
    not known.
    """
    low, high = _ends(network, until)
    time, at = z[:, 0], around(z[:, 0])
    at_time = network.at_time(at.unsqueeze(-1), terms)
    weight = distance_to_ends(at, low, high.unsqueeze(-1))
    matched = weighted_errors(at_time.score(None), weight).mean()
    survived = network.time_law(terms, len(z)).compensator_at(high.unsqueeze(-1))[:, 0]
    comes = -(-(-survived).expm1()).clamp_min(LEAST).log()
    of_time = matched + comes.where(time <= high, survived).mean()
    location = location_loss(network, terms, z, mark, noise[..., 1:], sigma[1:])
    mark_loss = of_time.new_zeros(())
    if mark is not None:
        probability = at_time.mark_probability()[:, 1:2]
        mark_loss = mark_errors(probability, mark[:, None], settings.smooth).mean()
    total = of_time + settings.loss_lambda * mark_loss + settings.loss_lambda2 * location
    return Loss(total, of_time, location, mark_loss)


def no_event_loss(network: ScoreNet, terms: ContextTerms, left: Tensor) -> Loss:
    """Returns the mean of -log P(no event until `left`) (M,) after M last events, up to the grid's
    end, beyond which the score knows nothing.
    """
    _, high = _ends(network, left)
    return survival_loss(network, terms, high)


def _ends(network: ScoreNet, until: Tensor) -> tuple[Tensor, Tensor]:
    """Returns where h begins and (N,) where it ends."""
    grid = network.law_grid
    assert grid is not None
    return grid[0], until.nan_to_num(float(grid[-1])).clamp(grid[0], grid[-1])
