"""Times as numbers of a unit since an origin: timestamps in, timestamps out."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.times import Times, Where
from smash.errors import DataError, ForecastError

Floats = NDArray[np.float64]

SECONDS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0, "weeks": 604800.0}
"""The units of time that a timestamp or a duration such as `1d` can be turned into."""
FIRST, LAST = (pd.Timestamp(day, tz="UTC") for day in ("0001-01-02", "9999-12-31"))
DAY = pd.Timedelta(days=1)
GAPS_A_UNIT = 20.0
"""A unit of time is chosen so that the median gap is no less than one part in so many of it."""
_SPAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z]+)")
_UNITS = {name[:n]: name for name in SECONDS for n in range(1, len(name) + 1)} | {
    "m": "minutes",
    "s": "seconds",
}


@dataclass(frozen=True)
class Clock:
    """How raw times are to be read: numbers of `unit`, since `origin` where times are timestamps.

    `origin` is an ISO 8601 timestamp in UTC; empty where the data's times are plain numbers.
    """

    unit: str = "time units"
    origin: str = ""

    @classmethod
    def of(cls, times: Times, unit: str | None = None) -> "Clock":
        """Returns the clock of times: for timestamps since midnight before the first of them.

        `unit`: of the numbers that times are or become; for timestamps by default the largest in
        which the median gap is not tiny.

        Raises:
            DataError: when timestamps cannot become numbers of the unit.
        """
        if times.stamps is None:
            return cls(unit or "time units")
        if unit is not None and unit not in SECONDS:
            raise DataError(f"timestamps become numbers of {', '.join(SECONDS)}, not of {unit!r}")
        return cls(unit or _fitting_unit(times.stamps), times.stamps.min().floor("D").isoformat())

    def numbers(self, times: Times, where: Where) -> Floats:
        """Returns (E,) times as numbers; plain numbers stay as they are.

        Raises:
            DataError: when times are timestamps and the clock has no origin.
        """
        if times.stamps is None:
            return times.order
        if not self.origin:
            raise DataError(
                f"{where(0)}: time is the timestamp {times.stamps[0]}, and the data's times are "
                f"plain numbers of {self.unit}; give such numbers"
            )
        since = times.stamps - self._start()
        return np.asarray(since / pd.Timedelta(seconds=self._seconds()), dtype=np.float64)

    def times(self, numbers: Floats) -> Floats | pd.DatetimeIndex:
        """Returns times (E,) as the data had them: timestamps in UTC, or the numbers themselves.

        What lies before the year 1 or after 9999 is the first or last moment of these.
        """
        if not self.origin:
            return numbers
        # In whole microseconds, as pandas 2 counts spans in nanoseconds, which end after 292 years.
        start, first, last = (_microseconds(moment) for moment in (self._start(), FIRST, LAST))
        since = np.round(np.asarray(numbers) * self._seconds() * 1e6)
        since = since.clip(first - start, last - start).astype(np.int64)
        return pd.DatetimeIndex((start + since).view("datetime64[us]"), tz="UTC")

    def midnight(self, number: float) -> float:
        """Returns the last midnight (UTC) that is no later than a time.

        Raises:
            DataError: when times are plain numbers, which tell no midnight.
        """
        if not self.origin:
            raise DataError(
                "--midnight: the table's times are numbers, which tell no midnight; leave it out"
            )
        day = self._start().floor("D") - self._start()
        first, length = (span / pd.Timedelta(seconds=self._seconds()) for span in (day, DAY))
        return float(first + np.floor((number - first) / length) * length)

    def said(self, number: float) -> str:
        """Returns one time in words: a timestamp to the second, or the number and no unit."""
        if not self.origin:
            return f"{number:.10g}"
        stamp = pd.DatetimeIndex(self.times(np.array([number])))[0]
        return f"{stamp:%Y-%m-%d %H:%M:%S} UTC"

    def duration(self, value: float | str, what: str = "horizon") -> float:
        """Returns a duration in `unit`: a number of it, or text such as `1d`, `36 hours`, `90min`.

        Raises:
            ForecastError: when it is not positive, not a duration, or the unit cannot take one.
        """
        span = self._span(value, what)
        if not (span > 0 and np.isfinite(span)):
            raise ForecastError(f"{what}: {value} is not a duration above 0; give one, such as 1d")
        return span

    def _span(self, value: float | str, what: str) -> float:
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
        found = _SPAN.fullmatch(str(value).strip().lower())
        word = _UNITS.get(found.group(2)) if found else None
        if not found or not word:
            raise ForecastError(
                f"{what}: {value!r} is no duration; give a number of {self.unit}, or a number "
                f"with one of {', '.join(SECONDS)}, such as 1d"
            )
        return float(found.group(1)) * SECONDS[word] / self._seconds()

    def _start(self) -> pd.Timestamp:
        start = pd.Timestamp(self.origin)
        return start.tz_localize("UTC") if start.tz is None else start.tz_convert("UTC")

    def _seconds(self) -> float:
        if self.unit not in SECONDS:
            raise ForecastError(
                f"the data's times are in {self.unit!r}, which is none of {', '.join(SECONDS)}; "
                "give plain numbers, or name the unit with data.time_unit"
            )
        return SECONDS[self.unit]


def _microseconds(moment: pd.Timestamp) -> int:
    """Returns a moment as microseconds since 1970."""
    return int(moment.as_unit("us").asm8.astype(np.int64))


def _fitting_unit(stamps: pd.DatetimeIndex) -> str:
    """Returns the largest unit of which the median gap is no tiny part."""
    gaps = np.diff(np.sort(stamps.as_unit("us").asi8)) / 1e6
    typical = float(np.median(gaps)) if len(gaps) else 0.0
    if typical == 0 and gaps.any():
        # Dates without a time of day: many events at once.
        typical = float(np.median(gaps[gaps > 0]))
    fitting = [
        unit
        for unit in ("seconds", "minutes", "hours", "days")
        if SECONDS[unit] / GAPS_A_UNIT <= typical
    ]
    return fitting[-1] if fitting else "seconds"
