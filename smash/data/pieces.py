"""Long sequences in pieces, each with the events before it as its history.

A training step takes whole sequences, so that one long catalogue has a step an epoch. In pieces it
has many, and all of its targets keep their past.
"""

from dataclasses import replace

import numpy as np

from smash.data.events import EventSequences


def in_pieces(sequences: EventSequences, most: int, history: int) -> EventSequences:
    """Returns sequences of at most `most` targets each, after up to `history` earlier events.

    Every target is one of one piece. A piece ends with its last event but for a sequence's last,
    which ends where the sequence does: that nothing came then is known once.
    """
    parts = [_starts(sequences, i, most) for i in range(len(sequences))]
    sequence = np.repeat(np.arange(len(sequences)), [len(part) for part in parts])
    first = np.concatenate(parts)  # the first target's row
    offset, end_of_all = sequences.offsets[sequence], sequences.offsets[sequence + 1]
    end = np.minimum(first + most, end_of_all)
    start = np.maximum(first - history, offset)
    rows = np.concatenate([np.arange(a, b) for a, b in zip(start, end, strict=True)])
    closing = end == end_of_all
    opens = np.where(start > offset, sequences.time[start - 1], sequences.window[sequence, 0])
    closes = np.where(closing, sequences.window[sequence, 1], sequences.time[end - 1])
    return replace(
        sequences.with_rows(rows, end - start),
        window=np.stack([opens, closes], axis=1),
        history=first - start,
    )


def _starts(sequences: EventSequences, i: int, most: int) -> np.ndarray:
    """Returns the rows at which the pieces' targets of sequence `i` begin."""
    first = sequences.offsets[i] + sequences.n_history[i]
    return np.arange(first, sequences.offsets[i + 1], most)
