"""The intensity of events on a map: λ(t, x, k | history) on a grid of places, at some times."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.argument_checks import check_whole
from smash.data.events import EventSequences
from smash.errors import ForecastError
from smash.forecast.futures import eastward
from smash.forecast.histories import History
from smash.forecast.next_event import mark_names
from smash.law.forecaster import Forecaster
from smash.model.smash import About

Floats = NDArray[np.float64]

MOST_TIMES, MOST_VALUES = 1000, 20_000_000
"""Times of a map, and its values: times, marks and cells."""
SYMBOL = 3
"""Letters up to which a unit is a symbol, such as ms, and no plural."""


@dataclass(frozen=True)
class IntensityMap:
    """Events expected a unit of time and area, by mark, given that none came since the last one.

    `x` (X + 1,) and `y` (Y + 1,) are the cells' edges (of places in degrees: where longitudes reach
    beyond 180 the map crosses the date line), `times` (T,) raw, `values` (T, K, Y, X) the intensity
    in the cells' middles, in `unit`. Each is given the events of `history` before its time.
    """

    x: Floats
    y: Floats
    times: Floats
    values: Floats
    history: History
    about: About
    warnings: tuple[str, ...] = ()

    @property
    def moments(self) -> Floats | pd.DatetimeIndex:
        """(T,) the times as the data had them: timestamps, or the numbers themselves."""
        return self.about.clock.times(self.times)

    @property
    def mark_names(self) -> tuple[str, ...]:
        """(K,) what the marks are called; one empty name where there are none."""
        n_marks = self.values.shape[1]
        return mark_names(self.about, n_marks) if n_marks > 1 else ("",)

    @property
    def unit(self) -> str:
        """What the values count, such as `events per day per km²`."""
        time, length = (_singular(u) for u in (self.about.time_unit, self.about.location_unit))
        return f"events per {time} per {length}²"


def intensity_map(
    forecaster: Forecaster,
    history: History,
    times: Floats,
    about: About,
    region: Floats,
    cells: int,
    warnings: tuple[str, ...] = (),
) -> IntensityMap:
    """Returns the map over `region` (2, 2) as people write places, `cells` to a side.

    Args:
        forecaster: gives the laws.
        history: raw events, on the plane.
        times: (T,) raw; each sees the events before it.
        about: names, units and geography.
        region: least and greatest coordinates, of longitudes the western end first.
        cells: how many to a side.
        warnings: what is extrapolated.

    Raises:
        ForecastError: for impossible times, too many values, or a forecaster without a density.
    """
    most = int((MOST_VALUES / (max(len(times), 1) * forecaster.n_marks)) ** 0.5)
    check_whole("cells", cells, 1, max(most, 1))
    _check_times(times, history, about)
    low, high = eastward(region, about.geography)
    if not (np.isfinite([low, high]).all() and (high > low).all()):
        raise ForecastError(f"region: {np.asarray(region).tolist()}; give two corners, least first")
    x, y = (np.linspace(low[i], high[i], cells + 1) for i in (0, 1))
    middles = np.meshgrid(*((edges[1:] + edges[:-1]) / 2 for edges in (x, y)))
    points = about.geography.plane(np.stack(middles, axis=-1).reshape(-1, 2))
    values = _intensity(forecaster, history.events, times, points)
    if not np.isfinite(values).all():
        raise ForecastError(
            f"the intensity is no number at {about.clock.said(_first_broken(times, values))}: no "
            "event was left to come so late; ask for earlier times"
        )
    shape = (*values.shape[:2], cells, cells)
    return IntensityMap(x, y, times, values.reshape(shape), history, about, warnings)


def _intensity(
    forecaster: Forecaster, events: EventSequences, times: Floats, points: Floats
) -> Floats:
    """Returns (T, K, Q) the intensity at points (Q, 2) of the plane, given the events before."""
    known = np.searchsorted(events.time, times, side="left")
    found = np.empty((len(times), forecaster.n_marks, len(points)))
    for n in np.unique(known):
        rows = known == n
        last = events.time[n - 1] if n else events.window[0, 0]
        law = forecaster.law_after(_first(events, int(n)))
        try:
            found[rows] = law.intensity(points, (times[rows] - last)[None])[0]
        except ValueError as lacking:
            raise ForecastError(f"the forecaster gives no intensity: {lacking}") from None
    return found


def _first(events: EventSequences, n: int) -> EventSequences:
    """Returns the first `n` events of a single sequence."""
    return EventSequences(
        events.time[:n],
        events.location[:n],
        None if events.mark is None else events.mark[:n],
        np.array([0, n]),
        events.window,
        events.name,
        None if events.magnitude is None else events.magnitude[:n],
    )


def _check_times(times: Floats, history: History, about: About) -> None:
    if not 1 <= len(times) <= MOST_TIMES:
        raise ForecastError(f"times: {len(times)} are asked for; give 1 to {MOST_TIMES}")
    if (early := times <= history.start).any():
        raise ForecastError(
            f"times: {about.clock.said(times[early][0])} is not after "
            f"{about.clock.said(history.start)}, where the history begins; give later ones"
        )


def _first_broken(times: Floats, values: Floats) -> float:
    return float(times[int(np.argmin(np.isfinite(values).all(axis=(1, 2))))])


def _singular(unit: str) -> str:
    """Returns one of a unit: day for days, km for km; in brackets where it is of several words."""
    one = unit[:-1] if unit.endswith("s") and len(unit) > SYMBOL else unit
    return one if " " not in one else f"({one})"
