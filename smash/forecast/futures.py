"""What many futures of one history say: how many events, where, and when the next of a mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.geography import TURN, Geography
from smash.errors import ForecastError
from smash.forecast.histories import History
from smash.forecast.next_event import Moment, mark_names
from smash.law.paths import Paths
from smash.model.smash import About

Floats = NDArray[np.float64]
MOST_COUNTS = 100_000_000
"""Counts of a map, one a path and cell."""


@dataclass(frozen=True)
class RateMap:
    """Events expected in each cell until the horizon.

    `x` (X + 1,) and `y` (Y + 1,) are the cells' edges (of places in degrees: where longitudes reach
    beyond 180 the map crosses the date line), `mean` (Y, X) the mean over
    the paths, `quantiles` (Y, X) each by level.
    """

    x: Floats
    y: Floats
    mean: Floats
    quantiles: Mapping[float, Floats]


@dataclass(frozen=True)
class Arrival:
    """When the next event of a mark comes: `probability` that it does before the horizon.

    `quantiles`: by level, the time by which it has come with that probability; None where that
    is beyond the horizon.
    """

    probability: float
    quantiles: Mapping[float, Moment | None]


@dataclass(frozen=True)
class Futures:
    """Paths of events after `history`, with names and units.

    Paths, history and `region` (2, 2), the least and greatest coordinates of the training data, lie
    on the plane of the data's geography. `warnings` name what was extrapolated.
    """

    paths: Paths
    history: History
    about: About
    n_marks: int
    region: Floats
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) events of each path until the horizon."""
        return self.paths.counts

    @property
    def extent(self) -> Floats:
        """(2, 2) least and greatest coordinates of the region, in degrees where these are known."""
        return self.about.geography.box(self.region)

    @property
    def mapped_paths(self) -> Paths:
        """The paths with places in degrees, where these are known; longitudes have no seam."""
        return replace(self.paths, location=self.about.geography.degrees(self.paths.location))

    def table(self) -> pd.DataFrame:
        """Returns a row an event: `path`, `time`; `x`, `y`, `mark`, `magnitude` where known."""
        paths, places = self.paths, self.about.geography.written(self.paths.location)
        columns = {
            "path": paths.path,
            "time": self.about.clock.times(paths.time),
            **dict(zip("xy", places.T, strict=False)),
        }
        if paths.mark is not None:
            names = np.array(mark_names(self.about, self.n_marks), dtype=object)
            columns["mark"] = names[paths.mark]
        if paths.magnitude is not None:
            columns["magnitude"] = paths.magnitude
        return pd.DataFrame(columns)

    def count_distribution(self) -> pd.Series:
        """Returns the probability of each number of events, from 0 to the most of any path."""
        shares = np.bincount(self.counts) / self.paths.n_paths
        return pd.Series(shares, name="probability").rename_axis("events")

    def rate_map(
        self,
        cells: int = 20,
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        region: Floats | None = None,
    ) -> RateMap:
        """Returns the map over `region` (by default the training data's), `cells` to a side.

        The region is (2, 2) least and greatest coordinates, of longitudes the western end first.

        Raises:
            ForecastError: when paths times cells are more than memory should hold, or events have
                no places.
        """
        if not self.paths.location.shape[1]:
            raise ForecastError("a map is one of places, and these events have none")
        if cells < 1 or self.paths.n_paths * cells**2 > MOST_COUNTS:
            most = int((MOST_COUNTS / self.paths.n_paths) ** 0.5)
            raise ForecastError(
                f"cells: {cells} to a side; with {self.paths.n_paths} paths give 1 to {most}"
            )
        low, high = self.extent if region is None else eastward(region, self.about.geography)
        x, y = (np.linspace(low[i], high[i], cells + 1) for i in (0, 1))
        counts = cell_counts(self.mapped_paths, x, y)
        levels = {level: np.quantile(counts, level, axis=0) for level in quantiles}
        return RateMap(x, y, counts.mean(axis=0), levels)

    def time_to_mark(self, name: str, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> Arrival:
        """Returns when the next event with a mark comes.

        Raises:
            ForecastError: when no mark has that name.
        """
        names = mark_names(self.about, self.n_marks)
        if self.paths.mark is None or name not in names:
            known = ", ".join(names) if self.paths.mark is not None else "no marks"
            raise ForecastError(f"mark {name!r} is unknown; the model knows {known}")
        rows = self.paths.mark == names.index(name)
        first = np.full(self.paths.n_paths, np.inf)
        np.minimum.at(first, self.paths.path[rows], self.paths.time[rows])
        # The paths' own order statistic: between a time and never there is nothing to interpolate.
        times = np.quantile(first, levels, method="inverted_cdf")
        quantiles = {
            level: self._moment(time) if np.isfinite(time) else None
            for level, time in zip(levels, times, strict=True)
        }
        return Arrival(float(np.isfinite(first).mean()), quantiles)

    def _moment(self, time: float) -> Moment:
        moment = self.about.clock.times(np.array([time]))[0]
        return moment if isinstance(moment, pd.Timestamp) else float(moment)


def eastward(region: Floats, geography: Geography) -> Floats:
    """Returns a region whose longitudes run east from that of its first corner without a seam."""
    region = np.array(region, dtype=np.float64)
    if geography.geographic:
        region[:, 0] = geography.degrees(geography.plane(region))[:, 0]
        region[1, 0] += TURN * (region[1, 0] < region[0, 0])
    return region


def cell_counts(paths: Paths, x: Floats, y: Floats) -> NDArray[np.int64]:
    """Returns (P, Y, X) events of each path in the cells between edges x (X + 1,), y (Y + 1,)."""
    shape = (paths.n_paths, len(y) - 1, len(x) - 1)
    column, row = (
        np.searchsorted(edges, value, side="right") - 1
        for edges, value in ((x, paths.location[:, 0]), (y, paths.location[:, 1]))
    )
    inside = (column >= 0) & (column < shape[2]) & (row >= 0) & (row < shape[1])
    place = np.ravel_multi_index((paths.path[inside], row[inside], column[inside]), shape)
    return np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)
