"""The simulated process obeys its law, and the oracle that knows it is calibrated."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from smash.errors import DataError, SpecError
from smash.scores import score_events, summarise
from smash.settings import ScoreSettings, SimulatorSettings
from smash.simulate.process import Events, HawkesProcess
from smash.simulate.simulator import Oracle, simulate_dataset

PROCESS = HawkesProcess.from_settings(SimulatorSettings())
# A law that holds is refused with this probability; seeds are fixed, so it is so for ever or never.
LEVEL = 1e-3


def history(seed: int = 0, n_events: int = 12) -> Events:
    return PROCESS.simulate(n_events, np.random.default_rng(seed))


def thinned_gaps(events: Events, n_samples: int, generator: np.random.Generator) -> np.ndarray:
    """Next gaps by Ogata's thinning, from the intensity alone."""
    gap, waiting = np.zeros(n_samples), np.ones(n_samples, dtype=bool)
    bound = PROCESS.intensity(events, np.zeros(1)).sum()  # the intensity only decays
    while waiting.any():
        gap[waiting] += generator.exponential(1 / bound, waiting.sum())
        accepted = generator.random(n_samples) * bound < PROCESS.intensity(events, gap).sum(axis=1)
        waiting &= ~accepted
    return gap


def test_next_gaps_agree_with_thinning():
    generator = np.random.default_rng(1)
    events = history()
    exact = PROCESS.next_event(events, 4000, generator).gap
    assert stats.ks_2samp(exact, thinned_gaps(events, 4000, generator)).pvalue > LEVEL


@pytest.mark.parametrize("n_events", [0, 1, 12])
def test_next_gaps_follow_the_compensator(n_events):
    events = history(n_events=n_events)
    gap = PROCESS.next_event(events, 4000, np.random.default_rng(2)).gap
    assert stats.kstest(PROCESS.compensator(events, gap), "expon").pvalue > LEVEL


def test_a_long_simulation_is_a_unit_poisson_process_in_compensated_time():
    events = history(seed=3, n_events=1500)
    residuals = [
        PROCESS.compensator(events.before(i), np.array([events.time[i] - events.before(i).now]))[0]
        for i in range(len(events))
    ]
    assert stats.kstest(residuals, "expon").pvalue > LEVEL
    neighbours = stats.spearmanr(residuals[:-1], residuals[1:])
    assert neighbours.pvalue > LEVEL


def test_a_long_simulation_has_the_stationary_rate_and_marks():
    events = history(seed=4, n_events=4000)
    # Rates solve m = μ + m A.
    rates = np.linalg.solve(np.eye(PROCESS.n_marks) - PROCESS.excitation.T, PROCESS.background)
    assert len(events) / events.now == pytest.approx(rates.sum(), rel=0.1)
    counts = np.bincount(events.mark, minlength=PROCESS.n_marks) / len(events)
    np.testing.assert_allclose(counts, rates / rates.sum(), atol=0.04)


def test_marks_given_the_gap_follow_their_probability():
    events = history()
    draws = PROCESS.next_event(events, 20_000, np.random.default_rng(5))
    law = PROCESS.mark_probability(events, draws.gap)
    early = draws.gap < np.median(draws.gap)
    for part in (early, ~early):
        observed = np.bincount(draws.mark[part], minlength=PROCESS.n_marks)
        assert stats.chisquare(observed, law[part].sum(axis=0)).pvalue > LEVEL


def test_the_density_integrates_to_one_and_samples_agree_with_it():
    """Importance sampling from a broad law gives the total mass; a mean under it, the samples'."""
    generator = np.random.default_rng(6)
    events = history(n_events=5)
    n, rate, width = 200_000, 0.7, 0.7
    gap = generator.exponential(1 / rate, n)
    mark = generator.integers(0, PROCESS.n_marks, n)
    location = width * generator.standard_t(4, size=(n, 2))
    broad = (
        stats.expon.logpdf(gap, scale=1 / rate)
        - np.log(PROCESS.n_marks)
        + stats.t.logpdf(location / width, 4).sum(axis=1)
        - 2 * np.log(width)
    )
    weight = np.exp(PROCESS.log_density(events, gap, mark, location) - broad)
    error = weight.std() / np.sqrt(n)
    assert weight.mean() == pytest.approx(1, abs=4 * error)
    assert error < 0.02
    draws = PROCESS.next_event(events, 50_000, generator)
    for k in range(PROCESS.n_marks):
        below = weight * (mark == k) * np.exp(-gap) * (location[:, 0] > 0)
        drawn = (draws.mark == k) * np.exp(-draws.gap) * (draws.location[:, 0] > 0)
        error = np.hypot(below.std() / np.sqrt(n), drawn.std() / np.sqrt(len(drawn)))
        assert below.mean() == pytest.approx(drawn.mean(), abs=4 * error)


@given(
    n_marks=st.integers(1, 20),
    branching=st.floats(0, 0.99),
)
@settings(deadline=None)
def test_excitation_has_the_branching_ratio_and_is_not_uniform(n_marks, branching):
    process = HawkesProcess.from_settings(
        SimulatorSettings(n_marks=n_marks, branching=branching, background=2.5)
    )
    radius = np.abs(np.linalg.eigvals(process.excitation)).max()
    assert radius == pytest.approx(branching, abs=1e-6)
    assert process.background.sum() == pytest.approx(2.5)
    if n_marks > 1 and branching > 0:
        assert np.ptp(process.excitation) > 0


