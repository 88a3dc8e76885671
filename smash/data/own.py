"""A table of one's own, read as numbers: timestamps, kinds by name, magnitudes cut at edges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.clock import SECONDS, Clock, is_timestamp, timestamps
from smash.data.events import Place
from smash.data.geography import LENGTHS, Geography
from smash.data.places import read_places
from smash.data.tables import find_column, read_table, to_numbers
from smash.data.tally import LeftOut
from smash.errors import DataError
from smash.settings import Columns

Floats = NDArray[np.float64]

GAPS_A_UNIT = 20.0
"""A unit of time is chosen so that the median gap is no less than one part in so many of it."""


@dataclass(frozen=True)
class Catalogue:
    """Events in order of time, as numbers: `time` (E,), `location` (E, 2), `mark` (E,) or None.

    `sequence` (E,) numbers the file's own sequences, and is None for one long catalogue. Places
    lie on the plane of `geography`, in `location_unit`. `notes` say what was done to the table;
    `left_out` counts rows of it that are no events here.
    """

    time: Floats
    location: Floats
    mark: NDArray[np.int64] | None
    sequence: NDArray[np.int64] | None
    clock: Clock
    location_unit: str
    geography: Geography = LENGTHS
    mark_names: tuple[str, ...] = ()
    mark_edges: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.time)


def read_catalogue(
    path: Path,
    columns: Columns,
    edges: Sequence[float] = (),
    time_unit: str | None = None,
    location_unit: str | None = None,
    project: bool | None = None,
) -> Catalogue:
    """Returns the events of a table with one row an event, sorted by time.

    Args:
        path: CSV or Parquet.
        columns: the table's columns; windows and splits play no part.
        edges: growing values at which the mark column, a number, is cut into marks.
        time_unit: of the numbers that times are or become; for timestamps by default the largest
            in which the median gap is not tiny.
        location_unit: by default degrees where the columns are called longitude and latitude.
        project: whether degrees become km, by default where they span more than a few (see
            `smash.data.places.read_places`).

    Raises:
        DataError: naming the column or the row and what is wrong there.
    """
    table = read_table(path)
    if len(table) == 0:
        raise DataError(f"{path}: no rows; give a row an event")
    place = Place(str(path), np.array([0, len(table)]))
    time, clock = _times(find_column(table, columns.time, str(path)), time_unit, place)
    written = np.stack(
        [to_numbers(find_column(table, c, str(path)), place) for c in (columns.x, columns.y)], 1
    )
    _check_finite(time, written, columns, place)
    places = read_places(written, columns, place, location_unit, project)
    mark, names = _marks(table, columns, tuple(edges), place)
    sequence = None
    if columns.sequence is not None:
        labels = find_column(table, columns.sequence, str(path))
        sequence = pd.factorize(labels)[0].astype(np.int64)
    catalogue = Catalogue(
        time,
        places.location,
        mark,
        sequence,
        clock,
        places.unit,
        places.geography,
        names,
        tuple(edges),
        places.notes,
    )
    return _in_order(catalogue)


def _times(column: pd.Series, unit: str | None, place: Place) -> tuple[Floats, Clock]:
    if not is_timestamp(column):
        return to_numbers(column, place), Clock(unit or "time units")
    moments = timestamps(column, place)
    if moments.isna().any():
        row = int(np.argmax(moments.isna()))
        raise DataError(f"{place(row)}: time is missing; give a timestamp or drop the event")
    if unit is not None and unit not in SECONDS:
        raise DataError(f"timestamps become numbers of {', '.join(SECONDS)}, not of {unit!r}")
    clock = Clock(unit or _unit(moments), moments.min().floor("D").isoformat())
    return clock.numbers(moments, place), clock


def _unit(moments: pd.Series) -> str:
    gaps = moments.sort_values().diff().dt.total_seconds().to_numpy()[1:]
    typical = float(np.median(gaps)) if len(gaps) else 0.0
    fitting = [
        u for u in ("seconds", "minutes", "hours", "days") if SECONDS[u] / GAPS_A_UNIT <= typical
    ]
    return fitting[-1] if fitting else "seconds"


def _check_finite(time: Floats, location: Floats, columns: Columns, place: Place) -> None:
    values = np.column_stack([time, location])
    bad = ~np.isfinite(values)
    if bad.any():
        row, part = np.argwhere(bad)[0]
        name = (columns.time, columns.x, columns.y)[part]
        raise DataError(
            f"{place(int(row))}: column {name!r} is {values[row, part]}; give a finite number or "
            "drop the event"
        )


def _marks(
    table: pd.DataFrame, columns: Columns, edges: tuple[float, ...], place: Place
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if columns.mark is None:
        return None, ()
    column = find_column(table, columns.mark, place.name)
    if column.isna().any():
        row = int(np.argmax(column.isna()))
        raise DataError(f"{place(row)}: mark (column {columns.mark!r}) is missing")
    if edges:
        if list(edges) != sorted(set(edges)):
            raise DataError(f"edges {', '.join(map(str, edges))}: give growing values")
        return cut(to_numbers(column, place), edges), edge_names(columns.mark, edges)
    codes, labels = pd.factorize(column.astype(str).str.strip(), sort=True)
    if len(labels) > 50:
        raise DataError(
            f"{place.name}: column {columns.mark!r} has {len(labels)} different marks; cut a "
            "number into few with --edges, or name a column of kinds"
        )
    return codes.astype(np.int64), tuple(str(label) for label in labels)


def cut(value: Floats, edges: Sequence[float]) -> NDArray[np.int64]:
    """Returns (E,) marks of numbers: k where edge k - 1 <= number < edge k."""
    return np.searchsorted(np.asarray(edges), value, side="right").astype(np.int64)


def edge_names(what: str, edges: Sequence[float]) -> tuple[str, ...]:
    """Returns the names of the marks that edges cut a number into."""
    between = [f"{low:g} <= {what} < {high:g}" for low, high in pairwise(edges)]
    return (f"{what} < {edges[0]:g}", *between, f"{what} >= {edges[-1]:g}")


def _in_order(catalogue: Catalogue) -> Catalogue:
    """Returns the events sorted by time, within sequences where there are any."""
    first = np.zeros(len(catalogue)) if catalogue.sequence is None else catalogue.sequence
    order = np.lexsort((catalogue.time, first))
    moved = int((np.diff(catalogue.time)[np.diff(first) == 0] < 0).sum())
    notes = (f"{moved} rows came before the row above them: sorted by time",) if moved else ()
    return replace(
        catalogue,
        time=catalogue.time[order],
        location=catalogue.location[order],
        mark=None if catalogue.mark is None else catalogue.mark[order],
        sequence=None if catalogue.sequence is None else catalogue.sequence[order],
        notes=(*notes, *catalogue.notes),
    )
