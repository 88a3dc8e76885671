"""A table with a row an event: its rows, what they are called, and its columns by name."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.names import as_text, nearest
from smash.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Rows of events as they came.

    `name` and `rows` (E,) stand in messages: the user's file, and what its editor calls the row (a
    file's header is row 1). Of a data frame, `rows` are its events from 0. `notes` say what was
    done to read it.
    """

    frame: pd.DataFrame
    name: str
    rows: NDArray[np.int64]
    noun: str = "row"
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, frame: pd.DataFrame, name: str) -> "Table":
        """Returns the table of a data frame, whose rows are called events, from 0."""
        named = frame.rename(columns=lambda column: str(column).strip()).reset_index(drop=True)
        return cls(named, name, np.arange(len(frame)), "event")

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, row: int) -> str:
        """Returns where a row is, for messages."""
        return f"{self.name}, {self.noun} {self.rows[row]}"

    def take(self, rows: NDArray) -> "Table":
        """Returns the table of some rows: a mask, or places in any order."""
        return replace(
            self,
            frame=self.frame[rows] if rows.dtype == bool else self.frame.iloc[rows],
            rows=self.rows[rows],
        )

    def column(self, name: str) -> pd.Series:
        """Returns the one column of that name; a DataError says which there are instead."""
        times = list(self.frame.columns).count(name)
        if times == 1:
            return self.frame[name]
        if times > 1:
            raise DataError(
                f"{self.name}: {times} columns are called {name!r}; give each its own name"
            )
        columns = list(map(str, self.frame.columns))
        raise DataError(
            f"{self.name}: no column {name!r}; {nearest(name, columns)}it has "
            f"{', '.join(map(repr, columns[:20])) or 'none'}. {_advice(columns)}"
        )

    def text(self, name: str) -> NDArray[np.object_]:
        """Returns (E,) a column's cells as text, None where they are empty."""
        return as_text(self.column(name))

    def numbers(self, name: str) -> Floats:
        """Returns (E,) a column of finite numbers.

        Raises:
            DataError: naming the row that is empty, no number, or not finite.
        """
        column = self.column(name)
        values = to_numbers(column)
        wrong = ~np.isfinite(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"{self.where(row)}: column {name!r} {_fault(column.iloc[row])}")
        return values


def to_numbers(column: pd.Series) -> Floats:
    """Returns (E,) the numbers that cells are or spell, NaN where they are or spell none."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    cells = column.astype(object).where(column.notna(), np.nan).to_numpy()
    try:
        return cells.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _fault(cell: object) -> str:
    """Returns what is wrong with a cell that should be a finite number."""
    if cell is None or cell is pd.NA or cell != cell or (isinstance(cell, str) and not cell):
        return "is empty; give a finite number or drop the row"
    text = str(cell).strip()[:40]
    try:
        float(text)
    except ValueError:
        comma = "; write decimals with a point" if "," in text else ""
        return f"holds {text!r}, which is not a number{comma}"
    return f"is {text}; give a finite number or drop the row"


def _advice(columns: list[str]) -> str:
    """Returns what to do where a column is missing."""
    if len(columns) == 1:
        return "Columns are kept apart by a comma, a semicolon, a tab or |"
    if not any(character.isalpha() for column in columns for character in column):
        return "The first row holds the names of the columns"
    return "Name the columns as the table does"
