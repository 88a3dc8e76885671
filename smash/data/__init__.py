"""From files to padded batches: containers, readers, protocol, scaling."""

from smash.data.dataset import Dataset, build_dataset
from smash.data.events import EventSequences, Targets, build_sequences
from smash.data.readers import read_split, read_splits

__all__ = [
    "Dataset",
    "EventSequences",
    "Targets",
    "build_dataset",
    "build_sequences",
    "read_split",
    "read_splits",
]
