"""Cycles that events keep to: the day and the week, where training data show them."""

import numpy as np

from smash.data.clock import SECONDS
from smash.data.events import EventSequences

CYCLES = ("days", "weeks")
LEAST = 0.1
"""Of a cycle in which events' phases have a mean less long than this, a model learns little."""
SURE = 3.0
"""Standard errors that this mean is long at least."""
TURNS = 3.0
"""Turns of a cycle in a window, below which it is the window's own course. Events come in bursts,
so that stretches of so many turns count as independent."""


def cycles(train: EventSequences, time_unit: str) -> tuple[float, ...]:
    """Returns the lengths, in units of time, of the cycles that training events keep to.

    The phases of events in a cycle, as unit vectors, have a mean length of 0 where they are even
    and of 1 where all are the same (Rayleigh's test of directions).

    Example: `cycles(dataset.train, "hours")` is `(24.0,)` where nights are quiet and weekends not.
    """
    if time_unit not in SECONDS:
        return ()
    spans = np.diff(train.window)[:, 0]
    found = []
    for cycle in CYCLES:
        length = SECONDS[cycle] / SECONDS[time_unit]
        if np.median(spans) < TURNS * length:
            continue
        phase = np.exp(2j * np.pi * train.time / length)
        stretch = np.floor(train.relative_time / (TURNS * length))
        _, which = np.unique([train.sequence, stretch], axis=1, return_inverse=True)
        of_stretch = np.zeros(which.max() + 1, dtype=complex)
        np.add.at(of_stretch, which.reshape(-1), phase)
        total = abs(of_stretch.sum())
        error = np.sqrt((np.abs(of_stretch) ** 2).sum())
        if total > LEAST * train.n_events and total > SURE * error:
            found.append(length)
    return tuple(found)
