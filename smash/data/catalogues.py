"""A table of one's own, read as numbers: timestamps, kinds by name, magnitudes cut at edges."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smash.data.clock import Clock
from smash.data.geography import LENGTHS, Geography
from smash.data.names import codes
from smash.data.places import read_places
from smash.data.raw import distinct_names
from smash.data.region import BEYOND, Region
from smash.data.rows import Rows, edge_names, read_edges, read_marks, read_rows
from smash.data.sequence_files import as_table
from smash.data.table_files import read_table
from smash.data.tables import Table
from smash.data.tally import LeftOut, merged
from smash.errors import DataError
from smash.settings import Columns

Floats = NDArray[np.float64]

FEWEST_ROWS = 10
STRAY_SHARE = 0.02
"""Of all rows, those that may lie far from the others in time and be taken for mistakes."""


@dataclass(frozen=True)
class Catalogue:
    """Events in order of time, as numbers: `time` (E,), `location` (E, D), `mark` (E,) or None.

    `magnitude` (E,) is None where no column holds it; `region` (V, 2) the corners, as written, of
    where events were looked for. `sequence` (E,) numbers the file's own sequences, and is None for
    one long catalogue. Places lie on the plane of `geography`, in `location_unit`. `notes` say what
    was done to the table; `left_out` counts rows of it that are no events here. `row` (E,) are the
    rows of the table `name`, as messages call them, and `columns` those
    that were read.
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
    row: NDArray[np.int64] | None = None
    name: str = "table"
    magnitude: Floats | None = None
    region: Floats | None = None
    columns: Columns = field(default_factory=Columns)

    def __len__(self) -> int:
        return len(self.time)


def read_catalogue(
    path: Path,
    columns: Columns,
    edges: Sequence[float] = (),
    time_unit: str | None = None,
    location_unit: str | None = None,
    project: bool | None = None,
    threshold: float | None = None,
    region: Floats | None = None,
) -> Catalogue:
    """Returns the events of a table with one row an event, sorted by time.

    Args:
        path: CSV or Parquet, or a file of sequences (`smash.data.sequence_files`), whose own
            sequences and marks are kept.
        columns: the table's columns; windows and splits play no part. Without `x` and `y` events
            have no places.
        edges: growing values at which the mark column, a number, is cut into marks.
        time_unit: of the numbers that times are or become; for timestamps by default the largest
            in which the median gap is not tiny.
        location_unit: by default degrees where the columns are called longitude and latitude.
        project: whether degrees become km, by default where they span more than a few (see
            `smash.data.places.read_places`).
        threshold: magnitude from which on events are kept.
        region: (V, 2) corners, as places are written, of a polygon that events are kept within.

    Raises:
        DataError: naming the column or the row and what is wrong there, or when nothing is left.
    """
    held = as_table(path, columns)
    read, columns = held or (read_table(path), columns)
    if region is not None and not columns.axes:
        raise DataError(f"{path}: a region (--region) is one of places, and its events have none")
    if columns.mark is not None and columns.mark == columns.magnitude:
        _check_edges(edges, threshold)
    rows, left_out = _kept(read_rows(read, columns), columns, threshold, region)
    table, clock = rows.table, Clock.of(rows.times, time_unit)
    places = read_places(rows.location, columns, table.where, location_unit, project)
    if region is not None:
        # Sides that a projection bends are followed within metres.
        within = Region(places.geography.outline(region)).holds(places.location)
        rows = _only(rows, within, BEYOND, left_out)
        table, places = rows.table, replace(places, location=places.location[within])
    mark, names = _marks(table, columns, tuple(edges))
    return Catalogue(
        time=clock.numbers(rows.times, table.where),
        location=places.location,
        mark=mark,
        sequence=None if rows.labels is None else rows.sequence,
        clock=clock,
        location_unit=places.unit,
        geography=places.geography,
        mark_names=names,
        mark_edges=tuple(edges),
        notes=(*rows.notes, *places.notes),
        row=table.rows,
        name=table.name,
        left_out=merged(left_out),
        magnitude=None if columns.magnitude is None else table.numbers(columns.magnitude),
        region=region,
        columns=columns,
    )


def _check_edges(edges: Sequence[float], threshold: float | None) -> None:
    """Checks that no class of magnitudes lies below the threshold, where it would have no event."""
    if threshold is not None and edges and min(edges) <= threshold:
        raise DataError(
            f"--edges: {min(edges):g} is no more than --threshold {threshold:g}, and no event is "
            "below it; give edges above the threshold"
        )


def _kept(
    rows: Rows, columns: Columns, threshold: float | None, region: Floats | None
) -> tuple[Rows, list[LeftOut]]:
    """Returns the rows from the threshold on and within the region, and what was left out."""
    left_out: list[LeftOut] = []
    if threshold is not None:
        if columns.magnitude is None:
            raise DataError(
                f"{rows.table.name}: --threshold {threshold:g} needs magnitudes; name their column "
                "with --magnitude"
            )
        magnitude = rows.table.numbers(columns.magnitude)
        rows = _only(rows, magnitude >= threshold, f"events below {threshold:g}", left_out)
    if region is not None:
        within = Region(region).holds(rows.location)
        rows = _only(rows, within, BEYOND, left_out)
    return rows, left_out


def _only(rows: Rows, kept: NDArray[np.bool_], what: str, left_out: list[LeftOut]) -> Rows:
    if not kept.any():
        raise DataError(
            f"{rows.table.name}: all {len(rows)} rows are {what}, so that none is left; check "
            "--threshold, --region and the columns"
        )
    lost = int((~kept).sum())
    if not lost:
        return rows
    left_out.append(LeftOut(what, lost, lost))
    return rows.select(kept)


def stray_note(catalogue: Catalogue) -> str | None:
    """Returns what to say of a few rows that lie further from all others than these span in all."""
    time, n = catalogue.time, len(catalogue)
    if catalogue.sequence is not None or n < FEWEST_ROWS:
        return None
    gap = np.diff(time)
    place = int(np.argmax(gap))
    before, after = place + 1, n - place - 1
    if gap[place] <= np.ptp(time) / 2 or min(before, after) > max(1, STRAY_SHARE * n):
        return None
    alone, next_to = (place, place + 1) if before <= after else (place + 1, place)
    rest = time[place + 1 :] if before <= after else time[: place + 1]
    said, row = catalogue.clock.said, catalogue.row
    where = "" if row is None else f", row {row[alone]}"
    return (
        f"{catalogue.name}{where}: time {said(time[alone])} lies {gap[place]:.10g} "
        f"{catalogue.clock.unit} from {said(time[next_to])}, the next one, where the other "
        f"{len(rest)} events span {np.ptp(rest):.10g}; if it is a mistake, mend or drop the row, "
        "else set --window"
    )


def _marks(
    table: Table, columns: Columns, edges: tuple[float, ...]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if columns.mark is None:
        return None, ()
    if edges:
        return read_edges(table, columns.mark, edges), edge_names(columns.mark, edges)
    text = read_marks(table, columns.mark)
    names = distinct_names(set(text), table.name)
    return codes(text, names), names
