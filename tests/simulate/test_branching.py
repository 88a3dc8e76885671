"""Futures of a self-exciting process: the law of its own next events, until a horizon."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smash.baselines import fit_hawkes
from smash.data.events import EventSequences
from smash.errors import ForecastError
from smash.settings import SimulatorSettings
from smash.simulate.process import Events, HawkesProcess
from smash.simulate.simulator import Oracle, simulate_dataset

PROCESS = HawkesProcess.from_settings(SimulatorSettings())
N_PATHS = 2000


def sequence_of(events: Events) -> EventSequences:
    window, offsets = np.array([[events.start, events.now]]), np.array([0, len(events)])
    return EventSequences(events.time, events.location, events.mark, offsets, window)


@pytest.fixture(scope="module")
def past() -> Events:
    return PROCESS.simulate(30, np.random.default_rng(3))


def futures(forecaster, past, horizon, wait=0.0, seed=0, n_paths=N_PATHS, max_events=2000):
    generator, now = torch.Generator().manual_seed(seed), past.now + wait
    history = sequence_of(past)
    return forecaster.simulate(history, now, horizon, n_paths, generator, max_events)


def test_the_first_event_of_a_future_is_the_next_event(past):
    oracle = Oracle(PROCESS)
    for wait in (0.0, 1.0):
        paths = futures(oracle, past, 50.0, wait, n_paths=5000)
        first = np.unique(paths.path, return_index=True)[1]
        law = oracle.law_after(sequence_of(past)).given_no_event_until(np.array([wait]))
        drawn = law.sample(5000, torch.Generator().manual_seed(1))
        gap = paths.time[first] - past.now
        assert gap.min() > wait
        shares = (0.1, 0.5, 0.9)
        assert np.quantile(gap, shares) == pytest.approx(np.quantile(drawn.gap, shares), rel=0.1)
        of_mark = np.bincount(paths.mark[first], minlength=3) / len(first)
        assert of_mark == pytest.approx(drawn.mark_probability[0], abs=0.03)
        spread = paths.location[first].std(axis=0)
        assert spread == pytest.approx(drawn.location[0].std(axis=0), rel=0.1)


def test_counts_are_those_of_events_drawn_one_by_one(past):
    """Branching and the process's own next-event law are two roads to the same futures."""
    horizon, numbers = 3.0, np.random.default_rng(5)
    counts = []
    for _ in range(1000):
        events, end = past, past.now + horizon
        while True:
            drawn = PROCESS.next_event(events, 1, numbers)
            if events.now + drawn.gap[0] > end:
                break
            events = Events(
                np.append(events.time, events.now + drawn.gap[0]),
                np.vstack([events.location, drawn.location]),
                np.append(events.mark, drawn.mark),
            )
        counts.append(len(events) - len(past))
    paths = futures(Oracle(PROCESS), past, horizon)
    assert paths.counts.mean() == pytest.approx(np.mean(counts), rel=0.08)
    assert paths.counts.std() == pytest.approx(np.std(counts), rel=0.12)


def test_counts_of_the_fitted_process_agree_with_the_true_one():
    settings = SimulatorSettings(sequences=(60, 2, 12), events=(40, 60))
    dataset = simulate_dataset(settings)
    fitted = fit_hawkes(dataset.train, dataset.n_marks)
    forecasters = {"true": Oracle(PROCESS), "fitted": fitted}
    means = {name: [] for name in forecasters}
    for i in range(len(dataset.test)):
        one = dataset.test.select([i])
        past = Events(one.time, one.location, one.mark)
        for name, forecaster in forecasters.items():
            means[name].append(futures(forecaster, past, 5.0, seed=i, n_paths=500).counts.mean())
    true, of_fit = np.array(means["true"]), np.array(means["fitted"])
    assert of_fit.mean() == pytest.approx(true.mean(), rel=0.1)
    assert np.corrcoef(true, of_fit)[0, 1] > 0.9


def test_an_empty_past_has_a_future():
    paths = futures(Oracle(PROCESS), PROCESS.simulate(0, np.random), 10.0)
    assert 0 < paths.counts.mean() < 10 * PROCESS.background.sum() / (1 - 0.6) * 1.2


def test_events_lie_within_the_horizon_and_in_order(past):
    paths = futures(Oracle(PROCESS), past, 2.0, wait=0.5)
    assert paths.time.min() > past.now + 0.5
    assert paths.time.max() <= past.now + 2.5
    assert (np.diff(paths.path) >= 0).all()
    assert (np.diff(paths.time)[np.diff(paths.path) == 0] >= 0).all()


def test_an_explosion_ends_with_a_reason(past):
    oracle = Oracle(replace(PROCESS, background=1000 * PROCESS.background))
    with pytest.raises(ForecastError, match="more than 50 events after"):
        futures(oracle, past, 10.0, n_paths=5, max_events=50)
