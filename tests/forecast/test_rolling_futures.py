"""Scores of futures: the true process is calibrated and cannot be beaten."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smash.data.events import EventSequences, build_sequences
from smash.errors import DataError
from smash.forecast.rolling_futures import (
    count_windows,
    rolling_windows,
    score_futures,
    summarise_futures,
)
from smash.settings import SimulatorSettings
from smash.simulate.process import HawkesProcess
from smash.simulate.simulator import Oracle

PROCESS = HawkesProcess.from_settings(SimulatorSettings(n_marks=2))
HORIZON, END = 4.0, 42.0
REGION = np.array([[-2.0, -2.0], [2.0, 2.0]])


@pytest.fixture(scope="module")
def sequences():
    """Events until a fixed time: with a fixed number of them, full windows would end early."""
    no_events = np.empty(0), np.empty((0, 2)), np.empty(0, dtype=int)
    nothing = EventSequences(*no_events, np.array([0, 0]), np.array([[0.0, 0.0]]))
    drawn = Oracle(PROCESS).simulate(nothing, 0.0, END, 30, torch.Generator().manual_seed(1))
    windows = np.tile([0.0, END], (drawn.n_paths, 1))
    return build_sequences(drawn.time, drawn.location, drawn.mark, drawn.counts, "drawn", windows)


def scored(process, sequences):
    generator = torch.Generator().manual_seed(0)
    return score_futures(Oracle(process), REGION, sequences, HORIZON, generator, n_paths=200)


def test_the_true_process_is_calibrated_and_cannot_be_beaten(sequences):
    true = summarise_futures(scored(PROCESS, sequences))
    assert true["cs_count"] < 3 * true["cs_count_floor"]
    assert true["relative_count"] == pytest.approx(1, abs=0.15)
    quieter = replace(PROCESS, excitation=0.3 * PROCESS.excitation)
    wider = replace(PROCESS, spread=10 * PROCESS.spread)
    wrong = summarise_futures(scored(quieter, sequences))
    assert wrong["crps_count"] > true["crps_count"]
    assert wrong["cs_count"] > true["cs_count"]
    assert wrong["relative_count"] < 0.8
    assert summarise_futures(scored(wider, sequences))["energy_pattern"] > true["energy_pattern"]


def test_windows_roll_through_the_sequence_and_count_each_event_once(sequences):
    for i in range(len(sequences)):
        one = sequences.select([i])
        windows = list(rolling_windows(one, HORIZON))
        ends = [window.history.now + HORIZON for window in windows]
        assert ends[-1] <= one.window[0, 1]
        time = np.concatenate([window.happened.time for window in windows])
        first = windows[0].history.now
        assert time.tolist() == one.time[(one.time > first) & (one.time <= ends[-1])].tolist()
        for window in windows:
            assert (window.history.events.time <= window.history.now).all()
            assert (window.happened.time > window.history.now).all()


def test_no_window_fits_into_sequences_that_are_too_short(sequences):
    with pytest.raises(DataError, match="shorter horizon"):
        score_futures(Oracle(PROCESS), REGION, sequences, 1e6, torch.Generator())


@pytest.mark.parametrize("horizon", [0.7, 3.0, HORIZON, 1e6])
@pytest.mark.parametrize("stride", [None, 1.3])
def test_windows_are_counted_as_they_come(sequences, horizon, stride):
    windows = list(rolling_windows(sequences, horizon, stride))
    assert count_windows(sequences, horizon, stride) == len(windows)


@pytest.mark.parametrize("horizon", [1e-9, 1e-300])
def test_more_windows_than_there_is_time_for_are_refused_before_any(sequences, horizon):
    with pytest.raises(DataError, match="take a longer one"):
        score_futures(Oracle(PROCESS), REGION, sequences, horizon, torch.Generator())
