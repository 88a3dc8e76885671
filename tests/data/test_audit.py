"""The audit finds what was put into the data, and can be written and shown."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from test_groups import windows

from smash.data.audit import audit, render
from smash.data.dataset import build_dataset
from smash.data.drift import drift
from smash.data.events import build_sequences
from smash.data.groups import lay_out
from smash.data.variation.folding import folded


def coarse(n_sequences: int, seed: int, rate: float = 1.0, likely: float = 0.5):
    """Sequences of 100 events on a clock of quarters and a map of whole numbers."""
    rng = np.random.default_rng(seed)
    n = 100 * n_sequences
    gap = np.floor(4 * rng.exponential(rate, n)) / 4
    time = np.concatenate([np.cumsum(part) for part in np.split(gap, n_sequences)])
    mark = (rng.random(n) > likely).astype(int)
    place = rng.integers(0, 30, (n, 2))
    return build_sequences(time, place, mark, [100] * n_sequences, "coarse")


@pytest.fixture(scope="module")
def found():
    return audit(build_dataset("coarse", coarse(20, 0), coarse(5, 1), coarse(5, 2, 1.5, 0.8)))


def test_shares_and_places_are_those_of_the_split(found):
    assert found["marks"]["test"] == pytest.approx({"0": 0.8, "1": 0.2}, abs=0.06)
    assert sum(found["marks"]["train"].values()) == pytest.approx(1)
    limits = {"least_x": 0, "greatest_x": 29, "least_y": 0, "greatest_y": 29}
    assert found["places"]["train"] == limits


def test_sizes_zero_gaps_and_resolution_are_found(found):
    train = found["sizes"]["train"]
    assert (train["sequences"], train["events"], train["targets"]) == (20, 2000, 1980)
    assert train["distinct_targets"] == train["targets"]
    assert (train["groups"], train["overlapping_windows"]) == (20, 0)
    assert found["gaps"]["train"]["zero_share"] == pytest.approx(1 - np.exp(-0.25), abs=0.05)
    assert found["gaps"]["train"]["least_positive"] == 0.25
    assert found["resolution"] == {"gap": 0.25, "gap_lattice": True, "x": 1.0, "y": 1.0}


def test_drift_stands_out_from_chance(found):
    moved = found["drift"]["test"]
    assert moved["gap"] > moved["gap_chance"]
    assert moved["mark"] == pytest.approx(0.3, abs=0.06)
    assert moved["mark"] > moved["mark_chance"]
    same = found["drift"]["validation"]
    assert sum(same[what] < same[f"{what}_chance"] for what in ("gap", "x", "y", "mark")) >= 3


def test_chance_is_exceeded_in_a_twentieth_of_cases_though_events_of_a_sequence_are_alike():
    rng = np.random.default_rng(0)

    def clustered(n_sequences):
        n = 30 * n_sequences
        time = np.concatenate([np.cumsum(rng.exponential(size=30)) for _ in range(n_sequences)])
        centre = np.repeat(rng.normal(size=(n_sequences, 2)), 30, axis=0)
        place = centre + 0.2 * rng.normal(size=(n, 2))
        return build_sequences(time, place, None, [30] * n_sequences, "clustered")

    exceeded = []
    for _ in range(60):
        pair = clustered(30), clustered(12)
        distances = drift(*pair, (lay_out(pair[0]), lay_out(pair[1])))
        exceeded += [distances[what] > distances[f"{what}_chance"] for what in ("gap", "x", "y")]
    assert np.mean(exceeded) < 0.11


def test_overlapping_windows_repeats_and_leaks_are_found():
    train, test = windows([0.0, 20.0]), windows([50.0, 90.0])
    one = train.select([0, 0])
    moved = replace(one, time=one.time * 1.5, window=one.window * 1.5)
    result = audit(build_dataset("leaky", train, moved, test))
    split = result["sizes"]["train"]
    assert (split["groups"], split["overlapping_windows"]) == (1, 2)
    assert split["distinct_targets"] < split["targets"]
    assert result["sizes"]["validation"]["distinct_targets"] == moved.is_target.sum() / 2
    shared = {pair["splits"]: pair["distinct_targets"] for pair in result["shared"]}
    # the second window of training ends at 60, the first one of the test starts at 50
    held = {tuple(x) for x in train.location[train.is_target]}
    again = {tuple(x) for x in test.location[test.is_target]}
    assert shared["train and test"] == len(held & again) > 0
    assert shared["train and validation"] == 0


def test_exact_duplicates_are_counted_and_what_happens_again_later_is_not():
    events = coarse(5, 3)

    def twice(later: float):
        return build_sequences(
            np.repeat(events.time, 2) + np.tile(later * np.arange(200), 5),
            np.repeat(events.location, 2, axis=0),
            np.repeat(events.mark, 2),
            2 * events.lengths,
            "twice",
        )

    result = audit(build_dataset("twice", twice(0.0), coarse(2, 4), coarse(2, 5)))
    assert result["sizes"]["train"]["duplicates"] >= events.n_events
    result = audit(build_dataset("again", twice(1e-3), coarse(2, 4), coarse(2, 5)))
    assert result["sizes"]["train"]["duplicates"] < 5


def test_weeks_on_a_clock_of_twelve_hours_are_counted_where_the_unit_is_known():
    plain = coarse(8, 1)
    on_clock = folded(plain, 0.999999, 24.0, torch.Generator().manual_seed(0))
    for unit, counted in (("hours", 8), ("days", 0), ("time units", 0)):
        result = audit(build_dataset("clock", plain, on_clock, plain, time_unit=unit))
        assert result["sizes"]["validation"]["half_days"] == counted
        assert result["sizes"]["train"]["half_days"] == 0


@pytest.mark.parametrize("marked", [True, False])
def test_it_is_ready_for_json_and_shown_with_every_split(small_dataset, marked):
    dataset = small_dataset if marked else small_dataset.without_marks()
    result = audit(dataset)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(render(result))
    text = console.export_text()
    for words in ("train", "validation", "test", "distinct targets", "resolution of gap"):
        assert words in text
    assert ("shares of marks" in text) == marked
