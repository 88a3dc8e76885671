"""Time and mark by exact likelihood; location by score matching at the event's own time.

On the z scale of the (log) gap the law of time and mark is λ(t, k) exp(-∫ Σ_l λ), an integral in
one dimension. The intensity is taken as linear between the points of the model's grid, where the
integral is exact, and the same law is what `sampling.inverse_cdf` draws from. Unlike a score,
which p / (S + c) leaves unchanged for every c ≥ 0, the likelihood tells the rate itself: what a
model leaves beyond the grid's end is lost to it.

The location's score is learned at the clean time, as the sampler asks for it at times that carry
no noise.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.blocks import slices
from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.errors import SpecError
from smash.model.location_head import DensityHead, Given
from smash.model.score_matching import Loss
from smash.model.score_network import ContextTerms, ScoreNet
from smash.model.smash import Smash
from smash.model.time_law import TimeLaw
from smash.settings import ObjectiveSettings

Floats = NDArray[np.float64]
BLOCK_EVENTS = 128


def time_law(network: ScoreNet, terms: ContextTerms, n_events: int) -> TimeLaw:
    """Returns the law of time and mark of N contexts with a likelihood-trained network."""
    grid = network.law_grid
    assert grid is not None
    return TimeLaw(grid, network.intensity(grid.expand(n_events, -1).unsqueeze(-1), terms))


def likelihood_loss(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
    settings: ObjectiveSettings,
) -> Loss:
    """Returns the mean loss of N events: -log p(t), -log p(k | t) and the location's score.

    Arguments are those of `smash.model.score_matching.score_matching_loss`; of `noise` (N, Q, 3)
    only the location's part is used.
    """
    log_likelihood = time_law(network, terms, len(z)).log_likelihood(z[:, :1])[:, 0]
    time = -log_likelihood.logsumexp(-1).mean()
    location = _location_loss(network, terms, z, mark, noise[..., 1:], sigma[1:])
    mark_loss = torch.zeros_like(time)
    if mark is not None:
        mark_loss = -log_likelihood.log_softmax(-1).gather(1, mark[:, None]).mean()
    total = time + mark_loss + settings.loss_lambda2 * location
    return Loss(total, time, location, mark_loss)


def survival_loss(network: ScoreNet, terms: ContextTerms, left: Tensor) -> Loss:
    """Returns the mean of -log P(no event until `left`) (M,) after M last events."""
    time = time_law(network, terms, len(left)).compensator_at(left[:, None]).mean()
    nothing = torch.zeros_like(time)
    return Loss(time, time, nothing, nothing)


class LogDensity(NamedTuple):
    """`gap` (N,) log p(gap) in raw units, `mark` (N,) log p(mark | gap), None if unmarked.

    `location` (N,) log p(location | gap, mark) in raw units; None of a model that knows its score
    alone. `unmarked` (N,) log p(gap, location) with the mark summed out, None where `location` is.
    Where gaps are cells, `gap` is the log of the cell's mean density; a gap of zero has the
    log of its probability. Places on a lattice count with the density in the middle of their cells.
    """

    gap: Floats
    mark: Floats | None
    location: Floats | None
    unmarked: Floats | None


@torch.no_grad()
def log_density(model: Smash, sequences: EventSequences, batch_size: int = 32) -> LogDensity:
    """Returns the log density of every target of `sequences`, in their order.

    Raises:
        SpecError: when the model was trained by score matching, which knows no density of
            clean times.
    """
    if not model.law_points:
        raise SpecError(
            "objective.kind: score_matching gives no density of the data, only one of data with "
            "noise; train with objective.kind=likelihood"
        )
    model.eval()
    gap, start = sequences.targets().gap, 0
    gaps: list[Floats] = []
    marks: list[Floats] = []
    places: list[Floats] = []
    every: list[Floats] = []
    for batch in ScaledSequences(sequences, model.scaler, str(model.device)).batches(batch_size):
        contexts, (z, mark) = model.contexts(batch), batch.targets()
        for rows in slices(len(contexts), BLOCK_EVENTS):
            terms = model.network.terms(contexts[rows])
            law = time_law(model.network, terms, len(z[rows]))
            gaps.append(log_gap_density(law, gap[start : start + len(z[rows])], model.scaler))
            start += len(z[rows])
            log_mark = law.log_likelihood(z[rows, :1])[:, 0].log_softmax(-1)  # (n, K)
            own = None if mark is None else mark[rows, None]
            if own is not None:
                marks.append(_numbers(log_mark.gather(1, own)[:, 0]))
            if isinstance(model.network.location, DensityHead):
                at_mark = _place_by_mark(model, terms, z[rows], log_mark.shape[1])  # (n, K or 1)
                of_own = at_mark
                if own is not None and at_mark.shape[1] > 1:
                    of_own = at_mark.gather(1, own)
                places.append(_numbers(of_own[:, 0]))
                every.append(_numbers((log_mark + at_mark).logsumexp(-1)))
    of_gap, slope = np.concatenate(gaps), model.scaler.log_location_slope()
    return LogDensity(
        of_gap,
        np.concatenate(marks) if marks else None,
        np.concatenate(places) + slope if places else None,
        of_gap + np.concatenate(every) + slope if every else None,
    )


def _place_by_mark(model: Smash, terms: ContextTerms, z: Tensor, n_marks: int) -> Tensor:
    """Returns (N, K) log densities of N places given each mark; (N, 1) where none matters."""
    head, x = model.network.location, z[:, None, 1:]
    assert isinstance(head, DensityHead)
    if model.network.mark_shift is None:
        return head.log_density(x, _given(model.network, terms, z, None), terms.location)
    found = []
    for k in range(n_marks):
        mark = torch.full((len(z),), k, device=z.device)
        found.append(head.log_density(x, _given(model.network, terms, z, mark), terms.location))
    return torch.cat(found, dim=1)


def _numbers(value: Tensor) -> Floats:
    found: Floats = value.double().cpu().numpy()
    return found


def log_gap_density(law: TimeLaw, gap: Floats, scaler: Scaler) -> Floats:
    """Returns the log density of gaps (N,) in raw units under the laws of N events."""

    def z(position: float) -> Tensor:
        u = scaler.scale_gap(gap, position)
        return (2 * torch.from_numpy(u)[:, None] - 1).to(law.grid)

    def density_at(position: float) -> Floats:
        density: Floats = law.log_density(z(position)).logsumexp(-1)[:, 0].double().cpu().numpy()
        return density

    if not scaler.gap_cell:
        return density_at(0.0) + scaler.log_gap_slope(gap)
    low, high = law.compensator_at(z(0.0)), law.compensator_at(z(1.0))
    total = law.compensator[:, -1:]
    mass = (-torch.expm1(low - high)).log() - low - (-torch.expm1(-total)).log()
    log_mass = mass[:, 0].double().cpu().numpy()
    if scaler.gap_lattice:
        return log_mass - np.where(gap > 0, np.log(scaler.gap_cell), 0.0)
    return np.where(gap < scaler.gap_cell, log_mass, density_at(0.0) + scaler.log_gap_slope(gap))


def _location_loss(
    network: ScoreNet,
    terms: ContextTerms,
    z: Tensor,
    mark: Tensor | None,
    noise: Tensor,
    sigma: Tensor,
) -> Tensor:
    """Returns Σ ½ σ² (s(x + σ ε) + ε / σ)² / 3, or -log p(x | t, k) of a head that knows it.

    The published mean is over three coordinates; so `loss_lambda2` weighs the same here.
    """
    given, x = _given(network, terms, z, mark), z[:, None, 1:]
    if isinstance(network.location, DensityHead):
        return -network.location.log_density(x, given, terms.location).mean()
    score = network.location.score(x + sigma * noise, given, terms.location)
    return 0.5 * (sigma * score + noise).square().sum(-1).mean() / 3


def _given(network: ScoreNet, terms: ContextTerms, z: Tensor, mark: Tensor | None) -> Given:
    """Returns the times and marks, one of each event, that locations are conditioned on."""
    time = z[:, None, :1]
    mixed = network.mixed(time, terms)
    return network.given(time, mixed, None if mark is None else mark[:, None])
