"""What a network is told of days and weeks: phases, and what followed them earlier."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smash.model.phases import LOOKBACK, SOONEST, earlier_waits, phase_features

DAY = 24.0


def features(times: list[float], start: float | None = None, period: float = DAY) -> torch.Tensor:
    time = torch.tensor([times])
    begin = None if start is None else torch.tensor([start], dtype=torch.float64)
    return phase_features(time, begin, time, (period,))[0]


def test_phases_repeat_with_the_period_wherever_the_window_starts():
    times = [3.0, 30.0, 60.5]
    phase = features(times)[:, :2]
    later = features([t + DAY for t in times])[:, :2]
    torch.testing.assert_close(later, phase, atol=1e-5, rtol=0)
    moved = features(times, start=1e6 * DAY + 6.0)[:, :2]
    torch.testing.assert_close(moved, features([t + 6.0 for t in times])[:, :2], atol=1e-5, rtol=0)
    assert (moved - phase).abs().max() > 0.5


@given(
    gaps=st.lists(st.floats(0.01, 40.0), min_size=2, max_size=12),
    period=st.floats(0.5, 50.0),
)
def test_earlier_waits_are_those_found_by_looking(gaps, period):
    time = torch.tensor(np.cumsum(gaps), dtype=torch.float64)[None]
    found = earlier_waits(time, time, period)[0]
    middle = -math.log(SOONEST) / 2
    for t, (last, mean, share) in zip(time[0], found, strict=True):
        waits = []
        for m in range(1, LOOKBACK + 1):
            if t - m * period >= 0:
                after = [float(s) - float(t - m * period) for s in time[0] if s > t - m * period]
                wait = min(max(min(after) / period, SOONEST), 1 / SOONEST)
                waits.append((math.log(wait) + middle) / middle)
        assert float(share) == pytest.approx(len(waits) / LOOKBACK)
        assert float(last) == pytest.approx(waits[0] if waits else 0.0, abs=1e-6)
        assert float(mean) == pytest.approx(np.mean(waits) if waits else 0.0, abs=1e-6)


def test_no_event_after_one_changes_what_is_told_of_it():
    times = [1.0, 5.0, 26.0, 30.0, 49.0, 60.0]
    torch.testing.assert_close(features(times)[:4], features(times[:4]))
    assert (features([1.0, 5.5, 26.0, 30.0])[3] - features(times)[3]).abs().max() < 1e-6
    assert (features([1.0, 6.5, 26.0, 30.0])[3] - features(times)[3]).abs().max() > 0.1


def test_a_quiet_afternoon_is_told_on_the_next_day():
    """Events from midnight to noon alone: after noon's the wait was half a day yesterday."""
    times = [24.0 * day + hour for day in range(3) for hour in range(13)]
    told = dict(zip(times, features(times)[:, 2].tolist(), strict=True))
    busy, quiet = told[24.0 + 11], told[24.0 + 12]
    half_a_day = 1 + math.log(0.5) / (-math.log(SOONEST) / 2)
    assert quiet == pytest.approx(half_a_day, abs=1e-5)
    assert busy < quiet - 0.5
    assert told[5.0] == 0
