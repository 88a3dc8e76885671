"""Futures drawn event by event, each event with all before it as its history."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import slices
from smash.errors import ForecastError
from smash.law.paths import Paths, check_explosion, check_total, sorted_paths
from smash.law.samples import Samples
from smash.law.state import State
from smash.sizes import paths_at_once

FEWER = 0.75
"""Share of a block's paths still on their way below which the others are let go."""

OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class _Events:
    """One event of each of P paths: `path`, `time`, `gap` (P,), `location` (P, D), `mark` (P,).

    And `magnitude` (P,), where events have one.
    """

    path: NDArray[np.int64]
    time: NDArray[np.float64]
    gap: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None
    magnitude: NDArray[np.float64] | None

    def __getitem__(self, rows: NDArray) -> "_Events":
        return _Events(
            self.path[rows],
            self.time[rows],
            self.gap[rows],
            self.location[rows],
            None if self.mark is None else self.mark[rows],
            None if self.magnitude is None else self.magnitude[rows],
        )


def roll_out(
    start: Callable[[int], State],
    last: float,
    now: float,
    horizon: float,
    n_paths: int,
    generator: torch.Generator,
    max_events: int,
    on_progress: OnProgress = lambda share: None,
) -> Paths:
    """Returns `n_paths` futures of a history until `horizon` beyond `now`.

    Args:
        start: gives what is known on so many paths, all with that history.
        last: raw time of the history's last event, or the window's start.
        now: raw time until when no further event came.
        horizon: how far to go beyond `now`, in raw units of time.
        n_paths: how many futures.
        generator: source of all draws.
        max_events: most events of a path.
        on_progress: called with the share of the work that was done since the last call.

    Raises:
        ForecastError: when a path has more events than `max_events`, all together more than
            `smash.law.paths.MOST_IN_ALL`, or a draw is no number.
    """
    end = now + horizon
    drawn: list[_Events] = []
    n_events = 0
    for rows in slices(n_paths, paths_at_once(generator.device)):
        paths = np.arange(rows.start, rows.stop)
        done, share = 0.0, len(paths) / n_paths
        for number, newest in enumerate(
            _block(start(len(paths)), last, now, end, paths, generator), start=1
        ):
            within = newest.time <= end
            drawn.append(newest[within])
            n_events += int(within.sum())
            check_total(n_events, n_paths)
            slowest = float(newest.time.min()) - now
            if within.any():
                check_explosion(number, max_events, slowest, horizon)
            reached = min(max(slowest / horizon, done), 1.0)
            on_progress((reached - done) * share)
            done = reached
    marks = [events.mark for events in drawn if events.mark is not None]
    sizes = [events.magnitude for events in drawn if events.magnitude is not None]
    return sorted_paths(
        n_paths,
        now,
        horizon,
        np.concatenate([events.path for events in drawn]),
        np.concatenate([events.time for events in drawn]),
        np.concatenate([events.location for events in drawn]),
        np.concatenate(marks) if marks else None,
        np.concatenate(sizes) if sizes else None,
    )


def _block(
    state: State,
    last: float,
    now: float,
    end: float,
    paths: NDArray[np.int64],
    generator: torch.Generator,
) -> Iterator[_Events]:
    """Yields the first events of the paths, then the second ones, until all are beyond `end`.

    A path that is beyond goes on for a while, until many are and all these are let go.
    """
    law, time = state.law(), np.full(len(paths), last)
    if now > last:
        law = law.given_no_event_until(np.full(len(paths), now - last))
    while True:
        newest = _events(law.sample(1, generator), paths, time)
        yield newest
        going = newest.time <= end
        if not going.any():
            return
        # Events that never come are not to be told to a forecaster.
        if going.mean() < FEWER or not np.isfinite(newest.gap).all():
            state.keep(np.flatnonzero(going))
            newest = newest[going]
        paths, time = newest.path, newest.time
        state.append(newest.gap, newest.location, newest.mark, newest.magnitude)
        law = state.law()


def _events(samples: Samples, paths: NDArray[np.int64], last: NDArray[np.float64]) -> _Events:
    """Returns the events of samples (P, 1), after last ones (P,)."""
    gap, location = samples.gap[:, 0], samples.location[:, 0]
    if np.isnan(gap).any() or not np.isfinite(location[np.isfinite(gap)]).all():
        raise ForecastError(
            "the draws after this history are not numbers: its events are too unlike those of the "
            "training data, or the model was trained too little"
        )
    mark = None if samples.mark is None else samples.mark[:, 0]
    magnitude = None if samples.magnitude is None else samples.magnitude[:, 0]
    return _Events(paths, last + gap, gap, location, mark, magnitude)
