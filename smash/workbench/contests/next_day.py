"""Next-day forecasts of ETAS as simulated catalogues, and CSEP's tests of them day by day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.baselines import Etas
from smash.data.clock import Clock
from smash.data.geography import Geography
from smash.errors import DataError
from smash.files import write_text
from smash.scores.csep import Binned, Consistency, calibration, consistency
from smash.simulate.etas_simulation import Shaken
from smash.workbench.contests.earthquakenpp import Contest

Floats = NDArray[np.float64]

MOST_EVENTS = 100_000
"""Events of one catalogue of one day."""


@dataclass(frozen=True)
class Grid:
    """Cells of `width` degrees between corners `low` and `high` (2,), magnitudes from `least` on.

    Magnitudes have cells of `step`, of which the last of `n_sizes` has no end.
    """

    low: Floats
    high: Floats
    least: float
    width: float = 0.1
    step: float = 0.1
    n_sizes: int = 67

    @property
    def shape(self) -> tuple[int, int]:
        """How many cells there are along longitude and latitude."""
        columns, rows = np.round((self.high - self.low) / self.width).astype(int)
        return int(columns), int(rows)

    def binned(self, degrees: Floats, magnitude: Floats) -> Binned:
        """Returns the cells of events at longitudes and latitudes (E, 2); edges count inwards."""
        place = np.floor((degrees - self.low) / self.width + 1e-9).astype(np.int64)
        place = np.clip(place, 0, np.array(self.shape) - 1)
        size = np.floor((magnitude - self.least) / self.step + 1e-9).astype(np.int64)
        return Binned(place @ np.array([self.shape[1], 1]), np.clip(size, 0, self.n_sizes - 1))


@dataclass(frozen=True)
class Day:
    """A day's forecast and what happened: `start` in days, `catalogues`, the tests."""

    start: float
    catalogues: Shaken
    n_observed: int
    tests: Consistency


def forecast_days(
    etas: Etas, contest: Contest, n_days: int, n_paths: int, seed: int = 0
) -> Iterator[Day]:
    """Yields `n_days` from the first of the test on, each forecast from all that came before it."""
    test, numbers = contest.test, np.random.default_rng(seed)
    assert test.magnitude is not None
    grid = Grid(*contest.degrees, contest.threshold)
    for day in range(n_days):
        start = contest.test_start + day
        known, end = np.searchsorted(test.time, [start, start + 1])
        past = _shaken(test.time, test.location, test.magnitude, slice(0, known))
        drawn = etas.process.futures(past, start, start + 1, n_paths, numbers, MOST_EVENTS)
        happened = _shaken(test.time, test.location, test.magnitude, slice(known, end))
        simulated, observed = (
            grid.binned(contest.geography.degrees(events.location), events.magnitude)
            for events in (drawn, happened)
        )
        cells = grid.shape[0] * grid.shape[1]
        tests = consistency(simulated, drawn.path, n_paths, observed, cells, grid.n_sizes)
        yield Day(start, drawn, len(happened), tests)


def summary(days: Sequence[Consistency]) -> pd.DataFrame:
    """Returns a row a test: days it says something of, share passed, p-value of even quantiles."""
    quantiles: dict[str, list[float | None]] = {
        "N": [day.number[1] for day in days],
        "S": [day.space for day in days],
        "M": [day.magnitude for day in days],
        "PL": [day.pseudo_likelihood for day in days],
    }
    rows = {}
    for name, values in quantiles.items():
        passed = [day.passed()[name] for day in days]
        known = [p for p in passed if p is not None]
        share = float(np.mean(known)) if known else float("nan")
        rows[name] = {"days": len(known), "passed": share, "even": calibration(values)}
    return pd.DataFrame.from_dict(rows, orient="index")


def write_catalogues(day: Day, geography: Geography, clock: Clock, path: Path) -> None:
    """Writes a day's catalogues as CSV in the columns that pyCSEP reads.

    Raises:
        DataError: when times are no timestamps, which the format needs.
    """
    if not clock.origin:
        raise DataError(f"{path}: catalogues for pyCSEP need times that are timestamps")
    drawn = day.catalogues
    lon, lat = geography.written(drawn.location).T
    stamps = pd.DatetimeIndex(clock.times(drawn.time)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    frame = pd.DataFrame(
        {
            "lon": lon,
            "lat": lat,
            "mag": drawn.magnitude,
            "time_string": stamps,
            "depth": 0.0,
            "catalog_id": drawn.path,
            "event_id": np.arange(len(drawn)),
        }
    )
    write_text(path, frame.to_csv(index=False))


def _shaken(time: Floats, place: Floats, magnitude: Floats, rows: slice) -> Shaken:
    n = len(time[rows])
    return Shaken(np.zeros(n, dtype=np.int64), time[rows], place[rows], magnitude[rows])
