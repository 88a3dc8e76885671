"""Each rung has a known law, and more to be known than the one below it."""

from itertools import pairwise

import numpy as np
import pytest

from smash.baselines import Climatology
from smash.errors import SpecError
from smash.settings import SimulatorSettings
from smash.simulate.ladders import LADDERS, ladder
from smash.simulate.process import HawkesProcess
from smash.simulate.simulator import Oracle, simulate_dataset

SETTINGS = SimulatorSettings(sequences=(60, 4, 40), events=(20, 40))


def gains(settings: SimulatorSettings) -> tuple[float, float]:
    """Nats a test event by which the oracle is better than climatology: of all parts, of marks."""
    data = simulate_dataset(settings)
    oracle = Oracle(HawkesProcess.from_settings(settings)).log_densities(data.test)
    climatology = Climatology.fit(data.train, data.n_marks).log_densities(data.test)
    event = float(np.mean(oracle.event - climatology.event))
    return event, float(np.mean(oracle.mark - climatology.mark))


def test_the_lowest_rung_s_marks_say_nothing():
    [lowest, *_] = ladder("marks", SETTINGS)
    oracle = Oracle(HawkesProcess.from_settings(lowest))
    share = oracle.process.background / oracle.process.background.sum()
    for _, law in oracle.laws(simulate_dataset(lowest).test.select([0, 1])):
        probability = law.mark_probability(np.full((len(law), 1), 0.3))
        np.testing.assert_allclose(probability, np.broadcast_to(share, probability.shape))


@pytest.mark.parametrize("name", LADDERS)
def test_there_is_more_to_be_known_on_each_rung(name):
    rungs = ladder(name, SETTINGS)[::2]
    found = [gains(settings)[name == "marks"] for settings in rungs]
    assert all(lower < higher for lower, higher in pairwise(found))


def test_rungs_differ_in_one_setting_and_an_unknown_ladder_is_named():
    for name, (setting, values) in LADDERS.items():
        rungs = ladder(name, SETTINGS)
        assert [getattr(rung, setting) for rung in rungs] == list(values)
    with pytest.raises(SpecError, match="known are marks, excitation"):
        ladder("mraks", SETTINGS)
