"""The Markov baseline finds a planted chain, and the walk a planted displacement."""

import numpy as np
import pytest
import torch
from synthetic import random_sequences

from smash.baselines import Climatology, Markov, MarkovSettings, Walk
from smash.data.events import EventSequences, build_sequences
from smash.errors import DataError
from smash.scores.proper import fair_energy_score

CHAIN = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.5, 0.4, 0.1]])
MEAN_GAP = np.array([0.5, 2.0, 6.0])
PLACE = np.array([[0.0, 0.0], [5.0, 1.0], [-3.0, 4.0]])
STEP = np.array([1.0, -2.0])


def planted_chain(n_events: int, seed: int) -> EventSequences:
    """One sequence whose gap, location and mark depend on the mark before and nothing else."""
    numbers = np.random.default_rng(seed)
    mark = np.zeros(n_events, dtype=np.int64)
    for i in range(1, n_events):
        mark[i] = numbers.choice(3, p=CHAIN[mark[i - 1]])
    before = np.concatenate([[0], mark[:-1]])
    gap = numbers.exponential(MEAN_GAP[before])
    location = PLACE[before] + numbers.normal(size=(n_events, 2))
    return build_sequences(np.cumsum(gap), location, mark, [n_events], "chain")


def planted_walk(n_events: int, seed: int) -> EventSequences:
    """One sequence that moves by STEP, give or take 0.3 along each axis."""
    numbers = np.random.default_rng(seed)
    location = np.cumsum(STEP + 0.3 * numbers.normal(size=(n_events, 2)), axis=0)
    time = np.cumsum(numbers.exponential(size=n_events))
    return build_sequences(time, location, numbers.integers(2, size=n_events), [n_events], "walk")


def test_the_chain_is_found():
    train = planted_chain(6000, seed=0)
    found = Markov.fit(train, 3).transition[:3]
    error = np.sqrt(CHAIN * (1 - CHAIN) / np.bincount(train.mark)[:, None])
    assert (np.abs(found - CHAIN) < 4 * error).all()


def test_forecasts_depend_on_the_last_mark(drawn):
    test = planted_chain(400, seed=2)
    samples = drawn(Markov.fit(planted_chain(6000, seed=0), 3), test, 50)
    last = test.mark[:-1]
    for k in range(3):
        after = last == k
        assert samples.gap[after].mean() == pytest.approx(MEAN_GAP[k], rel=0.12)
        location = samples.location[after].reshape(-1, 2)
        np.testing.assert_allclose(location.mean(axis=0), PLACE[k], atol=0.15)
        shares = np.bincount(samples.mark[after].ravel(), minlength=3) / samples.mark[after].size
        np.testing.assert_allclose(shares, CHAIN[k], atol=0.06)


def test_after_a_rare_mark_gap_and_location_are_climatology():
    train = planted_chain(200, seed=1)
    climatology = Climatology.fit(train, 4)
    markov = Markov.fit(train, 4, MarkovSettings(least_events=30))
    gap = np.array([[0.1, 1.0, 5.0]])
    density = climatology.time.log_density(gap)
    never, seen = (markov.time.of(np.array([k])).log_density(gap) for k in (3, 0))
    np.testing.assert_allclose(never, density)  # mark 3 never came
    assert (np.abs(seen - density) > 1e-3).any()
    assert markov.location[3] is not markov.location[0]
    np.testing.assert_allclose(markov.transition[3], 0.25)


def test_unmarked_it_is_climatology(simulated, drawn):
    unmarked = simulated.without_marks()
    markov = drawn(Markov.fit(unmarked.train, 1), unmarked.test, 3, seed=4)
    climatology = drawn(Climatology.fit(unmarked.train, 1), unmarked.test, 3, seed=4)
    np.testing.assert_array_equal(markov.gap, climatology.gap)
    assert markov.mark is None


@pytest.mark.parametrize("n_marks", [1, 5], ids=["no marks", "unknown marks"])
def test_events_without_known_marks_are_refused(n_marks):
    markov = Markov.fit(random_sequences([40], n_marks=3), 3)
    with pytest.raises(DataError, match="fit"):
        next(markov.forecast(random_sequences([40], n_marks), 2, torch.Generator()))


def test_the_displacement_is_found(drawn):
    test = planted_walk(300, seed=1)
    samples = drawn(Walk.fit(planted_walk(2000, seed=0), 2), test, 40)
    moved = (samples.location - test.location[:-1, None]).reshape(-1, 2)
    np.testing.assert_allclose(moved.mean(axis=0), STEP, atol=0.03)
    np.testing.assert_allclose(moved.std(axis=0), 0.3, rtol=0.1)


def test_a_walk_is_forecast_better_by_the_walk_than_by_climatology(drawn):
    train, test = planted_walk(2000, seed=0), planted_walk(300, seed=1)
    truth = test.targets().location
    walk, climatology = (
        fair_energy_score(drawn(kind.fit(train, 2), test, 40).location, truth).mean()
        for kind in (Walk, Climatology)
    )
    assert walk < 0.01 * climatology
