"""Folded sequences: what a clock of twelve hours makes of a week when a.m. and p.m. get lost.

The weeks of `crime` from some day on have no event between 13 h and 1 h, and twice as many in the
hours left: their afternoons were recorded as mornings. No training week is like that, so that a
model has to be shown what its own weeks would look like on such a clock.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.data.groups import joined

HOURS = 12
FEWEST = 20
"""Events of a sequence that say by what hours they lack how it was recorded."""


def folded(
    sequences: EventSequences, share: float, day: float, generator: torch.Generator
) -> EventSequences:
    """Returns `sequences`, each with probability `share` as a clock of twelve hours shows it.

    Times are counted from a midnight, `day` of their units a day. The clock shows 12 h after
    midnight as after noon, so that folded days last from 1 h to 13 h.
    """
    tossed = torch.rand(len(sequences), generator=generator).numpy() < share
    return _shown(sequences, tossed, day)


def with_folded(sequences: EventSequences, day: float) -> EventSequences:
    """Returns `sequences`, and then each again as a clock of twelve hours shows it."""
    return joined([sequences, _shown(sequences, np.ones(len(sequences), dtype=bool), day)])


def _shown(sequences: EventSequences, tossed: NDArray[np.bool_], day: float) -> EventSequences:
    """Returns `sequences`, the tossed (M,) of them with the times that such a clock shows."""
    half, hour = day / 2, day / 2 / HOURS
    midnight = np.floor(sequences.time / day) * day
    shown = midnight + (sequences.time - midnight - hour) % half + hour
    time = np.where(tossed[sequences.sequence], shown, sequences.time)
    rows = np.lexsort((time, sequences.sequence))
    return replace(sequences.with_rows(rows, sequences.lengths), time=time[rows])


def looks_folded(sequences: EventSequences, day: float) -> NDArray[np.bool_]:
    """Returns (M,) True for sequences of `FEWEST` events or more, none of them from 13 h to 1 h."""
    hour = sequences.time / day * 2 * HOURS
    late = (hour - 1) % (2 * HOURS) >= HOURS
    n_late = np.bincount(sequences.sequence[late], minlength=len(sequences))
    return (n_late == 0) & (sequences.lengths >= FEWEST)
