"""The two protocols: which events choose the model and set the scaling limits."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.data.groups import lay_out
from smash.data.scaling import Scaler, fit_scaler
from smash.settings import ScalingSettings

Protocol = Literal["strict", "original"]

QUIRKS = {
    "validation_is_test": "the checkpoint is chosen on the test set",
    "limits_over_all_splits": "validation and test events enter the scaling limits",
    "first_gap_in_limits": "the time before a sequence's first event enters the gap's limits",
}
"""What `protocol: original` keeps of the original implementation, and nothing else does."""


@dataclass(frozen=True)
class PreparedData:
    """What a run trains on, chooses by and is tested on, and the scaler all share.

    `validation` chooses: early stopping, search, validation scores. `recalibration`, of other
    events, corrects the levels of finished forecasts; None where there is nothing left for it.
    """

    train: EventSequences
    validation: EventSequences
    test: EventSequences
    scaler: Scaler
    recalibration: EventSequences | None = None


def prepare(dataset: Dataset, protocol: Protocol, scaling: ScalingSettings) -> PreparedData:
    """Returns the splits and the scaler under a protocol.

    `strict`: limits from training data, choice on one half of the validation data, recalibration
    by the other (`halves`), test data only tested on.
    `original`: the `QUIRKS`, for figures comparable with the published ones.
    """
    if protocol == "strict":
        scaler = fit_scaler([dataset.train], scaling)
        choice, rest = halves(dataset.validation)
        return PreparedData(dataset.train, choice, dataset.test, scaler, rest)
    splits = [sequences for _, sequences in dataset.splits()]
    scaler = fit_scaler(splits, scaling, first_gaps=True)
    return PreparedData(dataset.train, dataset.test, dataset.test, scaler)


def halves(sequences: EventSequences) -> tuple[EventSequences, EventSequences | None]:
    """Returns two parts that share no event, each in the order of `sequences`; always the same.

    Sequences that share nothing go to either part in turn, the first to the first, so that both
    stand for the whole. Chains of overlapping windows are cut in the middle of their time axis;
    windows across the cut are in neither part. The second part is None when there is only one
    group that cannot be cut.
    """
    layout = lay_out(sequences)
    second = np.zeros(len(sequences), dtype=bool)
    dropped = np.zeros(len(sequences), dtype=bool)
    turn = False
    for group in range(layout.group.max() + 1):
        members = np.flatnonzero(layout.group == group)
        start = layout.start[members]
        end = start + np.ptp(sequences.window[members], axis=1)
        cut = float(np.median((start + end) / 2))
        before, after = end <= cut, start >= cut
        if before.any() and after.any():
            second[members], dropped[members] = after, ~(before | after)
        else:
            second[members], turn = turn, not turn
    if not second.any():
        return sequences, None
    first = sequences.select(np.flatnonzero(~second & ~dropped))
    return first, sequences.select(np.flatnonzero(second))
