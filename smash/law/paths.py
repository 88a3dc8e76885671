"""Futures as events: many paths of one history, until a horizon."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.errors import ForecastError

MOST_EVENTS = 2000
"""Events a path may have unless asked otherwise; more point to a model that explodes."""

MOST_IN_ALL = 20_000_000
"""Events that all paths of a call may have: a gigabyte of memory."""


@dataclass(frozen=True)
class Paths:
    """The events of `n_paths` futures in (now, now + horizon], in raw units.

    `path` (E,) never decreases, nor does `time` (E,) within a path; `location` (E, D); `mark` (E,)
    and `magnitude` (E,), each None where the forecaster knows none.
    """

    n_paths: int
    now: float
    horizon: float
    path: NDArray[np.int64]
    time: NDArray[np.float64]
    location: NDArray[np.float64]
    mark: NDArray[np.int64] | None
    magnitude: NDArray[np.float64] | None = None

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,) events of each path."""
        return np.bincount(self.path, minlength=self.n_paths)

    def __len__(self) -> int:
        return len(self.path)


def sorted_paths(
    n_paths: int,
    now: float,
    horizon: float,
    path: NDArray[np.int64],
    time: NDArray[np.float64],
    location: NDArray[np.float64],
    mark: NDArray[np.int64] | None,
    magnitude: NDArray[np.float64] | None = None,
) -> Paths:
    """Returns paths of events given in any order."""
    order = np.lexsort((time, path))
    marks = None if mark is None else mark[order]
    sizes = None if magnitude is None else magnitude[order]
    return Paths(n_paths, now, horizon, path[order], time[order], location[order], marks, sizes)


def check_explosion(most: int, limit: int, reached: float, horizon: float) -> None:
    """Checks the events of the fullest path so far.

    Raises:
        ForecastError: when they are more than the limit, saying how far the path has come.
    """
    if most > limit:
        raise ForecastError(
            f"a path has more than {limit} events after {reached:g} of a horizon of {horizon:g}: "
            "the model explodes, or the horizon is long for it; shorten the horizon, or raise "
            "max_events if so many are to be expected"
        )


def check_total(n_events: int, n_paths: int) -> None:
    """Checks the events of all paths so far.

    Raises:
        ForecastError: when there are more than memory should hold.
    """
    if n_events > MOST_IN_ALL:
        raise ForecastError(
            f"{n_paths} paths have more than {MOST_IN_ALL} events; ask for fewer paths, or a "
            "shorter horizon"
        )
