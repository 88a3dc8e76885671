"""Futures of a self-exciting process, exactly: generation by generation, all paths at once.

What comes after `now` is a Poisson cluster process (A. G. Hawkes, D. Oakes, Journal of Applied
Probability 11 (1974) 493-503): immigrants from the background, the offspring that past events are
still to have, and their offspring in turn, each a Poisson number at independent delays. As these
are independent of what has come, no event since the last one needs no further condition.
"""

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.law.draws import numpy_generator
from smash.law.paths import Paths, check_explosion, sorted_paths
from smash.simulate.process import HawkesProcess

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Generation = tuple[Integers, Floats, Floats, Integers]
"""Events of one generation: path (E,), time (E,), location (E, D), mark (E,)."""


def simulate_futures(
    process: HawkesProcess,
    history: EventSequences,
    now: float,
    horizon: float,
    n_paths: int,
    generator: torch.Generator,
    max_events: int,
) -> Paths:
    """Returns `n_paths` futures in (now, now + horizon] of one history, whose events have marks.

    Raises:
        ForecastError: when a path has more than `max_events` events.
    """
    numbers, end = numpy_generator(generator), now + horizon
    assert history.mark is not None
    first = _offspring(
        process,
        (
            np.repeat(np.arange(n_paths), history.n_events),
            np.tile(history.time, n_paths),
            np.tile(history.location, (n_paths, 1)),
            np.tile(history.mark, n_paths),
        ),
        now,
        end,
        numbers,
    )
    newest = _together([_immigrants(process, now, horizon, n_paths, numbers), first])
    generations = [newest]
    counts = np.bincount(newest[0], minlength=n_paths)
    while len(newest[0]):
        check_explosion(int(counts.max()), max_events, float(newest[1].min() - now), horizon)
        newest = _offspring(process, newest, now, end, numbers)
        counts += np.bincount(newest[0], minlength=n_paths)
        generations.append(newest)
    return sorted_paths(n_paths, now, horizon, *_together(generations))


def _immigrants(
    process: HawkesProcess, now: float, horizon: float, n_paths: int, numbers: Generator
) -> Generation:
    counts = numbers.poisson(process.background * horizon, (n_paths, process.n_marks))
    path, mark = np.divmod(np.repeat(np.arange(counts.size), counts.ravel()), process.n_marks)
    noise = numbers.standard_normal((len(path), process.n_axes))
    location = np.asarray(process.center) + process.background_spread * noise
    return path, now + horizon * numbers.random(len(path)), location, mark


def _offspring(
    process: HawkesProcess, parents: Generation, now: float, end: float, numbers: Generator
) -> Generation:
    """Returns the children that parents have between `now` and `end`."""
    path, time, location, mark = parents
    # Delays are exponential; what is left of them lies between these two shares of their law.
    low = -np.expm1(-process.decay * np.maximum(now - time, 0.0))
    high = -np.expm1(-process.decay * (end - time))
    counts = numbers.poisson(process.excitation[mark] * (high - low)[:, None])
    parent, child_mark = np.divmod(
        np.repeat(np.arange(counts.size), counts.ravel()), process.n_marks
    )
    share = low[parent] + (high - low)[parent] * numbers.random(len(parent))
    delay = -np.log1p(-share) / process.decay
    noise = numbers.standard_normal((len(parent), process.n_axes))
    return (
        path[parent],
        time[parent] + delay,
        location[parent] + process.spread * noise,
        child_mark,
    )


def _together(parts: list[Generation]) -> Generation:
    path, time, location, mark = (np.concatenate(column) for column in zip(*parts, strict=True))
    return path, time, location, mark
