"""NPZ files: the arrays of `EventSequences`, by name."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.events import no_places
from smash.data.names import as_text
from smash.data.npz_arrays import KINDS, array_names, read_arrays
from smash.data.raw import RawEvents, observed_window, reading
from smash.errors import DataError

NAMES = ("time", "location", "lengths", "offsets", "mark", "window", "magnitude", "history")


def npz_events(path: Path) -> RawEvents:
    """Returns the events of an NPZ file; see `smash.data.readers` for its arrays.

    Raises:
        DataError: naming the file and the array that is missing or of the wrong kind or shape.
    """
    inside = array_names(path)
    found = [name for name in NAMES if name in inside]
    if not found:
        others = ", ".join(repr(name[:40]) for name in sorted(inside)[:20]) or "none"
        raise DataError(
            f"{path}: no array 'time'; it has {others} and needs 'time' and 'location' "
            "(without: no places)"
        )
    arrays = read_arrays(path, found)
    time = _array(arrays, "time", "iuf", (-1,), path)
    location = no_places(len(time))
    if "location" in arrays:
        location = _array(arrays, "location", "iuf", (len(time), 2), path)
    lengths = _lengths(arrays, len(time), path)
    window = observed_window(time, lengths)
    if "window" in arrays:
        window = _array(arrays, "window", "iuf", (len(lengths), 2), path)
        if not np.isfinite(window).all():
            row = int(np.argmin(np.isfinite(window).all(axis=1)))
            raise DataError(f"{path}, sequence {row}: its window is not finite")
    mark = _array(arrays, "mark", KINDS, (len(time),), path) if "mark" in arrays else None
    if mark is not None and mark.dtype.kind == "U":
        with reading(path, "an NPZ file (array 'mark')"):
            mark = as_text(pd.Series(mark.tolist(), dtype=object))
    size = before = None
    if "magnitude" in arrays:
        size = _array(arrays, "magnitude", "iuf", (len(time),), path)
    if "history" in arrays:
        before = _array(arrays, "history", "iu", (len(lengths),), path)
    return RawEvents(str(path), time, location, mark, lengths, window, size, before)


def _lengths(arrays: Mapping[str, NDArray], n_events: int, path: Path) -> NDArray[np.int64]:
    starts_at_0 = True
    # As Python's numbers: NumPy's run over, and wrong lengths may then come to the right sum.
    if "lengths" in arrays:
        lengths = _array(arrays, "lengths", "iu", (-1,), path).tolist()
    elif "offsets" in arrays:
        offsets = _array(arrays, "offsets", "iu", (-1,), path).tolist()
        starts_at_0 = offsets[:1] == [0]
        lengths = [end - start for start, end in pairwise(offsets)]
    else:
        lengths = [n_events]
    if min(lengths, default=0) < 0 or sum(lengths) != n_events or not starts_at_0:
        raise DataError(
            f"{path}: its sequences hold {sum(lengths)} events by 'lengths' or 'offsets' and "
            f"'time' holds {n_events}; lengths are whole numbers from 0 that add up to it, and "
            "offsets, from 0 to it, never fall"
        )
    return np.array(lengths, dtype=np.int64)


def _array(
    arrays: Mapping[str, NDArray], name: str, kinds: str, shape: tuple[int, ...], path: Path
) -> NDArray[Any]:
    """Returns the named array if it is of one of `kinds` and `shape` (-1: any length)."""
    if name not in arrays:
        raise DataError(
            f"{path}: no array {name!r}; it has {', '.join(map(repr, arrays)) or 'none'} and "
            "needs 'time' and, of events with places, 'location'"
        )
    array = arrays[name]
    fits = len(array.shape) == len(shape) and all(
        n in (-1, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind not in kinds or not fits:
        expected = "(" + ", ".join("any" if n < 0 else str(n) for n in shape) + ")"
        raise DataError(
            f"{path}: array {name!r} is {array.dtype} of shape {array.shape}; expected "
            f"{'numbers or text' if 'U' in kinds else 'numbers'} of shape {expected}"
        )
    return array
