"""The two protocols: which events choose the model and set the scaling limits."""

from dataclasses import dataclass
from typing import Literal

from smash.data.dataset import Dataset
from smash.data.events import EventSequences
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
    """What a run trains on, chooses by and is tested on, and the scaler all three share."""

    train: EventSequences
    validation: EventSequences
    test: EventSequences
    scaler: Scaler


def prepare(dataset: Dataset, protocol: Protocol, scaling: ScalingSettings) -> PreparedData:
    """Returns the splits and the scaler under a protocol.

    `strict`: limits from training data, choice on validation data, test data only tested on.
    `original`: the `QUIRKS`, for figures comparable with the published ones.
    """
    if protocol == "strict":
        scaler = fit_scaler([dataset.train], scaling)
        return PreparedData(dataset.train, dataset.validation, dataset.test, scaler)
    splits = [sequences for _, sequences in dataset.splits()]
    scaler = fit_scaler(splits, scaling, first_gaps=True)
    return PreparedData(dataset.train, dataset.test, dataset.test, scaler)
