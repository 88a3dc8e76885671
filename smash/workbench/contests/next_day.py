"""Next-day forecasts as simulated catalogues, and CSEP's tests of them day by day.

A day is forecast at its midnight, from all that came before it. Days are independent of each other,
so that as many are forecast at a time as PyTorch has threads, each with draws of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smash.data.clock import Clock
from smash.data.events import EventSequences
from smash.data.geography import Geography, wrapped
from smash.errors import DataError
from smash.files import write_text
from smash.forecast.event_forecaster import EventForecaster
from smash.law.draws import numpy_generator
from smash.law.forecaster import Forecaster
from smash.law.magnitudes import GutenbergRichter
from smash.law.paths import Paths
from smash.scores.csep import Binned, Consistency, calibration, consistency
from smash.scores.proper import fair_crps
from smash.workbench.contests.earthquakenpp import Contest, seen_by

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

    def holds(self, degrees: Floats) -> NDArray[np.bool_]:
        """Returns (E,) which longitudes and latitudes (E, 2) lie between the corners."""
        inside = (degrees >= self.low - 1e-9) & (degrees <= self.high + 1e-9)
        return np.asarray(inside.all(axis=1))

    def binned(self, degrees: Floats, magnitude: Floats) -> Binned:
        """Returns the cells of events at longitudes and latitudes (E, 2); edges count inwards."""
        place = np.floor((degrees - self.low) / self.width + 1e-9).astype(np.int64)
        place = np.clip(place, 0, np.array(self.shape) - 1)
        size = np.floor((magnitude - self.least) / self.step + 1e-9).astype(np.int64)
        return Binned(place @ np.array([self.shape[1], 1]), np.clip(size, 0, self.n_sizes - 1))


@dataclass(frozen=True)
class Entrant:
    """A forecaster in the contest, with the events as it sees them on its own plane.

    `sizes` gives magnitudes (E,) of paths whose forecaster tells none: of the class that a mark
    is, where marks are classes between the `edges`.
    """

    forecaster: Forecaster
    events: EventSequences
    geography: Geography
    sizes: GutenbergRichter
    edges: tuple[float, ...] = ()

    @classmethod
    def of(cls, forecaster: Forecaster, contest: Contest) -> "Entrant":
        """Returns a forecaster that was fitted to the contest's own events."""
        return cls(forecaster, contest.test, contest.geography, _sizes(contest))

    @classmethod
    def of_model(cls, model: EventForecaster, contest: Contest) -> "Entrant":
        """Returns a trained model.

        Raises:
            DataError: when its marks are no classes of magnitudes.
        """
        events, about = seen_by(model, contest), model.about
        edges = about.mark_edges if model.forecaster.n_marks > 1 else ()
        return cls(model.forecaster, events, about.geography, _sizes(contest), edges)

    def magnitudes(self, paths: Paths, generator: torch.Generator) -> Floats:
        """Returns the magnitudes (E,) of paths, drawn where the forecaster has not drawn them."""
        if paths.magnitude is not None:
            return paths.magnitude
        numbers = numpy_generator(generator)
        if paths.mark is None or not self.edges:
            return self.sizes.drawn((len(paths),), numbers)
        return self.sizes.of_classes(paths.mark, self.edges, numbers)


@dataclass(frozen=True)
class Drawn:
    """E events of `n_paths` catalogues: `path` (E,), `time` (E,), `degrees` (E, 2), `magnitude`."""

    n_paths: int
    path: NDArray[np.int64]
    time: Floats
    degrees: Floats
    magnitude: Floats

    def __len__(self) -> int:
        return len(self.path)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) events of each catalogue."""
        return np.bincount(self.path, minlength=self.n_paths)


@dataclass(frozen=True)
class DayScores:
    """What a day's forecast was worth: `observed` events, `forecast` ones in the mean, the tests.

    `crps`: the fair CRPS of the number of events, a proper score.
    """

    observed: int
    forecast: float
    crps: float
    tests: Consistency


@dataclass(frozen=True)
class Day:
    """A day's forecast and what happened: `start` in days, `catalogues`, the tests."""

    start: float
    catalogues: Drawn
    n_observed: int
    tests: Consistency

    def scores(self) -> DayScores:
        """Returns what the forecast was worth, without its catalogues."""
        counts, truth = (
            self.catalogues.counts.astype(np.float64),
            np.array([self.n_observed], float),
        )
        crps = float(fair_crps(counts[None], truth)[0])
        return DayScores(self.n_observed, float(counts.mean()), crps, self.tests)


