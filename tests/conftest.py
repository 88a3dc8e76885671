import os
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings
from synthetic import random_sequences

from smash.data.dataset import Dataset, build_dataset
from smash.data.protocol import PreparedData, prepare
from smash.model.smash import Smash
from smash.settings import ModelSettings, ScalingSettings

if TYPE_CHECKING:
    from tiny_runs import Outcome, Workshop

# However busy the machine is. In CI the examples are the same each time; elsewhere they are new.
settings.register_profile("patient", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("patient")

# Tests leave nothing in the user's cache, and take nothing from there.
os.environ["SMASH_REUSE"] = "0"


@pytest.fixture(scope="session")
def small_dataset() -> Dataset:
    return build_dataset(
        "random",
        random_sequences([9, 5, 12, 7, 3, 8], seed=1),
        random_sequences([6, 4, 10], seed=2),
        random_sequences([7, 2, 9], seed=3),
    )


@pytest.fixture(scope="session")
def prepared(small_dataset) -> PreparedData:
    return prepare(small_dataset, "strict", ScalingSettings())


@pytest.fixture(params=[3, 1], ids=["marked", "unmarked"])
def small_model(request, prepared) -> Smash:
    torch.manual_seed(0)
    settings = ModelSettings(cond_dim=8, n_layers=2, n_heads=2, d_head=4, num_units=16)
    return Smash(settings, request.param, prepared.scaler)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> "Workshop":
    """A folder for experiments with a tracking database of its own."""
    from tiny_runs import Workshop  # it imports MLflow, which takes seconds

    return Workshop.at(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def finished(workshop) -> "Outcome":
    """A run of the tiny spec from training to scores."""
    return workshop.run("tiny.yaml", "--set", "sample_every=2", draw=True)
