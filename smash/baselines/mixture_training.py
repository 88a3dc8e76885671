"""Training of the mixture: exact maximum likelihood, the best epoch by validation."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smash.baselines.mixture import Mixture, MixtureSettings
from smash.baselines.mixture_inputs import Batch, MixtureData, Pieces, Standardisation
from smash.data.batching import shuffled_by_length
from smash.data.events import EventSequences
from smash.errors import TrainingError

LENGTH_POOL = 8
"""Batches are cut from pools of this many, sorted by length."""


@dataclass(frozen=True)
class MixtureEpoch:
    """What one epoch gave: mean negative log densities of targets, standardised, in nats."""

    epoch: int
    loss: float
    validation_loss: float
    seconds: float


def fit_mixture(
    train: EventSequences,
    validation: EventSequences,
    n_marks: int,
    time_unit: str,
    generator: torch.Generator,
    settings: MixtureSettings,
    device: str = "cpu",
    on_batch: Callable[[int, float], None] = lambda n_targets, loss: None,
    on_epoch: Callable[[MixtureEpoch], None] = lambda epoch: None,
) -> Mixture:
    """Returns the mixture of the epoch under which validation targets are likeliest.

    On a CPU it depends on data, settings and the state of `generator` alone.

    Args:
        train: events to learn from; they alone standardise the inputs.
        validation: events that choose the epoch.
        n_marks: K; for unmarked events 1.
        time_unit: seconds, minutes, hours or days let the network see the phase of day and week.
        generator: on the CPU; draws first weights and the order of sequences.
        settings: sizes and schedule.
        device: where to train.
        on_batch: called with each batch's targets and loss.
        on_epoch: called after each epoch.

    Raises:
        TrainingError: when loss or gradient is not finite.
    """
    model = _new_model(train, n_marks, time_unit, generator, settings).to(device)
    data, held_out = (
        model.data(part, Pieces.cut(part, settings.piece_events, settings.warm_up_events))
        for part in (train, validation)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    batch_size = _batch_size(data, settings)
    best_loss, best = float("inf"), model.state_dict()
    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (1 - (epoch - 1) / settings.epochs)
        total, n_targets = 0.0, 0
        for indices in shuffled_by_length(data.lengths, batch_size, generator, LENGTH_POOL):
            batch = data.batch(indices)
            loss = _step(model, batch, optimizer, settings, f"mixture, epoch {epoch}")
            total += batch.n_targets * loss
            n_targets += batch.n_targets
            on_batch(batch.n_targets, loss)
        validation_loss = _mean_loss(model, held_out, batch_size)
        if validation_loss < best_loss:
            best_loss = validation_loss
            best = {name: value.clone() for name, value in model.state_dict().items()}
        seconds = time.perf_counter() - started
        on_epoch(MixtureEpoch(epoch, total / n_targets, validation_loss, seconds))
    model.load_state_dict(best)
    return model.eval()


def _new_model(
    train: EventSequences,
    n_marks: int,
    time_unit: str,
    generator: torch.Generator,
    settings: MixtureSettings,
) -> Mixture:
    """Returns an untrained mixture whose components start spread over the training targets."""
    standardisation = Standardisation.of(train, time_unit)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Mixture(settings, n_marks, standardisation)
    m = settings.components
    targets = train.targets()
    zero_share = ((targets.gap == 0).sum() + 0.5) / (len(targets) + 1)
    log_gap = torch.from_numpy(standardisation.scale_gap(targets.gap[targets.gap > 0]))
    location = torch.from_numpy(standardisation.scale_location(targets.location))
    chosen = location[torch.randint(len(location), (m,), generator=generator)]
    model.first.fit(train, n_marks)
    with torch.no_grad():
        gap_bias = model.gap_head.out.bias
        gap_bias[0] = torch.logit(torch.tensor(zero_share))
        gap_bias[1 + m : 1 + 2 * m] = log_gap.sort().values[_middles(len(log_gap), m)]
        if model.location_head is not None:
            model.location_head.out.bias[m : 3 * m] = chosen.T.flatten()
    return model


def _batch_size(data: MixtureData, settings: MixtureSettings) -> int:
    """Returns pieces a batch: about `batch_events`, fewer where an epoch has too few batches."""
    by_events = round(settings.batch_events / float(data.lengths.mean()))
    return max(1, min(by_events, len(data) // settings.least_batches))


def _middles(n: int, m: int) -> Tensor:
    """Returns (m,) the places of the quantiles (i + ½) / m among n sorted values."""
    return ((torch.arange(m) + 0.5) / m * n).long()


def _step(
    model: Mixture,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    settings: MixtureSettings,
    where: str,
) -> float:
    """Takes one optimiser step and returns the loss."""
    optimizer.zero_grad()
    loss = _loss(model, batch)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise TrainingError(
            f"{where}: the loss is {float(loss.detach())} and its gradient's norm {float(norm)}; "
            "look for extreme outliers among gaps and locations, or leave mixture out of baselines"
        )
    optimizer.step()
    return float(loss.detach())


def _loss(model: Mixture, batch: Batch) -> Tensor:
    """Returns the negative log likelihood of a batch, event-free window ends included, a target."""
    states = model.states(batch)
    total = model.target_log_density(batch, states).sum() + model.log_survival(batch, states).sum()
    return -total / batch.n_targets


@torch.no_grad()
def _mean_loss(model: Mixture, data: MixtureData, batch_size: int) -> float:
    total, n_targets = 0.0, 0
    for start in range(0, len(data), batch_size):
        batch = data.batch(list(range(start, min(start + batch_size, len(data)))))
        total += batch.n_targets * float(_loss(model, batch))
        n_targets += batch.n_targets
    return total / n_targets
