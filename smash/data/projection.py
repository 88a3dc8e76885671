"""Longitudes and latitudes laid on a plane of kilometres around an origin, and back.

The projection is the azimuthal equidistant one of the sphere: distances and bearings from the
origin are exact, so that a kilometre is one in every direction there. At an angle c from the origin
lengths across the bearing come out c / sin c too long: 1 % at 1 500 km, 5 % at 3 400 km. It knows
neither poles nor a date line. (Snyder, Map Projections: A Working Manual, USGS 1987, chapter 25.)
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Origin = tuple[float, float]

RADIUS = 6371.0088
"""The Earth's mean radius in km."""


def project(location: Floats, origin: Origin) -> Floats:
    """Returns (..., 2) km east and north of longitudes and latitudes (..., 2) in degrees.

    Half-angles keep all digits of places close to the `origin` (longitude, latitude).
    """
    east, latitude = np.radians(location[..., 0] - origin[0]), np.radians(location[..., 1])
    middle = np.radians(origin[1])
    turned = 2 * np.sin(east / 2) ** 2
    x = np.cos(latitude) * np.sin(east)
    y = np.sin(latitude - middle) + np.sin(middle) * np.cos(latitude) * turned
    up = np.cos(latitude - middle) - np.cos(middle) * np.cos(latitude) * turned
    sine = np.hypot(x, y)
    angle = np.arctan2(sine, up)
    stretch = np.divide(angle, sine, out=np.ones_like(angle), where=sine > 0)
    return RADIUS * np.stack([x * stretch, y * stretch], axis=-1)


def unproject(plane: Floats, origin: Origin) -> Floats:
    """Returns (..., 2) longitudes and latitudes in degrees of places (..., 2) in km.

    Longitudes lie within 180 degrees of the origin's. Places farther than half around the Earth do
    not exist and become the one opposite of the origin.
    """
    angle = np.minimum(np.hypot(plane[..., 0], plane[..., 1]) / RADIUS, np.pi)
    share = np.sinc(angle / np.pi) / RADIUS
    x, y, up = plane[..., 0] * share, plane[..., 1] * share, np.cos(angle)
    middle = np.radians(origin[1])
    out, axis = up * np.cos(middle) - y * np.sin(middle), up * np.sin(middle) + y * np.cos(middle)
    longitude = origin[0] + np.degrees(np.arctan2(x, out))
    return np.stack([longitude, np.degrees(np.arctan2(axis, np.hypot(out, x)))], axis=-1)


def distance(a: Floats, b: Floats) -> Floats:
    """Returns (...) km along great circles between places (..., 2) in degrees."""
    (east, north), (other_east, other_north) = (np.moveaxis(np.radians(p), -1, 0) for p in (a, b))
    across = np.cos(north) * np.cos(other_north) * np.sin((east - other_east) / 2) ** 2
    half = np.sqrt(np.clip(np.sin((north - other_north) / 2) ** 2 + across, 0.0, 1.0))
    return np.asarray(2 * RADIUS * np.arcsin(half))


def stretch(location: Floats, origin: Origin) -> float:
    """Returns how many times too long the longest lengths come out at places (E, 2) in degrees."""
    angle = float(distance(location, np.array(origin)).max()) / RADIUS
    return float(1 / np.sinc(angle / np.pi)) if angle < np.pi else np.inf
