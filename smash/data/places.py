"""The places of a table: what they are written in, laid on a plane, and what looks wrong."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.geography import (
    LENGTHS,
    TURN,
    Geography,
    check_degrees,
    unwrapped,
    widest_cut,
    wrapped,
)
from smash.data.projection import Origin, stretch
from smash.data.resolution import location_cell
from smash.errors import DataError
from smash.settings import Columns

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Where = Callable[[int], str]

DEGREES, KILOMETRES = "degrees", "km"
PROJECTED = ("east", "north")
"""Columns of places that were projected."""
FEW_DEGREES = 3.0
"""Degrees that places may span and stay degrees: a degree of longitude is then much the same
everywhere."""
MOST_STRETCH = 1.2
"""How many times too long lengths may come out where places are projected unasked."""
FAR, NEAR = 5.0, 1.0
"""How many widths of the middle 80 % of places beyond it a row is far from all others, and within
how many it is among them."""
_LONGITUDE = re.compile(r"(^|[^a-z])(lon|long|lng)(?![a-z])|longitude")
_LATITUDE = re.compile(r"(^|[^a-z])lat(?![a-z])|latitude")


@dataclass(frozen=True)
class Places:
    """Places `location` (E, 2) on the plane, in `unit`.

    `notes` say what was done to them and what looks wrong.
    """

    location: Floats
    geography: Geography
    unit: str
    notes: tuple[str, ...] = ()


def read_places(
    written: Floats,
    columns: Columns,
    where: Where,
    unit: str | None = None,
    project: bool | None = None,
) -> Places:
    """Returns the places of a table, those in degrees projected or with longitudes unwrapped.

    Args:
        written: (E, 2) finite coordinates as the table has them; (E, 0) of events without places.
        columns: their names, which tell degrees where no `unit` is given.
        where: says where a row is.
        unit: of the coordinates.
        project: whether degrees become km; by default where they span more than `FEW_DEGREES`, or
            events have magnitudes, and they lie on no lattice and no length comes out more than
            `MOST_STRETCH` times too long.

    Raises:
        DataError: naming a row that cannot be degrees, or when there is nothing to project.
    """
    if not columns.axes:
        if project or unit is not None:
            raise DataError(
                f"{'--project' if project else '--location-unit'}: is of places, and these events "
                "have none; leave it out"
            )
        return Places(written, LENGTHS, "")
    named = unit_of(unit, columns)
    if named != DEGREES:
        if project:
            raise DataError(
                f"--project: places ({', '.join(columns.axes)}) are in {named}; longitudes and "
                "latitudes alone can be projected (--location-unit degrees)"
            )
        notes = (*_degrees_called_lengths(written, columns, unit), *suspects(written, where))
        return Places(written, LENGTHS, named, notes)
    check_degrees(written, where)
    flat, cut, seam = without_seam(written, where)
    notes = (*seam, *suspects(flat, where, written))
    # Earthquakes set others off as far in every direction, in km.
    few = FEW_DEGREES if columns.magnitude is None else 0.0
    origin, said = _origin(flat, project, few)
    if origin is None:
        return Places(flat, Geography(cut), DEGREES, (*notes, *said))
    geography = Geography(origin=origin)
    return Places(geography.plane(written), geography, KILOMETRES, (*notes, *said))


def unit_of(unit: str | None, columns: Columns) -> str:
    """Returns the unit of places: the one given, or degrees where columns are called so.

    Raises:
        DataError: when the columns for x and y are called latitude and longitude.
    """
    if unit is not None:
        return DEGREES if unit.lower() in ("degrees", "degree", "deg", "°") else unit
    x, y = columns.axes or ("", "")
    if _LATITUDE.search(x.lower()) and _LONGITUDE.search(y.lower()):
        raise DataError(
            f"x is column {x!r} and y is column {y!r}: latitude and longitude the "
            f"wrong way round; x is the longitude (--x {y} --y {x})"
        )
    return DEGREES if _called_degrees(columns) else "length units"


def without_seam(
    written: Floats, where: Where, cut: float | None = None
) -> tuple[Floats, float, tuple[str, ...]]:
    """Returns places (E, 2) in degrees with longitudes unwrapped, the cut, and what to say of it.

    The `cut` is in the middle of the largest gap of longitudes unless given.
    """
    cut = widest_cut(written[:, 0]) if cut is None else cut
    flat = unwrapped(written, cut)
    moved, beyond = flat[:, 0] != written[:, 0], written[:, 0] > TURN / 2
    if moved.any():
        row = int(np.argmax(moved))
        note = (
            f"{moved.sum()} of {len(written)} longitudes are read with a full turn more or less, "
            f"so that places on both sides of the date line are neighbours (the first: "
            f"{where(row)}, {written[row, 0]:g} as {flat[row, 0]:g})"
        )
    elif beyond.any():
        row = int(np.argmax(beyond))
        note = (
            f"{beyond.sum()} of {len(written)} longitudes are beyond 180 (the first: {where(row)}, "
            f"{written[row, 0]:g})"
        )
    else:
        return flat, cut, ()
    return flat, cut, (f"{note}; forecasts are written between -180 and 180",)


def suspects(location: Floats, where: Where, written: Floats | None = None) -> Iterator[str]:
    """Yields a note for each kind of row that looks wrong.

    `location` (E, 2) without a seam; `written` the same as the table has it, where in degrees.
    """
    zero, far = _nowhere(location if written is None else written), _far(location)
    n_rows, zero = len(location), zero & far
    swapped = np.zeros(n_rows, dtype=bool) if written is None else far & ~zero & _swapped(location)
    for rows, what, do in (
        (zero, "lie at (0, 0)", "where the place is unknown leave the row out"),
        (swapped, "look as if longitude and latitude were swapped", "swap them, or leave them out"),
        (far & ~zero & ~swapped, "lie", "leave them out if they are mistakes"),
    ):
        if rows.any():
            row = int(np.argmax(rows))
            x, y = location[row] if written is None else written[row]
            yield (
                f"{rows.sum()} of {n_rows} rows {what}, far from all others (the first: "
                f"{where(row)}, at {x:g}, {y:g}); {do}, as the scale and the scores of all places "
                "follow the farthest"
            )


def plane_columns(geography: Geography, columns: Columns) -> tuple[str, ...]:
    """Returns what the columns of places on the plane are called: those of projected ones anew."""
    return PROJECTED if geography.origin is not None else columns.axes


def with_written(
    events: pd.DataFrame, geography: Geography, plane: Columns, columns: Columns
) -> pd.DataFrame:
    """Returns events whose `columns` hold places as people write them.

    Those of the `plane` become these where they are called the same and stay beside them where
    they are not.
    """
    written = geography.written(events[list(plane.axes)].to_numpy())
    if geography.origin is not None and set(columns.axes) & set(events.columns):
        return events
    return events.assign(**dict(zip(columns.axes, written.T, strict=True)))


def _called_degrees(columns: Columns) -> bool:
    x, y = columns.axes or ("", "")
    return bool(_LONGITUDE.search(x.lower()) and _LATITUDE.search(y.lower()))


def _degrees_called_lengths(written: Floats, columns: Columns, unit: str | None) -> Iterator[str]:
    """Yields a note where coordinates look like degrees though nothing says so, or a length."""
    low, high = written.min(axis=0), written.max(axis=0)
    if (low < (-TURN / 2, -90)).any() or (high > (TURN, 90)).any():
        return
    if unit is not None and _called_degrees(columns):
        yield (
            f"columns {columns.x!r} and {columns.y!r} are called degrees and hold such values, but "
            f"are read as lengths in {unit}; leave --location-unit out if they are degrees"
        )
    # Lengths are mostly counted from a corner or the middle of where they were measured.
    apart = np.where(low > 0, low, np.where(high < 0, -high, 0.0)) > (high - low) / 2
    round_the_world = high[0] - low[0] > TURN / 2
    if unit is None and (apart.any() or round_the_world):
        yield (
            f"columns {columns.x!r} and {columns.y!r} look like longitude and latitude "
            f"({low[0]:g} to {high[0]:g}, {low[1]:g} to {high[1]:g}) but are read as lengths; say "
            "--location-unit degrees if they are, else the unit, such as km"
        )


def _origin(
    flat: Floats, project: bool | None, few: float
) -> tuple[Origin | None, tuple[str, ...]]:
    """Returns where to project around, None to stay in degrees, and what to say of it.

    Places that span `few` degrees or fewer stay unasked.
    """
    near = flat[~_far(flat)]
    middle = wrapped(np.round(np.median(near, axis=0), 2))
    origin = (float(middle[0]), float(middle[1]))
    span, too_long = float(np.ptp(near, axis=0).max()), stretch(near, origin)
    if project is None:
        lattice = any(location_cell(coordinate, "auto") for coordinate in flat.T)
        reasons = {
            "are recorded on a lattice of degrees, which a projection would bend": lattice,
            f"reach so far that a projection stretches lengths by {too_long - 1:.0%}": (
                too_long > MOST_STRETCH
            ),
        }
        if span <= few:
            return None, ()
        for reason, holds in reasons.items():
            if holds:
                return None, (f"places {reason}: left in degrees (--project for km)",)
    if project is False:
        return None, ()
    return origin, (
        f"places span {span:.3g} degrees: projected to km around longitude {origin[0]:g}, latitude "
        f"{origin[1]:g} (lengths up to {too_long - 1:.1%} too long at the edge); scores are in km, "
        "forecasts in longitude and latitude; --degrees leaves places as they are",
    )


def _nowhere(written: Floats) -> Rows:
    return np.asarray((written == 0).all(axis=1))


def _middle(location: Floats) -> tuple[Floats, Floats, float]:
    """Returns the ends (2,) of the middle 80 % of places, and their greater width.

    Rows at (0, 0), of which there may be many, have no say unless there is nothing else.
    """
    known = location[~_nowhere(location)]
    low, high = np.quantile(known if len(known) else location, (0.1, 0.9), axis=0)
    return low, high, float((high - low).max())


def _far(location: Floats) -> Rows:
    low, high, width = _middle(location)
    reach = FAR * width
    return np.asarray(((location < low - reach) | (location > high + reach)).any(axis=1))


def _swapped(location: Floats) -> Rows:
    """Returns (E,) True where the row would be among the others with its coordinates swapped."""
    low, high, width = _middle(location)
    other = location[:, ::-1]
    inside = (other >= low - NEAR * width) & (other <= high + NEAR * width)
    return np.asarray(inside.all(axis=1))