def forecast_days(
    entrant: Entrant, contest: Contest, n_days: int, n_paths: int, seed: int = 0
) -> Iterator[Day]:
    """Yields `n_days` from the first of the test on, each forecast from all that came before it.

    A day's draws follow from `seed` and the day alone.

    Raises:
        DataError, ForecastError: as `Forecaster.simulate`.
    """
    grid = Grid(*contest.degrees, contest.threshold)

    def day(number: int) -> Day:
        generator = torch.Generator(entrant.forecaster.device)
        generator.manual_seed((seed << 20) + number)
        start = contest.test_start + number
        return _day(entrant, contest, grid, start, n_paths, generator)

    yield from _side_by_side(day, n_days)


def _side_by_side(work: Callable[[int], Day], n_days: int) -> Iterator[Day]:
    """Yields the days in their order, as many worked on at a time as PyTorch has threads."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(work, range(n_days))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def _day(
    entrant: Entrant,
    contest: Contest,
    grid: Grid,
    start: float,
    n_paths: int,
    generator: torch.Generator,
) -> Day:
    known, end = np.searchsorted(contest.test.time, [start, start + 1])
    past = _until(entrant.events, int(known), start)
    paths = entrant.forecaster.simulate(past, start, 1.0, n_paths, generator, MOST_EVENTS)
    degrees = entrant.geography.degrees(paths.location)
    # What lies beyond the region would be in no catalogue.
    kept = grid.holds(degrees)
    size = entrant.magnitudes(paths, generator)
    drawn = Drawn(n_paths, paths.path[kept], paths.time[kept], degrees[kept], size[kept])
    happened = slice(known, end)
    location, magnitude = contest.test.location[happened], contest.test.magnitude
    assert magnitude is not None
    observed = grid.binned(contest.geography.degrees(location), magnitude[happened])
    simulated = grid.binned(drawn.degrees, drawn.magnitude)
    cells = grid.shape[0] * grid.shape[1]
    tests = consistency(simulated, drawn.path, n_paths, observed, cells, grid.n_sizes)
    return Day(start, drawn, len(observed), tests)


def _until(events: EventSequences, n_known: int, now: float) -> EventSequences:
    """Returns the first events of the only sequence, observed until `now`."""
    window = np.array([[events.window[0, 0], now]])
    known = events.with_rows(np.arange(n_known), np.array([n_known]))
    return replace(known, window=window, history=None)


def _sizes(contest: Contest) -> GutenbergRichter:
    magnitude = contest.fitted.targets().magnitude
    assert magnitude is not None
    return GutenbergRichter.fit(magnitude, contest.threshold)


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


def numbers(days: Sequence[DayScores]) -> dict[str, float]:
    """Returns the mean number of events a day, `observed` and `forecast`, and its mean `crps`."""
    return {
        name: float(np.mean([getattr(day, name) for day in days]))
        for name in ("observed", "forecast", "crps")
    }


def record(
    catalog: str, n_paths: int, seed: int, found: Mapping[str, Sequence[DayScores]]
) -> dict[str, Any]:
    """Returns forecasters' summaries and days, ready for JSON."""
    return {
        "catalog": catalog,
        "paths": n_paths,
        "seed": seed,
        "forecasters": {
            name: {
                "tests": summary([day.tests for day in days]).to_dict(orient="index"),
                "numbers": numbers(days),
                "days": [asdict(day) for day in days],
            }
            for name, days in found.items()
        },
    }


def write_catalogues(day: Day, clock: Clock, path: Path) -> None:
    """Writes a day's catalogues as CSV in the columns that pyCSEP reads.

    A catalogue without events is a row that has its number alone.

    Raises:
        DataError: when times are no timestamps, which the format needs.
    """
    if not clock.origin:
        raise DataError(f"{path}: catalogues for pyCSEP need times that are timestamps")
    drawn = day.catalogues
    lon, lat = wrapped(drawn.degrees).T
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
    empty = pd.DataFrame({"catalog_id": np.flatnonzero(drawn.counts == 0)})
    frame = pd.concat([frame.astype(object), empty]).sort_values("catalog_id", kind="stable")
    write_text(path, frame.to_csv(index=False))
