"""Sequences drawn by how recent they are: what a training sees where the data drift."""

import torch

from smash.data.events import EventSequences


def drawn_by_recency(
    sequences: EventSequences, half_life: float, generator: torch.Generator
) -> EventSequences:
    """Returns as many sequences as there are, drawn from them with replacement.

    They are taken to stand in the order of time. One that stands before another by `half_life`, a
    share of them all, is drawn half as often.
    """
    place = torch.arange(len(sequences), dtype=torch.float64) / len(sequences)
    weight = 2 ** ((place - 1) / half_life)
    drawn = torch.multinomial(weight, len(sequences), replacement=True, generator=generator)
    return sequences.select(drawn.numpy())
