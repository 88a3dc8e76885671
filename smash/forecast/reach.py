"""How far beyond its training data a model is asked, and answers that are no numbers."""

import numpy as np
from numpy.typing import NDArray

from smash.errors import ForecastError
from smash.forecast.histories import History
from smash.law.samples import Samples
from smash.model.smash import About

Floats = NDArray[np.float64]

FARTHEST = 1000.0
"""Sizes of the trained region, and lengths of training windows, beyond which nothing is forecast:
a network's answer there says nothing of the data, and some way further on it is no number."""
DIGITS = 1e-6
"""Share of a training window that times have to be told apart by."""


def check_reach(history: History, about: About, region: Floats, horizon: float = 0.0) -> None:
    """Checks that a forecast after `history`, until `horizon` beyond its `now`, can mean anything.

    Args:
        history: raw events.
        about: names, units and windows of the training data.
        region: (2, 2) least and greatest coordinates of the training data.
        horizon: how far will be forecast, in raw units of time.

    Raises:
        ForecastError: naming the event, or the time, that is too far away.
    """
    _check_places(history, about, region)
    if not np.isfinite([history.start, history.now, horizon]).all():
        raise ForecastError(
            f"start {history.start}, now {history.now}, horizon {horizon}: give finite times"
        )
    span = history.now + horizon - history.start
    # Models saved before there were windows know none.
    window = about.window_length
    if window is not None and span > FARTHEST * window:
        raise ForecastError(
            f"history and horizon span {span:g} {about.time_unit}, more than {FARTHEST:g} times "
            f"the longest training window ({window:g}); forecast less far ahead, or "
            "check the unit of the times"
        )
    apart = float(np.spacing(max(abs(history.start), abs(history.now + horizon))))
    if window is not None and apart > DIGITS * window:
        raise ForecastError(
            f"times as large as {history.now:g} {about.time_unit} are told apart by steps of "
            f"{apart:g}, too coarse for a window of {window:g}; count them from a nearer origin"
        )


def _check_places(history: History, about: About, region: Floats) -> None:
    low, high = region
    location, size = history.events.location, high - low
    far = ((location < low - FARTHEST * size) | (location > high + FARTHEST * size)).any(axis=1)
    if far.any():
        row = int(np.argmax(far))
        x, y = location[row]
        raise ForecastError(
            f"{history.events.name}, event {row}: the place ({x:g}, {y:g}) is further than "
            f"{FARTHEST:g} times the region of the training data ({low[0]:g} to {high[0]:g}, "
            f"{low[1]:g} to {high[1]:g}) away from it; check the columns and their unit "
            f"({about.location_unit})"
        )


def numbers(samples: Samples, labels: tuple[object, ...] = ()) -> Samples:
    """Returns samples (N, S) as they are, all of them numbers.

    `labels` (N,) name the histories they are for, where there are several.

    Raises:
        ForecastError: naming the first history for which they are not.
    """
    fine = np.isfinite(samples.gap).all(axis=1) & np.isfinite(samples.location).all(axis=(1, 2))
    if samples.mark_probability is not None:
        fine &= np.isfinite(samples.mark_probability).all(axis=1)
    if not fine.all():
        which = f"sequence {labels[int(np.argmin(fine))]}" if labels else "this history"
        raise ForecastError(
            f"the model's draws after {which} are not numbers: its events are too unlike those of "
            "the training data, or the model was trained too little"
        )
    return samples
