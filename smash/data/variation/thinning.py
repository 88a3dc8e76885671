"""Thinned sequences: what a training sees so that it learns rates from history, not by heart.

A point process whose events are dropped at random is a point process at a lower rate. A model
trained on sequences thinned each in its own way has to tell the rate, the share of each mark and
the quiet hours of a sequence from the events before, as it must where test data have drifted from
training data.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.events import EventSequences

LONGEST_ARC = 2 / 3


def thinned(
    sequences: EventSequences, depth: float, period: float | None, generator: torch.Generator
) -> EventSequences:
    """Returns `sequences` with events dropped at random.

    Of each sequence and mark a share is dropped that is uniform up to `depth`. With a `period`,
    half of the sequences also lose what falls into an arc of the period, that starts anywhere and
    is up to `LONGEST_ARC` periods long: all of it, or as often a share uniform up to 1. A sequence
    of which fewer than two events would be left stays whole.
    """
    n_marks = 1 if sequences.mark is None else int(sequences.mark.max()) + 1

    def draw(*shape: int) -> NDArray[np.float64]:
        drawn: Tensor = torch.rand(shape, generator=generator, dtype=torch.float64)
        return drawn.numpy()

    of_mark = 1 - depth * draw(len(sequences), n_marks)
    mark = np.zeros(sequences.n_events, np.int64) if sequences.mark is None else sequences.mark
    keep = of_mark[sequences.sequence, mark]
    if period is not None:
        start, width, share, kind = draw(4, len(sequences))
        lost = np.select([kind < 0.5, kind < 0.75], [0.0, 1.0], share)
        phase = sequences.time / period % 1.0
        within = (phase - start[sequences.sequence]) % 1.0 < LONGEST_ARC * width[sequences.sequence]
        keep = keep * np.where(within, 1 - lost[sequences.sequence], 1.0)
    kept = draw(sequences.n_events) < keep
    left = np.bincount(sequences.sequence[kept], minlength=len(sequences))
    rows = np.flatnonzero(kept | (left < 2)[sequences.sequence])
    lengths = np.where(left < 2, sequences.lengths, left)
    return sequences.with_rows(rows, lengths)
