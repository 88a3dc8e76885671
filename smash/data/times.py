"""Times as people write them: timestamps, which may carry a zone, or plain numbers."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.names import as_text
from smash.data.tables import to_numbers
from smash.errors import DataError

Floats = NDArray[np.float64]
Where = Callable[[int], str]

FORMAT = "write it as 2024-04-01T10:26:27Z"
_ZONED = re.compile(r"[T ]\d{1,2}(?::?\d{2}){0,2}(?:\.\d+)? ?(Z|[+-]\d{2}(?::?\d{2})?)", re.ASCII)
_COMPACT = re.compile(r"((?:19|20|21)\d{6})(\d{4}|\d{6})?(?:\.0*)?", re.ASCII)


@dataclass(frozen=True)
class Times:
    """(E,) times: `stamps` in UTC, or `numbers`; the other one is None.

    `zoned`: whether the stamps were written with a zone; those without are taken as UTC.
    """

    stamps: pd.DatetimeIndex | None = None
    numbers: Floats | None = None
    zoned: bool = False

    def __len__(self) -> int:
        values = self.stamps if self.stamps is not None else self.numbers
        return 0 if values is None else len(values)

    def take(self, rows: NDArray) -> "Times":
        """Returns some of the times: a mask, or places in any order."""
        if self.stamps is not None:
            return Times(self.stamps[rows], zoned=self.zoned)
        return Times(numbers=None if self.numbers is None else self.numbers[rows])

    @property
    def order(self) -> Floats:
        """(E,) numbers that rise as the times do."""
        if self.stamps is None:
            return np.empty(0) if self.numbers is None else self.numbers
        return self.stamps.as_unit("us").asi8.astype(np.float64)


def read_times(column: pd.Series, where: Where, compact: bool = True) -> Times:
    """Returns the times of a column: all of them timestamps, or all of them numbers.

    Timestamps follow ISO 8601: a date, with or without a time and a zone, also 20240131 unless
    `compact` is False. Several offsets from UTC are told apart; with and without one mixed is not.

    Raises:
        DataError: naming the row that is missing or no time, or the two rows that do not agree.
    """
    name = column.name if column.name is not None else "time"
    if pd.api.types.is_datetime64_any_dtype(column):
        _check_present(column.isna().to_numpy(), where, name)
        zoned = column.dt.tz is not None
        moments = column.dt.tz_convert("UTC") if zoned else column.dt.tz_localize("UTC")
        return Times(pd.DatetimeIndex(moments), zoned=zoned)
    text = as_text(column)
    _check_present(np.array([cell is None for cell in text], dtype=bool), where, name)
    if compact and len(text) and _all_compact(text):
        return _stamps(text, where, name)
    numbers = to_numbers(column)
    spelled = ~np.isnan(numbers) | np.array([cell.lower() == "nan" for cell in text], dtype=bool)
    if not spelled.all():
        return _stamps(text, where, name)
    if (wrong := ~np.isfinite(numbers)).any():
        row = int(np.argmax(wrong))
        raise DataError(f"{where(row)}: column {name!r} is {numbers[row]}; give a finite time")
    return Times(numbers=numbers)


def _check_present(missing: NDArray[np.bool_], where: Where, name: object) -> None:
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{where(row)}: column {name!r} is empty; give a time or drop the row")


def _all_compact(text: NDArray[np.object_]) -> bool:
    """Returns True where every cell is a date written in digits alone."""
    if not all(_COMPACT.fullmatch(cell) for cell in text):
        return False
    return bool(_parsed(text).notna().all())


def _stamps(text: NDArray[np.object_], where: Where, name: object) -> Times:
    parsed = _parsed(text)
    is_stamp, is_number = parsed.notna().to_numpy(), ~np.isnan(to_numbers(pd.Series(text)))
    if (wrong := ~(is_stamp | is_number)).any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{where(row)}: column {name!r} holds {text[row][:40]!r}, which is neither a number "
            f"nor an ISO 8601 timestamp; {FORMAT}"
        )
    if not is_stamp.all():
        row, stamp = int(np.argmin(is_stamp)), int(np.argmax(is_stamp))
        raise DataError(
            f"{where(row)}: column {name!r} is the number {text[row][:40]!r}, and in "
            f"{_short(where, stamp)} the timestamp {text[stamp][:40]!r}; write all times in one way"
        )
    zoned = np.array([_ZONED.search(cell) is not None for cell in map(_plain, text)], dtype=bool)
    if len(zoned) and (different := zoned != zoned[0]).any():
        row = int(np.argmax(different))
        with_zone, without = (row, 0) if zoned[row] else (0, row)
        raise DataError(
            f"{where(row)}: column {name!r} mixes times with and without a zone: "
            f"{text[with_zone][:40]!r} in {_short(where, with_zone)}, {text[without][:40]!r} in "
            f"{_short(where, without)}; write all with a zone, or none (then taken as UTC)"
        )
    return Times(pd.DatetimeIndex(parsed), zoned=bool(len(zoned) and zoned[0]))


def _parsed(text: NDArray[np.object_]) -> pd.Series:
    """Returns (E,) timestamps in UTC, NaT where a cell is none."""
    plain = pd.Series([_plain(cell) for cell in text], dtype=object)
    return pd.to_datetime(plain, utc=True, errors="coerce", format="ISO8601")


def _plain(cell: str) -> str:
    """Returns a timestamp as pandas reads it: 2024-01-31 10:00:00,5 UTC as …00.5Z."""
    if compact := _COMPACT.fullmatch(cell):
        date, time = compact.groups()
        return f"{date}T{time}" if time else date
    return re.sub(r"\s*(UTC|GMT)$", "Z", cell.upper()).replace(",", ".")


def _short(where: Where, row: int) -> str:
    """Returns where a row is without the file, which the message has named."""
    return where(row).rpartition(", ")[2]
