"""Futures of a model: events drawn one after another, each with all before it as its history."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.batching import Batch, ScaledSequences
from smash.forecast.histories import History
from smash.forecast.paths import Paths, check_explosion, check_total, sorted_paths
from smash.forecast.reach import numbers
from smash.model.encoder_memory import GrowingHistories
from smash.model.smash import Smash
from smash.sampling import to_samples
from smash.sampling.chains import Chains
from smash.sampling.inverse_cdf import sample_inverse_cdf
from smash.sampling.waiting import draw_after
from smash.settings import SamplingSettings

BLOCK_PATHS = 256
"""Paths rolled out together: enough for long tensors, few enough for the caches."""
FEWER = 0.75
"""Share of a block's paths still on their way below which the others are let go."""

OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class _Events:
    """One event of each of P paths: `path`, `time`, `gap` (P,), `location` (P, 2), `mark` (P,)."""

    path: NDArray[np.int64]
    time: NDArray[np.float64]
    gap: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None

    def __getitem__(self, rows: NDArray) -> "_Events":
        return _Events(
            self.path[rows],
            self.time[rows],
            self.gap[rows],
            self.location[rows],
            None if self.mark is None else self.mark[rows],
        )


@torch.inference_mode()
def roll_out(
    model: Smash,
    history: History,
    after: Tensor | None,
    horizon: float,
    n_paths: int,
    settings: SamplingSettings,
    generator: torch.Generator,
    max_events: int,
    on_progress: OnProgress = lambda share: None,
) -> Paths:
    """Returns `n_paths` futures of a history of one event or more.

    Args:
        model: in evaluation mode.
        history: raw events, and until when no further one came.
        after: z (1, 1) of how long no event has come; None right after an event.
        horizon: how far to go beyond `history.now`, in raw units of time.
        n_paths: how many futures.
        settings: how an event is drawn.
        generator: source of all draws.
        max_events: most events of a path.
        on_progress: called with the share of the work that was done since the last call.

    Raises:
        ForecastError: when a path has more events than `max_events`, all together more than
            `smash.forecast.paths.MOST_IN_ALL`, or a draw is no number.
    """
    end = history.now + horizon
    drawn: list[_Events] = []
    n_events = 0
    for first in range(0, n_paths, BLOCK_PATHS):
        paths = np.arange(first, min(first + BLOCK_PATHS, n_paths))
        done, share = 0.0, len(paths) / n_paths
        events = _block(model, history, after, end, paths, settings, generator)
        for number, newest in enumerate(events, start=1):
            within = newest.time <= end
            drawn.append(newest[within])
            n_events += int(within.sum())
            check_total(n_events, n_paths)
            slowest = float(newest.time.min()) - history.now
            if within.any():
                check_explosion(number, max_events, slowest, horizon)
            reached = min(max(slowest / horizon, done), 1.0)
            on_progress((reached - done) * share)
            done = reached
    return sorted_paths(
        n_paths,
        history.now,
        horizon,
        np.concatenate([events.path for events in drawn]),
        np.concatenate([events.time for events in drawn]),
        np.concatenate([events.location for events in drawn]),
        np.concatenate([events.mark for events in drawn if events.mark is not None])
        if model.marked
        else None,
    )


def _block(
    model: Smash,
    history: History,
    after: Tensor | None,
    end: float,
    paths: NDArray[np.int64],
    settings: SamplingSettings,
    generator: torch.Generator,
) -> Iterator[_Events]:
    """Yields the first events of the paths, then the second ones, until all are beyond `end`.

    A path that is beyond goes on for a while, until many are and all these are let go.
    """
    network, sigma = model.network, model.noise_scale()
    common = ScaledSequences(history.events, model.scaler, str(model.device)).batch([0])
    histories = GrowingHistories(model.encoder, common, len(paths))
    first = replace(settings, total_samples=len(paths))
    chains = draw_after(network, histories.context[:1], sigma, first, generator, after)
    chains = _turned(chains)
    one = replace(settings, total_samples=1)
    time, wait = np.full(len(paths), history.last), history.elapsed
    while True:
        newest = _raw(chains, model, paths, time, wait)
        yield newest
        going = newest.time <= end
        if not going.any():
            return
        if going.mean() < FEWER:
            histories.keep(torch.from_numpy(np.flatnonzero(going)).to(model.device))
            newest = newest[going]
        paths, time, wait = newest.path, newest.time, 0.0
        histories.append(_batch(newest, history, model))
        [block] = sample_inverse_cdf(network, histories.context, sigma, one, generator)
        chains = block.chains


def _turned(chains: Chains) -> Chains:
    """Returns S draws of one event (1, S) as one draw of each of S paths (S, 1)."""
    z, mark, probability = chains
    if mark is None or probability is None:
        return Chains(z.transpose(0, 1), None, None)
    return Chains(z.transpose(0, 1), mark.transpose(0, 1), probability.transpose(0, 1))


def _raw(
    chains: Chains,
    model: Smash,
    paths: NDArray[np.int64],
    last: NDArray[np.float64],
    wait: float,
) -> _Events:
    """Returns the events of chains (P, 1), none sooner than `wait` after the last ones (P,)."""
    samples = numbers(to_samples(chains, model.scaler))
    # Scaling there and back rounds.
    gap = np.maximum(samples.gap[:, 0], wait)
    mark = None if samples.mark is None else samples.mark[:, 0]
    return _Events(paths, last + gap, gap, samples.location[:, 0], mark)


def _batch(newest: _Events, history: History, model: Smash) -> Batch:
    """Returns one event of each path as the encoder takes it."""
    scaler, device, n_paths = model.scaler, model.device, len(newest.path)
    u = np.column_stack([scaler.scale_gap(newest.gap), scaler.scale_location(newest.location)])
    time = torch.from_numpy((newest.time - history.start).astype(np.float32))
    return Batch(
        time=time[:, None].to(device),
        u=torch.from_numpy(u.astype(np.float32))[:, None].to(device),
        mark=None if newest.mark is None else torch.from_numpy(newest.mark)[:, None].to(device),
        length=torch.ones(n_paths, dtype=torch.long, device=device),
        start=torch.full((n_paths,), history.start, dtype=torch.float64, device=device),
    )
