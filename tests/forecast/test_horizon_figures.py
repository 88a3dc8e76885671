"""The sequence that many futures stand for, and how near it is to what happens."""

import numpy as np
import torch

from smash.baselines import Climatology
from smash.forecast.horizon_figures import as_happened, horizon_figures, typical
from smash.forecast.rolling_futures import score_futures
from smash.law.paths import sorted_paths
from smash.settings import SimulatorSettings
from smash.simulate.process import HawkesProcess
from smash.simulate.simulator import Oracle, simulate_dataset

SETTINGS = SimulatorSettings(sequences=(20, 4, 4), events=(20, 30))
DATA = simulate_dataset(SETTINGS)
REGION = np.array([[-3.0, -3.0], [3.0, 3.0]])
ORACLE = Oracle(HawkesProcess.from_settings(SETTINGS))


def generator():
    return torch.Generator().manual_seed(2)


def test_the_typical_sequence_is_the_middle_of_the_paths():
    path = np.array([0, 0, 1, 2, 2])
    time = np.array([1.0, 4.0, 2.0, 3.0, 5.0]) + 10
    mark = np.array([0, 1, 0, 1, 1])
    paths = sorted_paths(3, 10.0, 6.0, path, time, np.arange(10.0).reshape(5, 2), mark)
    one = typical(paths, 2)
    np.testing.assert_allclose(one.time, [2.0, 5.0])
    assert one.mark.tolist() == [0, 1]
    np.testing.assert_allclose(one.score, [[2 / 3, 1 / 3], [0, 1]])
    np.testing.assert_allclose(one.location[1], [5.0, 6.0])


def test_the_oracle_is_nearer_to_what_happens_than_climatology():
    rivals = {"oracle": ORACLE, "climatology": Climatology.fit(DATA.train, DATA.n_marks)}
    figures = {}
    for name, forecaster in rivals.items():
        pairs = []
        score_futures(
            forecaster,
            REGION,
            DATA.test,
            1.0,
            generator(),
            40,
            on_window=lambda window, paths, pairs=pairs: pairs.append(
                (typical(paths, 3), as_happened(window.happened))
            ),
        )
        figures[name] = horizon_figures(pairs, 1.0, 3)
    assert figures["oracle"]["location_error_1"] < figures["climatology"]["location_error_1"]
    assert 0 < figures["oracle"]["transport_distance"] < 1
    for found in figures.values():
        assert {"time_error_1", "mark_error_1", "mark_count_error", "tmap"} <= set(found)
