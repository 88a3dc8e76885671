"""Sequences dealt anew to training, validation and test, so that a result is not that of one split.

Published splits are one draw, and where they follow time the test drifts away from training. Dealt
at random, parts are alike, and what is left between forecasters is what they learn.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smash.data.dataset import Dataset
from smash.data.groups import Layout, joined, lay_out
from smash.data.splitting import SPLITS
from smash.data.tally import LeftOut, Tally
from smash.errors import DataError

Integers = NDArray[np.int64]

FEWEST_SEQUENCES = 10


def resplit(dataset: Dataset, seed: int) -> Dataset:
    """Returns the data set with its sequences dealt anew, each part as many as it had.

    Sequences that share nothing are dealt one by one. Windows that overlap lie on one axis of time,
    of which each part gets stretches; those of training that share events with another part, and
    those of validation that share some with the test, are left out and counted in `rows`.

    Args:
        dataset: three parts of M sequences in all, 10 or more.
        seed: of the order in which sequences are dealt.

    Raises:
        DataError: when there are too few sequences, or a part has none left.

    Example:
        >>> from smash.simulate.simulator import simulate_dataset
        >>> from smash.settings import SimulatorSettings
        >>> simulated = simulate_dataset(SimulatorSettings(sequences=(8, 2, 2)))
        >>> [len(part) for _, part in resplit(simulated, seed=1).splits()]
        [8, 2, 2]
    """
    parts = dict(dataset.splits())
    every = joined(list(parts.values()))
    if len(every) < FEWEST_SEQUENCES:
        raise DataError(
            f"{dataset.name}: has {len(every)} sequences, and {FEWEST_SEQUENCES} are needed to be "
            "dealt anew; one long catalogue is cut at other dates instead (`smash data check "
            "--split`)"
        )
    layout = lay_out(every)
    order = _order(layout, np.random.default_rng(seed))
    n_test, n_validation = len(parts["test"]), len(parts["validation"])
    test, validation, train = np.split(order, [n_test, n_test + n_validation])
    owner = every.sequence
    clear_validation = _sharing_nothing(validation, test, layout, owner)
    clear_train = _sharing_nothing(train, np.concatenate([test, validation]), layout, owner)
    dealt = dict(zip(SPLITS, map(np.sort, (clear_train, clear_validation, test)), strict=True))
    for split, members in dealt.items():
        if not len(members):
            raise DataError(
                f"{dataset.name}: every sequence that would be of {split} shares events with those "
                f"of another part (seed {seed}); try another seed"
            )
    lost = np.setdiff1d(order, np.concatenate(list(dealt.values())))
    rows = int(every.lengths[lost].sum())
    left_out = (LeftOut("sequences that share events with another part", len(lost), rows),)
    split = f"at random, sequences of {dataset.name} dealt anew with seed {seed}"
    tally = Tally(every.n_events, every.n_events - rows, left_out if len(lost) else (), split=split)
    if all(part.history is None for part in parts.values()):
        every = replace(every, history=None)
    anew = (
        replace(every.select(members), name=f"{dataset.name} {split}")
        for split, members in dealt.items()
    )
    train_part, validation_part, test_part = anew
    return replace(
        dataset,
        train=train_part,
        validation=validation_part,
        test=test_part,
        tally=tally,
        published=False,
        warnings=(),
    )


def _order(layout: Layout, rng: np.random.Generator) -> Integers:
    """Returns (M,) all sequences: groups in random order, the windows of each in that of time.

    They lie on a ring that is opened anywhere, so that any stretch of a group may be the test.
    """
    place = rng.permutation(layout.group.max() + 1)
    order = np.lexsort((layout.start, place[layout.group]))
    return np.roll(order, int(rng.integers(len(order))))


def _sharing_nothing(some: Integers, others: Integers, layout: Layout, owner: Integers) -> Integers:
    """Returns those of the sequences `some` that hold no event of `others`; `owner` (E,)."""
    taken = layout.event[np.isin(owner, others)]
    return np.setdiff1d(some, owner[np.isin(layout.event, taken)])
