import numpy as np
import pytest
import torch


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)
