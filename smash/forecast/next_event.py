"""The forecast of one next event, as people read it: times, places, probabilities by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.errors import ForecastError
from smash.forecast.histories import History
from smash.law.regions import Region, density_regions
from smash.law.samples import Samples
from smash.model.smash import About
from smash.scores.points import geometric_median

Floats = NDArray[np.float64]
Moment = float | pd.Timestamp


class Levels(Protocol):
    """What turns a forecaster's own levels and probabilities into calibrated ones."""

    def time_level(self, level: float) -> float:
        """Returns the share of the gap's samples that holds the gap with probability `level`."""
        ...

    def region_level(self, level: float) -> float:
        """Returns the same for the location's regions."""
        ...

    def mark_probability(self, probability: Floats) -> Floats:
        """Returns calibrated probabilities (N, K) of the marks."""
        ...


@dataclass(frozen=True)
class Point:
    """One value for each part of the forecast: `time`, `gap` since the last event, `location`.

    The location of events without places is None.
    """

    time: Moment
    gap: float
    location: tuple[float, float] | None


@dataclass(frozen=True)
class Interval:
    """Between `low` and `high` the event comes with probability `level`; by `latest` as well."""

    level: float
    low: Moment
    high: Moment
    latest: Moment


@dataclass(frozen=True)
class NextEvent:
    """When, where and of which mark the next event comes, in the data's own units and names.

    Places are longitude and latitude where the training data's were, projected or not. Events
    without places have none, and no regions.

    `samples`: a row a draw, as the forecaster gave it: `time`, `gap` since the last event, `x`,
    `y` and, of a marked one, `mark`. `mean` and `median` (of the location: geometric) are point
    forecasts. `intervals` and `regions` come by level, `mark_probability` by name; `recalibrated`
    says whether these three and the median time were. `warnings` name what was extrapolated.
    """

    samples: pd.DataFrame
    mean: Point
    median: Point
    intervals: Mapping[float, Interval]
    regions: Mapping[float, Region]
    mark_probability: Mapping[str, float]
    about: About
    recalibrated: bool = False
    warnings: tuple[str, ...] = ()

    def geojson(self) -> dict[str, Any]:
        """Returns regions and median location as a GeoJSON feature collection.

        GeoJSON knows longitude and latitude alone, which places are written in where the training
        data's were; other coordinates are written as they are.

        Raises:
            ForecastError: when events have no places.
        """
        features = [
            {"type": "Feature", "properties": {"level": level}, "geometry": region.geometry()}
            for level, region in self.regions.items()
        ]
        if self.median.location is None:
            raise ForecastError("GeoJSON is of places, and these events have none")
        point = {"type": "Point", "coordinates": list(self.median.location)}
        median = {"type": "Feature", "properties": {"point": "median"}, "geometry": point}
        return {"type": "FeatureCollection", "features": [*features, median]}


def next_event(
    samples: Samples,
    history: History,
    about: About,
    levels: Sequence[float],
    recalibration: Levels | None = None,
    warnings: tuple[str, ...] = (),
) -> NextEvent:
    """Returns the forecast that samples (1, S) of the event after `history` stand for."""
    gap, location = samples.gap[0], samples.location[0]

    def quantile(level: float) -> float:
        return float(np.quantile(gap, recalibration.time_level(level) if recalibration else level))

    moment, written = _moments(history, about), about.geography.written
    median_gap, placed = quantile(0.5), location.shape[1] > 0
    mean = median = None
    if placed:
        mean = _pair(written(location.mean(axis=0)))
        median = _pair(written(geometric_median(samples.location)[0]))
    held = [recalibration.region_level(level) if recalibration else level for level in levels]
    return NextEvent(
        _table(samples, history, about),
        Point(moment(gap.mean()), float(gap.mean()), mean),
        Point(moment(median_gap), median_gap, median),
        {level: _interval(level, quantile, moment) for level in levels},
        {
            region.level: region
            for region in density_regions(location, levels, held, about.geography)
        }
        if placed
        else {},
        _named_probabilities(samples, about, recalibration),
        about,
        recalibration is not None,
        warnings,
    )


def mark_names(about: About, n_marks: int) -> tuple[str, ...]:
    """Returns the names of K marks: their numbers where the data have no names."""
    return about.mark_names or tuple(str(k) for k in range(n_marks))


def _moments(history: History, about: About) -> Callable[[float], Moment]:
    """Returns what turns a gap into the time of its event."""

    def moment(gap: float) -> Moment:
        time = about.clock.times(np.array([history.last + gap]))[0]
        return time if isinstance(time, pd.Timestamp) else float(time)

    return moment


def _interval(
    level: float, quantile: Callable[[float], float], moment: Callable[[float], Moment]
) -> Interval:
    low, high = quantile((1 - level) / 2), quantile((1 + level) / 2)
    return Interval(level, moment(low), moment(high), moment(quantile(level)))


def _table(samples: Samples, history: History, about: About) -> pd.DataFrame:
    gap, location = samples.gap[0], about.geography.written(samples.location[0])
    columns = {
        "time": about.clock.times(history.last + gap),
        "gap": gap,
        **dict(zip("xy", location.T, strict=False)),
    }
    if samples.mark is not None and samples.mark_probability is not None:
        names = mark_names(about, samples.mark_probability.shape[1])
        columns["mark"] = np.array(names, dtype=object)[samples.mark[0]]
    return pd.DataFrame(columns)


def _named_probabilities(
    samples: Samples, about: About, recalibration: Levels | None
) -> dict[str, float]:
    probability = samples.mark_probability
    if probability is None:
        return {}
    if recalibration is not None:
        probability = recalibration.mark_probability(probability)
    names = mark_names(about, probability.shape[1])
    return dict(zip(names, probability[0].tolist(), strict=True))


def _pair(point: Floats) -> tuple[float, float]:
    return float(point[0]), float(point[1])
