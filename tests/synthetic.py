"""Event sequences made up for tests."""

import numpy as np

from smash.data.events import EventSequences, build_sequences


def random_sequences(lengths: list[int], n_marks: int = 3, seed: int = 0) -> EventSequences:
    """Sequences without any structure, for laws that hold whatever the data."""
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    gaps = rng.lognormal(size=total)
    time = np.concatenate([np.cumsum(part) for part in np.split(gaps, np.cumsum(lengths)[:-1])])
    mark = rng.integers(n_marks, size=total) if n_marks > 1 else None
    return build_sequences(time, rng.normal(size=(total, 2)), mark, lengths, "random")
