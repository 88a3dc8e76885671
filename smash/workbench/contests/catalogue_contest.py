"""A catalogue of earthquakes ready for a contest, and the forecasters that are fitted to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from smash.baselines import EtasSettings, Poisson, fit_etas, fit_hawkes
from smash.data.clock import Clock
from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.data.geography import Geography
from smash.data.region import Region
from smash.errors import DataError
from smash.forecast.event_forecaster import EventForecaster
from smash.law.forecaster import Forecaster
from smash.law.place_densities import UniformPlaces
from smash.workbench.contests.csep_grid import Grid

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contest:
    """A catalogue ready for its contest.

    `fitted` are the events that baselines are fitted to, training and validation together; the
    targets of `test`, which begins at `test_start`, are scored. `region` is the polygon of the
    plane in which events were looked for, None for everywhere; `degrees` are the least and
    greatest longitude and latitude of what is counted. `even`: `poisson` spreads its places over
    the region, as the published one does. `notes` say what was done to the table.
    """

    catalog: str
    fitted: EventSequences
    test: EventSequences
    region: Region | None
    threshold: float
    notes: tuple[str, ...]
    geography: Geography
    clock: Clock
    degrees: tuple[Floats, Floats]
    test_start: float
    even: bool = False

    @property
    def day(self) -> float:
        """A day in units of time."""
        return self.clock.duration("1d", "a day")

    @property
    def n_days(self) -> int:
        """Whole days of the test."""
        return int((self.test.window[0, 1] - self.test_start) / self.day + 1e-9)

    def grid(self, width: float | None = None) -> Grid:
        """Returns the cells that events are counted in, of `width` or as wide as it takes."""
        return Grid.over(self.degrees, self.threshold, width, self._polygon)

    @cached_property
    def _polygon(self) -> Region | None:
        """The region in degrees."""
        return self.region and Region(self.geography.degrees(self.region.corners))


def own_contest(dataset: Dataset) -> Contest:
    """Returns the contest of one's own catalogue, as `smash data check --targets-from` cuts it.

    Where no region is known, events count within the least box that holds those of training and
    validation.

    Raises:
        DataError: when events have no magnitudes or no places, a split is not one sequence with
            all that came before it, or the test has no whole day.
    """
    fitted, test = dataset.validation, dataset.test
    if fitted.magnitude is None or test.magnitude is None or not dataset.n_axes:
        raise DataError(
            f"{dataset.name}: CSEP's tests are of events with places and magnitudes; name these "
            "columns: `smash data check TABLE --x LON --y LAT --magnitude MAG …`"
        )
    if any(len(part) != 1 or part.history is None for _, part in dataset.splits()):
        raise DataError(
            f"{dataset.name}: next days are forecast from all that came before them, and these "
            "data are cut into windows; cut them at dates: `smash data check TABLE --targets-from "
            "DATE --split DATE,DATE …`"
        )
    start, least = float(fitted.window[0, 1]), float(fitted.magnitude.min())
    fitted = replace(fitted, history=dataset.train.history).without_marks()
    region = dataset.region
    corners = fitted.location if region is None else region.corners
    degrees = dataset.geography.degrees(corners)
    contest = Contest(
        dataset.name,
        fitted,
        test.without_marks(),
        region,
        least if dataset.completeness is None else dataset.completeness,
        dataset.notices,
        dataset.geography,
        Clock(dataset.time_unit, dataset.time_origin),
        (degrees.min(axis=0), degrees.max(axis=0)),
        start,
    )
    if contest.n_days < 1:
        raise DataError(f"{dataset.name}: its test is shorter than a day; give earlier dates")
    return contest


def fit(name: str, contest: Contest) -> Forecaster:
    """Returns the forecaster of a row.

    Raises:
        DataError: when there is none of that name, or it needs a region and there is none.
        TrainingError: when it cannot be fitted.
    """
    fitted, region = contest.fitted, contest.region
    # The published Poisson counts the auxiliary events too.
    counted = replace(fitted, history=None) if contest.even else fitted
    fits: dict[str, Callable[[], Forecaster]] = {
        "poisson": lambda: Poisson.fit(counted, 1, region=region, even=contest.even),
        "etas_even": lambda: fit_etas(
            fitted,
            settings=EtasSettings(explosive=True),
            background=UniformPlaces(_needed(contest)),
            completeness=contest.threshold,
        ),
        "etas": lambda: fit_etas(fitted, region=region, completeness=contest.threshold),
        "hawkes": lambda: fit_hawkes(fitted, 1),
    }
    if name not in fits:
        raise DataError(f"forecaster {name!r}: known are {', '.join(fits)}")
    return fits[name]()


def _needed(contest: Contest) -> Region:
    if contest.region is None:
        raise DataError(
            "forecaster 'etas_even': its background is even over a region, and none is known; "
            "give one: `smash data check TABLE --region GEOJSON …`"
        )
    return contest.region


def seen_by(model: EventForecaster, contest: Contest) -> EventSequences:
    """Returns the test events on a model's own plane, their magnitudes cut into its marks.

    Raises:
        DataError: when its marks are no classes of magnitudes.
    """
    about, test = model.about, contest.test
    location = about.geography.plane(contest.geography.degrees(test.location))
    if model.forecaster.n_marks == 1:
        return replace(test, location=location)
    if len(about.mark_edges) + 1 != model.forecaster.n_marks or test.magnitude is None:
        raise DataError(
            "the model's marks are no classes of magnitudes; train one with --edges of `smash data "
            "check`, or without marks"
        )
    mark = np.searchsorted(about.mark_edges, test.magnitude, side="right")
    return replace(test, location=location, mark=mark)
