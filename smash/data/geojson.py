"""A polygon from a GeoJSON file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.errors import DataError
from smash.untrusted_files import read_json

DEEPEST = 8


def read_polygon(path: Path) -> NDArray[np.float64]:
    """Returns (V, 2) the corners of the one polygon of a GeoJSON file (RFC 7946), as written.

    It may stand alone, in a feature or in a collection of one; holes are refused.

    Raises:
        DataError: naming the file and what is wrong there.
    """
    try:
        polygons = list(_polygons(read_json(path, DataError)))
        if len(polygons) != 1:
            raise DataError(f"{path}: holds {len(polygons)} polygons; give one")
        (rings,) = polygons
        if len(rings) != 1:
            raise DataError(f"{path}: its polygon has {len(rings)} rings; give one without holes")
        corners = np.array([[float(x), float(y)] for x, y, *_ in rings[0]]).reshape(-1, 2)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read as GeoJSON ({type(error).__name__}: {error}); give a polygon "
            "as RFC 7946 writes it"
        ) from error
    closed = len(corners) > 1 and (corners[0] == corners[-1]).all()
    return corners[:-1] if closed else corners


def _polygons(found: Any, depth: int = 0) -> Iterator[Any]:
    """Yields the rings of each polygon of a GeoJSON object."""
    kind = found["type"]
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if kind == "Polygon":
        yield found["coordinates"]
    elif kind == "MultiPolygon":
        yield from found["coordinates"]
    elif kind == "Feature":
        yield from _polygons(found["geometry"], depth + 1)
    elif kind == "FeatureCollection":
        for feature in found["features"]:
            yield from _polygons(feature, depth + 1)
