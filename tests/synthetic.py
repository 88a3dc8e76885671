"""Event sequences made up for tests."""

from dataclasses import replace

import numpy as np

from smash.data.events import EventSequences, build_sequences
from smash.forecast.model_forecaster import FORECAST, ModelForecaster
from smash.model.smash import Smash


def random_sequences(lengths: list[int], n_marks: int = 3, seed: int = 0) -> EventSequences:
    """Sequences without any structure, for laws that hold whatever the data."""
    rng = np.random.default_rng(seed)
    total = sum(lengths)
    gaps = rng.lognormal(size=total)
    time = np.concatenate([np.cumsum(part) for part in np.split(gaps, np.cumsum(lengths)[:-1])])
    mark = rng.integers(n_marks, size=total) if n_marks > 1 else None
    return build_sequences(time, rng.normal(size=(total, 2)), mark, lengths, "random")


def places_over(low, high, margin: float, n: int) -> tuple[EventSequences, float]:
    """Pairs of events whose second lies on an n by n grid, and the area of the grid's cells.

    The grid reaches from `low` (2,) to `high` (2,) and `margin` times as far beyond on each side;
    the first events lie in its middle, so a density of the second, summed over it, is one law's.
    """
    low, high = np.asarray(low), np.asarray(high)
    reach = margin * (high - low)
    x, y = np.linspace(low - reach, high + reach, n).T
    after = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    before = np.broadcast_to((low + high) / 2, after.shape)
    place = np.stack([before, after], axis=1).reshape(-1, 2)
    time, mark = np.tile([0.0, 0.3], n * n), np.ones(2 * n * n, int)
    events = build_sequences(time, place, mark, [2] * n * n, "plane")
    return events, (x[1] - x[0]) * (y[1] - y[0])


def place_log_density(model: Smash, events: EventSequences) -> np.ndarray:
    """Returns (N,) log p(location | gap, mark) of all targets under a model."""
    forecaster = ModelForecaster(model, replace(FORECAST, test_batch_size=1000))
    found = forecaster.log_densities(events).place
    assert found is not None
    return found
