"""Shares of a pool are those with the best log score, whatever lacks a density."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from synthetic import random_sequences

from smash.baselines import Climatology, Markov
from smash.law.ensemble import Ensemble, PartPool
from smash.law.log_density import LogDensity
from smash.law.stacking import stacked, stacked_by_part, stacking_weights
from smash.settings import SimulatorSettings
from smash.simulate.simulator import HawkesProcess, Oracle, simulate_dataset

N_MARKS = 3


@pytest.fixture(scope="module")
def simulated():
    return simulate_dataset(SimulatorSettings(sequences=(20, 20, 1), events=(20, 30)))


class Partly(Climatology):
    """A forecaster whose densities are given up but for those named."""

    known = ()

    def log_densities(self, sequences):
        found = super().log_densities(sequences)
        return LogDensity(**{part: getattr(found, part) for part in self.known}, lacking="unknown")


class TimesAlone(Partly):
    known = ("time", "mark")


def test_the_shares_of_a_known_mixture_are_recovered():
    numbers = np.random.default_rng(2)
    truth = np.array([0.6, 0.3, 0.1])
    centre = np.array([-2.0, 0.0, 3.0])
    drawn = numbers.normal(centre[numbers.choice(3, 20_000, p=truth)])
    found = stacking_weights(norm.logpdf(drawn[:, None] - centre))
    np.testing.assert_allclose(found, truth, atol=0.02)


def test_an_event_that_no_member_foresees_says_nothing():
    log_density = np.array([[0.0, -1.0], [-1.0, 0.0], [-np.inf, -np.inf]])
    np.testing.assert_allclose(stacking_weights(log_density), [0.5, 0.5])
    np.testing.assert_allclose(stacking_weights(log_density[2:]), [0.5, 0.5])


def test_no_shares_have_a_better_log_score(simulated):
    train, validation = simulated.train, simulated.validation
    members = {
        "climatology": Climatology.fit(train, N_MARKS),
        "markov": Markov.fit(train, N_MARKS),
    }
    found = stacked(members, validation)
    assert found.learnt_by == "the whole event"
    assert found.n_events == validation.is_target.sum()
    assert found.lacking == ""

    def score(*weight: float) -> float:
        return Ensemble(tuple(members.values()), weight).log_densities(validation).event.mean()

    best = score(*found.weight)
    assert best >= max(score(share, 1 - share) for share in np.linspace(0, 1, 21)) - 1e-9


def test_the_truth_takes_all(simulated):
    train, validation = simulated.train, simulated.validation
    oracle = Oracle(HawkesProcess.from_settings(SimulatorSettings()))
    found = stacked({"oracle": oracle, "guess": Climatology.fit(train, N_MARKS)}, validation)
    assert found.weight[0] > 0.9


@pytest.mark.parametrize(
    ("other", "learnt_by"), [(Partly, ""), (TimesAlone, "time and mark")], ids=["none", "time"]
)
def test_what_all_members_have_teaches_the_shares(other, learnt_by, simulated):
    one = Markov.fit(simulated.train, N_MARKS)
    members = {"markov": one, "other": other.fit(simulated.train, N_MARKS)}
    found = stacked(members, simulated.validation)
    assert found.learnt_by == learnt_by
    assert found.lacking == "other: unknown"
    assert (found.weight == (0.5, 0.5)) == (not learnt_by)


def test_a_member_of_no_share_has_no_draws():
    sequences = random_sequences([5], N_MARKS)
    near, far = (Climatology.fit(random_sequences([30], N_MARKS, seed=s), N_MARKS) for s in (1, 2))
    pool = Ensemble((near, far), (1.0, 0.0))
    (drawn,) = pool.forecast(sequences, 10, torch.Generator().manual_seed(3))
    (alone,) = near.forecast(sequences, 10, torch.Generator().manual_seed(3))
    np.testing.assert_array_equal(drawn.samples.gap, alone.samples.gap)


class TimesFrom(Climatology):
    """A climatology whose densities of places are far too low."""

    def log_densities(self, sequences):
        found = super().log_densities(sequences)
        return replace(found, place=found.place - 5)


class PlacesFrom(Climatology):
    def log_densities(self, sequences):
        found = super().log_densities(sequences)
        return replace(found, time=found.time - 5)


def test_each_part_is_learnt_apart(simulated):
    train, validation = simulated.train, simulated.validation
    members = {
        "times": TimesFrom.fit(train, N_MARKS),
        "places": PlacesFrom.fit(train, N_MARKS),
    }
    found = stacked_by_part(members, validation)
    assert found.learnt_by == "time, mark, place, each apart"
    assert found.parts.time[0] > 0.99
    assert found.parts.place[1] > 0.99
    np.testing.assert_allclose(found.parts.mark, 0.5)


def test_parts_of_truth_and_guess_have_a_better_log_score_than_either(simulated):
    train, validation = simulated.train, simulated.validation
    markov, climatology = Markov.fit(train, N_MARKS), Climatology.fit(train, N_MARKS)
    found = stacked_by_part({"markov": markov, "climatology": climatology}, validation)
    pool = PartPool((markov, climatology), found.parts).log_densities(validation)
    for part in ("time", "mark", "place"):
        best = max(getattr(m.log_densities(validation), part).mean() for m in (markov, climatology))
        assert getattr(pool, part).mean() >= best - 1e-9


def test_a_part_that_one_member_lacks_is_shared_equally(simulated):
    train, validation = simulated.train, simulated.validation
    found = stacked_by_part(
        {"whole": Climatology.fit(train, N_MARKS), "times": TimesAlone.fit(train, N_MARKS)},
        validation,
    )
    assert found.learnt_by == "time, mark, each apart"
    assert found.parts.place == (0.5, 0.5)
    assert "times: unknown" in found.lacking
    nothing = stacked_by_part(
        {"a": Partly.fit(train, N_MARKS), "b": Partly.fit(train, N_MARKS)}, validation
    )
    assert nothing.learnt_by == ""