def test_without_excitation_the_process_is_poisson():
    poisson = HawkesProcess.from_settings(SimulatorSettings(branching=0.0))
    draws = poisson.next_event(history(), 4000, np.random.default_rng(7))
    scale = 1 / poisson.background.sum()
    assert stats.kstest(draws.gap, "expon", (0, scale)).pvalue > LEVEL


@pytest.mark.parametrize(
    "change",
    [
        {"excitation": np.eye(3)},
        {"excitation": np.zeros((2, 2))},
        {"excitation": -np.eye(3) / 2},
        {"background": np.zeros(3)},
    ],
)
def test_an_impossible_process_is_refused(change):
    with pytest.raises(SpecError):
        replace(PROCESS, **change)


# --- the oracle --------------------------------------------------------------------------------

SMALL = SimulatorSettings(sequences=(4, 4, 24), events=(20, 40))


@pytest.fixture(scope="module")
def dataset():
    return simulate_dataset(SMALL)


@pytest.fixture(scope="module")
def forecasts(dataset):
    generator = torch.Generator().manual_seed(0)
    return list(Oracle(PROCESS).forecast(dataset.test, 100, generator))


def test_the_oracle_forecasts_every_target_in_order(dataset, forecasts):
    targets = dataset.test.targets()
    for name in ("sequence", "event", "gap", "mark"):
        forecast = np.concatenate([getattr(f.targets, name) for f in forecasts])
        np.testing.assert_array_equal(forecast, getattr(targets, name))
    for forecast in forecasts:
        n, samples = len(forecast.targets), forecast.samples
        assert samples.gap.shape == samples.mark.shape == samples.mark_mode.shape == (n, 100)
        assert samples.location.shape == (n, 100, 2)
        np.testing.assert_allclose(samples.mark_probability.sum(axis=1), 1)


def test_ranks_of_the_truth_among_the_oracles_samples_are_uniform(forecasts):
    generator = np.random.default_rng(8)

    def pit(samples, truth):
        rank = (samples < truth[:, None]).sum(axis=1)
        return (rank + generator.random(len(truth))) / (samples.shape[1] + 1)

    gap = np.concatenate([pit(f.samples.gap, f.targets.gap) for f in forecasts])
    assert stats.kstest(gap, "uniform").pvalue > LEVEL
    for axis in (0, 1):
        place = np.concatenate(
            [pit(f.samples.location[..., axis], f.targets.location[:, axis]) for f in forecasts]
        )
        assert stats.kstest(place, "uniform").pvalue > LEVEL


def test_the_oracle_is_calibrated_but_not_to_the_published_estimators(forecasts):
    generator, settings = torch.Generator().manual_seed(0), ScoreSettings()
    table = pd.concat([score_events(f.samples, f.targets, settings, generator) for f in forecasts])
    figures = summarise(table, settings.levels)
    floor = figures["cs_floor"]
    for what in ("time", "location"):
        assert figures[f"cs_{what}"] < 2.5 * floor
    assert figures["cs_time_original"] > 8 * floor
    assert figures["cs_location_original"] > 4 * floor


def test_a_forecast_with_another_background_is_told_apart(dataset):
    """The check above can fail: gaps of a process that is wrong are not uniform."""
    wrong = replace(PROCESS, background=3 * PROCESS.background)
    forecasts = Oracle(wrong).forecast(dataset.test, 100, torch.Generator().manual_seed(0))
    pit = np.concatenate([(f.samples.gap < f.targets.gap[:, None]).mean(axis=1) for f in forecasts])
    assert stats.kstest(pit, "uniform").pvalue < 1e-6


def test_mark_probabilities_are_the_frequencies_of_marks(forecasts):
    law = np.concatenate([f.samples.mark_probability for f in forecasts])
    mark = np.concatenate([f.targets.mark for f in forecasts])
    deviation = (np.bincount(mark, minlength=3) - law.sum(axis=0)) / np.sqrt(
        (law * (1 - law)).sum(axis=0)
    )
    assert np.abs(deviation).max() < 4


def test_the_oracle_repeats_itself_for_equal_generators_and_needs_marks(dataset, forecasts):
    again = next(Oracle(PROCESS).forecast(dataset.test, 100, torch.Generator().manual_seed(0)))
    np.testing.assert_array_equal(again.samples.gap, forecasts[0].samples.gap)
    with pytest.raises(DataError, match="3 marks"):
        next(Oracle(PROCESS).forecast(dataset.test.without_marks(), 10, torch.Generator()))


# --- the data set ------------------------------------------------------------------------------


def test_lengths_are_drawn_between_the_bounds(dataset):
    assert [len(split) for _, split in dataset.splits()] == [4, 4, 24]
    assert dataset.test.lengths.min() >= 20
    assert dataset.test.lengths.max() <= 40
    assert dataset.n_marks == 3
    rare = simulate_dataset(replace(SMALL, n_marks=20, sequences=(2, 2, 2)))
    assert rare.n_marks == len(rare.mark_names) == 20


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(SpecError, match="events"):
        simulate_dataset(replace(SMALL, events=(9, 3)))
