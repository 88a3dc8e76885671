"""Next-day forecasts as simulated catalogues, and CSEP's tests of them day by day.

A day is forecast at its midnight, from all that came before it. Days are independent of each other,
so that as many are forecast at a time as PyTorch has threads, each with draws of its own.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

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
from smash.scores.csep import Binned, Consistency, consistency
from smash.scores.proper import fair_crps
from smash.workbench.contests.catalogue_contest import Contest, seen_by
from smash.workbench.contests.csep_grid import Grid
from smash.workbench.contests.next_day_scores import DayScores

Floats = NDArray[np.float64]

MOST_EVENTS = 100_000
"""Events of one catalogue of one day."""
HELD = (0.025, 0.975)
"""Between these quantiles of catalogues a day's number of events is said to lie."""


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
        low, high = np.quantile(counts, HELD, method="inverted_cdf")
        mean = float(counts.mean())
        return DayScores(
            self.start, self.n_observed, mean, float(low), float(high), crps, self.tests
        )


def forecast_days(
    entrant: Entrant,
    contest: Contest,
    n_days: int,
    n_paths: int,
    seed: int = 0,
    cell: float | None = None,
) -> Iterator[Day]:
    """Yields `n_days` from the first of the test on, each forecast from all that came before it.

    A day's draws follow from `seed` and the day alone. `cell`: degrees of a cell, as `Grid.over`.

    Raises:
        DataError, ForecastError: as `Forecaster.simulate`.
    """
    grid = contest.grid(cell)

    def day(number: int) -> Day:
        generator = torch.Generator(entrant.forecaster.device)
        generator.manual_seed((seed << 20) + number)
        start = contest.test_start + number * contest.day
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
    known, end = np.searchsorted(contest.test.time, [start, start + contest.day])
    past = _until(entrant.events, int(known), start)
    paths = entrant.forecaster.simulate(past, start, contest.day, n_paths, generator, MOST_EVENTS)
    degrees = entrant.geography.degrees(paths.location)
    # What lies beyond the region would be in no catalogue.
    kept = grid.holds(degrees)
    size = entrant.magnitudes(paths, generator)
    drawn = Drawn(n_paths, paths.path[kept], paths.time[kept], degrees[kept], size[kept])
    observed = _happened(contest, grid, slice(known, end))
    simulated = grid.binned(drawn.degrees, drawn.magnitude)
    cells = grid.shape[0] * grid.shape[1]
    tests = consistency(simulated, drawn.path, n_paths, observed, cells, grid.n_sizes)
    return Day(start, drawn, len(observed), tests)


def _happened(contest: Contest, grid: Grid, rows: slice) -> Binned:
    """Returns the cells of those of the test's events `rows` that the grid holds."""
    degrees, magnitude = (
        contest.geography.degrees(contest.test.location[rows]),
        contest.test.magnitude,
    )
    assert magnitude is not None
    kept = grid.holds(degrees)
    return grid.binned(degrees[kept], magnitude[rows][kept])


def _until(events: EventSequences, n_known: int, now: float) -> EventSequences:
    """Returns the first events of the only sequence, observed until `now`."""
    window = np.array([[events.window[0, 0], now]])
    known = events.with_rows(np.arange(n_known), np.array([n_known]))
    return replace(known, window=window, history=None)


def _sizes(contest: Contest) -> GutenbergRichter:
    magnitude = contest.fitted.targets().magnitude
    assert magnitude is not None
    return GutenbergRichter.fit(magnitude, contest.threshold)


def write_catalogues(day: Day, clock: Clock, geography: Geography, path: Path) -> None:
    """Writes a day's catalogues as CSV in the columns that pyCSEP reads.

    A catalogue without events is a row that has its number alone.

    Raises:
        DataError: when times are no timestamps, or places no degrees, which the format needs.
    """
    if not (clock.origin and geography.geographic):
        raise DataError(
            f"{path}: catalogues for pyCSEP need times that are timestamps, and places that are "
            "longitude and latitude; leave --export out"
        )
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
