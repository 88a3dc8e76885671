import numpy as np
import pytest
import torch

from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.law.forecaster import Forecaster
from smash.law.samples import Samples
from smash.settings import SimulatorSettings
from smash.simulate.simulator import simulate_dataset


@pytest.fixture(scope="session")
def simulated() -> Dataset:
    return simulate_dataset(SimulatorSettings())


@pytest.fixture(scope="session")
def drawn():
    """Samples of all targets by a forecaster, in one piece."""

    def draw(
        forecaster: Forecaster, sequences: EventSequences, n_samples: int, seed: int = 0
    ) -> Samples:
        generator = torch.Generator().manual_seed(seed)
        forecasts = list(forecaster.forecast(sequences, n_samples, generator))
        parts = [forecast.samples for forecast in forecasts]
        targets = sequences.targets()
        for name in ("sequence", "event", "gap"):
            found = np.concatenate([getattr(f.targets, name) for f in forecasts])
            np.testing.assert_array_equal(found, getattr(targets, name))
        marked = parts[0].mark is not None
        names = ("gap", "location", *(("mark", "mark_mode", "mark_probability") * marked))
        return Samples(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})

    return draw
