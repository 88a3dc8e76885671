"""Benchmarks are asked for by `make bench`; a plain `pytest` leaves them out."""

import os
import sys
from pathlib import Path

import pytest

from smash.catalogue import load_dataset
from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.errors import DataError
from smash.settings import DataSettings, ModelSettings

SHAPES = {
    "crime": (ModelSettings(cond_dim=64, sigma_time=0.3, sigma_loc=0.03), 32),
    "football": (ModelSettings(cond_dim=32, sigma_time=0.2, sigma_loc=0.1), 4),
    "earthquake": (ModelSettings(cond_dim=16, sigma_time=0.2, sigma_loc=0.25), 32),
}
"""Model settings and batch size of the published experiments."""


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--benchmark-only"):
        reason = pytest.mark.skip(reason="a benchmark; run `make bench`")
        for item in items:
            if Path(__file__).parent in Path(item.path).parents:
                item.add_marker(reason)


@pytest.fixture(params=list(SHAPES))
def published(request) -> tuple[str, Dataset]:
    """A published data set by name, where it can be had."""
    try:
        return request.param, load_dataset(DataSettings(name=request.param))
    except DataError as error:
        pytest.skip(f"{request.param} cannot be had here: {error}")


@pytest.fixture
def original():
    """The original implementation's modules, from the checkout that SMASH_ORIGINAL names."""
    folder = os.environ.get("SMASH_ORIGINAL")
    if not folder:
        pytest.skip("the original is not here; name a CPU-ready checkout in SMASH_ORIGINAL")
    sys.path.insert(0, folder)
    try:
        import model

        yield model
    finally:
        sys.path.remove(folder)


def first_sequences(sequences: EventSequences, n: int) -> EventSequences:
    return sequences.select(range(min(n, len(sequences))))
