"""A clock's cells hold all of a law, whoever gives it: a tie has a probability, no density."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import random_sequences

from smash.baselines.etas import fit_etas
from smash.baselines.fitted_files import load_fitted, save_fitted
from smash.baselines.hawkes import fit_hawkes
from smash.baselines.poisson import Poisson
from smash.data.events import EventSequences
from smash.data.resolution import NO_CELLS, GapCells, spread_ties, tie_cells
from smash.law.clocked_times import ClockedTimes, clocked
from smash.law.hazard_table import HazardTable
from smash.settings import SimulatorSettings
from smash.simulate.simulator import simulate_dataset

AT = np.concatenate([[0.0], np.geomspace(1e-4, 40, 400)])
RATE = np.array([0.5, 2.0])
EXPONENTIAL = HazardTable(AT, RATE[:, None] * AT)
GAPS = np.tile(np.linspace(0, 60, 200_001), (2, 1))
TICK = 0.125
SMALL = SimulatorSettings(sequences=(20, 4, 6), events=(20, 30))


@pytest.mark.parametrize("lattice", [True, False])
def test_a_clock_s_cells_hold_all_of_the_law(lattice):
    law = ClockedTimes(EXPONENTIAL, GapCells(0.25, lattice))
    zero = np.exp(law.log_density(np.zeros((2, 1))))[:, 0]
    np.testing.assert_allclose(zero, 1 - np.exp(-RATE * 0.25), rtol=1e-6)
    if lattice:
        ticks = np.tile(np.arange(1, 300) * 0.25, (2, 1))
        later = 0.25 * np.exp(law.log_density(ticks)).sum(axis=1)
    else:
        beyond = GAPS[:, GAPS[0] >= 0.25]
        later = np.trapezoid(np.exp(law.log_density(beyond)), beyond, axis=1)
    np.testing.assert_allclose(zero + later, 1.0, atol=2e-3)
    drawn = law.draw(20_000, torch.Generator().manual_seed(1))
    np.testing.assert_allclose((drawn == 0).mean(axis=1), zero, atol=0.01)
    if lattice:
        np.testing.assert_allclose(drawn / 0.25, np.round(drawn / 0.25), atol=1e-9)
    for gap in (0.0, 0.25, 1.0, 1.1):
        within = law.cdf(np.full((2, 1), gap))[:, 0]
        np.testing.assert_allclose((drawn <= gap + 1e-9).mean(axis=1), within, atol=0.01)


def test_without_ties_a_law_stays_as_it_is():
    assert clocked(EXPONENTIAL, NO_CELLS) is EXPONENTIAL
    assert tie_cells(np.array([0.5, 0.25])) == NO_CELLS
    assert tie_cells(np.array([0.5, 0.0, 0.25])).width == 0.25


def recorded(events: EventSequences) -> EventSequences:
    """Returns events whose times a clock of `TICK` recorded, with magnitudes."""
    size = 1 + np.random.default_rng(0).exponential(size=events.n_events)
    return replace(events, time=np.floor(events.time / TICK) * TICK, magnitude=size)


FITS = {
    "hawkes": lambda train: fit_hawkes(train, 3),
    "poisson": lambda train: Poisson.fit(train, 3),
    "etas": lambda train: fit_etas(train, 3),
}


@pytest.fixture(scope="module")
def splits():
    dataset = simulate_dataset(SMALL)
    return recorded(dataset.train), recorded(dataset.test)


@pytest.mark.parametrize("name", FITS)
def test_a_continuous_process_gives_ties_the_probability_that_it_draws_them_with(
    name, splits, tmp_path
):
    train, test = splits
    assert (train.gap[train.is_target] == 0).mean() > 0.05
    fitted = FITS[name](train)
    assert fitted.cells == GapCells(TICK, True)
    _, law = next(iter(fitted.laws(test)))
    none = np.zeros((len(law), 1))
    at_once = law.time.log_density(none)
    assert (at_once <= 0).all()
    np.testing.assert_allclose(np.exp(at_once), law.cdf(none), rtol=1e-6)
    drawn = law.sample(4000, torch.Generator().manual_seed(0)).gap
    np.testing.assert_allclose((drawn == 0).mean(axis=1), np.exp(at_once[:, 0]), atol=0.05)
    # A clock's gaps and a place: what is kept is the same law.
    save_fitted(fitted, tmp_path / "kept")
    kept = load_fitted(tmp_path / "kept")
    np.testing.assert_array_equal(kept.log_densities(test).time, fitted.log_densities(test).time)


def test_a_process_is_fitted_to_events_apart_whatever_the_clock(splits):
    exact, coarse = fit_hawkes(simulate_dataset(SMALL).train, 3), fit_hawkes(splits[0], 3)
    # Fitted to ties as they are, the delays of offspring would be as short as they may.
    assert coarse.process.decay == pytest.approx(exact.process.decay, rel=0.3)


def test_events_at_one_time_are_spread_up_to_the_next():
    given = random_sequences([5, 3], seed=0)
    time = np.array([0.0, 1.0, 1.0, 1.0, 1.5, 0.0, 2.0, 2.0])
    given = replace(given, time=time, window=np.array([[0.0, 4.0], [0.0, 4.0]]))
    apart = spread_ties(given, GapCells(3.0, False)).time
    np.testing.assert_allclose(apart, [0.0, 1.0, 1 + 0.5 / 3, 1 + 1 / 3, 1.5, 0.0, 2.0, 3.5])
    assert spread_ties(replace(given, time=np.arange(8.0)), NO_CELLS).time[3] == 3.0
