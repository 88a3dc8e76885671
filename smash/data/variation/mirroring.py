"""Mirrored sequences: what a training sees where a plane has no left and right.

Teams change ends at half-time, so that a half seen in a mirror is a half as good; a model that is
trained on both learns from twice the sequences.
"""

from dataclasses import replace

import numpy as np
import torch

from smash.data.events import EventSequences

AXES = {"x": (True, False), "y": (False, True), "both": (True, True)}


def mirrored(
    sequences: EventSequences,
    axes: str,
    low: tuple[float, ...],
    high: tuple[float, ...],
    generator: torch.Generator,
) -> EventSequences:
    """Returns `sequences` each with every one of `axes` turned around by the toss of a coin.

    `low` and `high` are the ends of both coordinates that change places, in raw units.
    """
    tossed = torch.rand((len(sequences), 2), generator=generator).numpy() < 0.5
    turned = (tossed & np.array(AXES[axes]))[sequences.sequence]
    around = np.add(low, high) - sequences.location
    return replace(sequences, location=np.where(turned, around, sequences.location))
