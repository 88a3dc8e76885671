"""Times as numbers of a unit since an origin: timestamps in, timestamps out."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.errors import DataError, ForecastError

Floats = NDArray[np.float64]
Where = Callable[[int], str]

SECONDS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86400.0, "weeks": 604800.0}
"""The units of time that a timestamp or a duration such as `1d` can be turned into."""
_ZONE = re.compile(r"(Z|[+-]\d{2}:?\d{2}|UTC|GMT)$", re.IGNORECASE)
_SPAN = re.compile(r"([0-9.eE+-]+)\s*([a-z]+)")
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

    def numbers(self, column: pd.Series, where: Where) -> Floats:
        """Returns (E,) times as numbers; NaN where a timestamp is missing.

        Timestamps without a zone are taken as UTC.

        Raises:
            DataError: when the clock has no origin, a cell is no timestamp, or zones are mixed.
        """
        if not self.origin:
            raise DataError(
                f"{where(0)}: time is the timestamp {column.iloc[0]}, and the data's times are "
                f"plain numbers of {self.unit}; give such numbers"
            )
        since = timestamps(column, where) - self._start()
        return np.asarray(since / pd.Timedelta(seconds=self._seconds()), dtype=np.float64)

    def times(self, numbers: Floats) -> Floats | pd.DatetimeIndex:
        """Returns times (E,) as the data had them: timestamps in UTC, or the numbers themselves."""
        if not self.origin:
            return numbers
        microseconds = np.round(np.asarray(numbers) * self._seconds() * 1e6)
        return self._start() + pd.to_timedelta(microseconds, unit="us")

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
        except ValueError:
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


def is_timestamp(column: pd.Series) -> bool:
    """Returns True where a column holds timestamps, as such or as text, rather than numbers."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    present = column.dropna()
    return bool(len(present)) and not _is_number(present.iloc[0])


def timestamps(column: pd.Series, where: Where) -> pd.Series:
    """Returns (E,) timestamps in UTC, those without a zone taken as UTC; NaT where missing.

    Raises:
        DataError: when a cell is no timestamp, or they are written in more than one zone.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        has_zone = column.dt.tz is not None
        return column.dt.tz_convert("UTC") if has_zone else column.dt.tz_localize("UTC")
    text = column.astype("string").str.strip()
    parsed = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601")
    wrong = (parsed.isna() & text.notna()).to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{where(row)}: time is {text.iloc[row][:40]!r}, which is no ISO 8601 timestamp; "
            "write 2024-04-01T10:26:27Z"
        )
    _check_one_zone(text, where)
    return parsed


def _check_one_zone(text: pd.Series, where: Where) -> None:
    zones = text.str.extract(_ZONE.pattern, flags=re.IGNORECASE)[0].str.upper()
    written = zones.replace(["Z", "GMT", "+0000", "+00:00"], "UTC").fillna("none")
    different = (text.notna() & (written != written.iloc[0])).to_numpy()
    if different.any():
        row = int(np.argmax(different))
        raise DataError(
            f"{where(row)}: time {text.iloc[row]!r} has the zone {written.iloc[row]} and the "
            f"first one {written.iloc[0]}; write all in one zone, best in UTC"
        )


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True
