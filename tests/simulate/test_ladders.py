"""Each rung has a known law: events drawn by another road agree with it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from smash.baselines import Climatology
from smash.data.events import EventSequences
from smash.errors import SpecError
from smash.settings import SimulatorSettings
from smash.simulate.ladders import LADDERS, drawn_sequences, rung
from smash.simulate.rung_law import RungOracle
from smash.simulate.rung_process import RungProcess

SETTINGS = SimulatorSettings(sequences=(60, 4, 40), events=(20, 40))
RUNG_LADDERS = ("entanglement", "heterogeneity", "seasonality", "inhibition")


def gain(name: str, number: int, part: str = "event") -> float:
    """Nats a test event by which the oracle is better than climatology."""
    one = rung(name, number, SETTINGS)
    oracle = one.oracle.log_densities(one.dataset.test)
    climatology = Climatology.fit(one.dataset.train, one.dataset.n_marks)
    other = climatology.log_densities(one.dataset.test)
    return float(np.mean(getattr(oracle, part) - getattr(other, part)))


def test_the_lowest_rung_s_marks_say_nothing():
    lowest = rung("marks", 0, SETTINGS)
    share = lowest.oracle.process.background / lowest.oracle.process.background.sum()
    for _, law in lowest.oracle.laws(lowest.dataset.test.select([0, 1])):
        probability = law.mark_probability(np.full((len(law), 1), 0.3))
        np.testing.assert_allclose(probability, np.broadcast_to(share, probability.shape))


@pytest.mark.parametrize("name", [name for name in LADDERS if name != "entanglement"])
def test_there_is_more_to_be_known_on_the_highest_rung_than_on_the_lowest(name):
    part = "mark" if name == "marks" else "event"
    low, high = (gain(name, number, part) for number in (0, 4))
    assert high > 0
    assert low < high - 0.02


def test_offspring_that_spread_say_less_of_where_the_next_event_comes():
    found = [gain("entanglement", number) for number in (0, 2, 4)]
    assert all(lower > higher > 0 for lower, higher in pairwise(found))


@pytest.mark.parametrize("name", RUNG_LADDERS)
def test_compensated_gaps_of_the_whole_are_exponential(name):
    one = rung(name, 4, SETTINGS)
    levels = [
        law.log_survival(t.gap[:, None])[:, 0] for t, law in one.oracle.laws(one.dataset.test)
    ]
    assert stats.kstest(-np.concatenate(levels), "expon").pvalue > 1e-3


@pytest.mark.parametrize("name", RUNG_LADDERS)
def test_events_thinned_from_the_intensity_alone_agree_with_the_law(name):
    """Ogata's thinning needs only λ as the module writes it down, none of its integrals."""
    oracle = rung(name, 4, SETTINGS).oracle
    history = rung(name, 4, SETTINGS).dataset.test.select([0])
    gap, place = thinned(oracle.process, history, 1500, np.random.default_rng(1))
    law = oracle.law_after(history)
    assert stats.kstest(law.cdf(gap[None])[0], "uniform").pvalue > 1e-3
    drawn = law.place.draw(gap[None], None, torch.Generator().manual_seed(2))[0]
    for axis in (0, 1):
        assert stats.ks_2samp(drawn[:, axis], place[:, axis]).pvalue > 1e-3


def thinned(p: RungProcess, history: EventSequences, n: int, numbers: np.random.Generator):
    """Returns gaps (n,) and places (n, 2) of the next event, by thinning whole events."""
    gap, place = np.zeros(n), np.empty((n, 2))
    age, last = history.time[-1] - history.time, history.location[-1]
    now, waiting = history.time[-1], np.arange(n)
    left = p.offspring * p.decay * np.exp(-p.decay * age)
    most = p.rate * (1 + p.season) + left.sum()
    while len(waiting):
        gap[waiting] += numbers.exponential(1 / most, len(waiting))
        u, t = numbers.random(len(waiting)) * most, gap[waiting]
        free = p.drawn_background((len(waiting),), numbers)
        held = p.inhibition * np.exp(-p.recovery * t - ((free - last) ** 2).sum(1) / 2 / p.reach**2)
        season = 1 + p.season * np.cos(2 * np.pi * (now + t) / p.period)
        spontaneous = u < p.rate * season * (1 - held)
        weight = left if left.sum() else np.ones_like(left)
        parent = numbers.choice(len(left), size=len(waiting), p=weight / weight.sum())
        above = u - p.rate * (1 + p.season)
        excited = (above > 0) & (above < left.sum() * np.exp(-p.decay * t))
        spread = p.spread * np.sqrt(1 + p.entanglement * p.decay * (age[parent] + t))
        near = history.location[parent] + spread[:, None] * numbers.standard_normal(
            (len(waiting), 2)
        )
        place[waiting] = np.where(excited[:, None], near, free)
        waiting = waiting[~(spontaneous | excited)]
    return gap, place


def test_equal_seeds_give_equal_rungs_and_their_digests_differ_by_rung():
    one, again, next_one = (rung("inhibition", n, SETTINGS).dataset for n in (2, 2, 3))
    assert one.digest == again.digest != next_one.digest


def test_sequences_have_the_numbers_of_events_asked_for():
    oracle = RungOracle(RungProcess.of(SETTINGS))
    lengths = np.array([3, 9, 2])
    drawn = drawn_sequences(oracle, lengths, torch.Generator().manual_seed(0), "three")
    np.testing.assert_array_equal(drawn.lengths, lengths)


def test_an_unknown_ladder_or_rung_is_named_and_impossible_processes_are_refused():
    with pytest.raises(SpecError, match="known are marks, excitation"):
        rung("mraks", 0, SETTINGS)
    with pytest.raises(SpecError, match="has rungs from 0 to 4"):
        rung("marks", 5, SETTINGS)
    process = RungProcess.of(SETTINGS)
    for change in ({"season": 1.2}, {"inhibition": -0.1}, {"offspring": 1.0}, {"rate": 0.0}):
        with pytest.raises(SpecError):
            replace(process, **change)
