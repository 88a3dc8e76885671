"""Events in two splits are found, however short their sequences, and said aloud."""

import numpy as np
import pytest
from test_groups import windows

from smash.catalogue.datasets import load_dataset
from smash.data.dataset import build_dataset
from smash.data.events import EventSequences, build_sequences
from smash.data.groups import lay_out
from smash.data.sharing import shared_targets
from smash.settings import Columns, DataSettings


def short(n: int, events: int, seed: int, coarse: bool = False) -> EventSequences:
    """Sequences of few events; `coarse` ones on one place and a clock of fifty ticks."""
    rng = np.random.default_rng(seed)
    gap = rng.integers(1, 51, (n, events)) if coarse else rng.exponential(size=(n, events))
    place = np.ones((n * events, 2)) if coarse else rng.normal(size=(n * events, 2))
    return build_sequences(np.cumsum(gap, axis=1).ravel(), place, None, n * [events], "short")


@pytest.mark.parametrize("events", [2, 3, 12])
def test_a_test_that_is_the_training_data_is_shared_whole(events):
    train, other = short(20, events, 0), short(20, events, 1)
    found = shared_targets({"train": train, "validation": other, "test": train})
    (pair,) = (pair for pair in found if pair.distinct_targets)
    assert (pair.first, pair.second) == ("train", "test")
    assert pair.share == 1
    assert pair.distinct_targets == 20 * (events - 1)


def test_the_share_is_that_of_the_later_split():
    train, other = short(40, 2, 0), short(30, 2, 1)
    mixed = build_sequences(
        np.concatenate([train.time[:20], other.time]),
        np.concatenate([train.location[:20], other.location]),
        None,
        40 * [2],
        "mixed",
    )
    (pair,) = shared_targets({"train": train, "test": mixed})
    assert (pair.share, pair.distinct_targets) == (0.25, 10)


def test_short_sequences_that_chance_makes_equal_are_not_the_same():
    train, test = short(400, 2, 0, coarse=True), short(400, 2, 1, coarse=True)
    (pair,) = shared_targets({"train": train, "test": test})
    assert pair.distinct_targets == 0
    assert len(np.unique(lay_out(train).group)) == 400


def test_splits_that_share_events_say_so_and_others_nothing():
    train, test = windows([0.0, 20.0]), windows([50.0, 90.0])
    dataset = build_dataset("leaky", train, windows([0.0], seed=1), test)
    (said,) = dataset.notices
    share = next(pair.share for pair in dataset.shared if pair.second == "test")
    assert f"{100 * share:.3g} % of the test targets stand in train too" in said
    clean = build_dataset("clean", train, windows([0.0], seed=1), windows([0.0], seed=2))
    assert clean.notices == ()


def test_own_files_that_are_copies_are_named_though_they_are_read_as_ever(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "validation"):
        rows = np.column_stack([np.cumsum(rng.exponential(size=30)), rng.normal(size=(30, 2))])
        np.savetxt(tmp_path / f"{split}.csv", rows, "%.6f", ",", header="time,x,y", comments="")
    train, validation = (str(tmp_path / f"{split}.csv") for split in ("train", "validation"))
    settings = DataSettings(train=train, validation=validation, test=train, columns=Columns())
    (said,) = load_dataset(settings).notices
    assert "100 % of the test targets stand in train too (29 distinct)" in said
    assert "known from training" in said
