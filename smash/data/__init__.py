"""From files to padded batches: containers, readers, named data sets, simulator, scaling."""

from smash.catalogue.datasets import load_dataset
from smash.data.dataset import Dataset, build_dataset
from smash.data.events import EventSequences, Targets, build_sequences
from smash.data.readers import read_split, read_splits

__all__ = [
    "Dataset",
    "EventSequences",
    "Targets",
    "build_dataset",
    "build_sequences",
    "load_dataset",
    "read_split",
    "read_splits",
]
