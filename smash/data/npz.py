"""NPZ files: the arrays of `EventSequences`, by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.data.raw import RawEvents, observed_window, reading
from smash.errors import DataError


def npz_events(path: Path) -> RawEvents:
    """Returns the events of an NPZ file; see `smash.data.readers` for its arrays.

    Raises:
        DataError: naming the file and the array that is missing or of the wrong kind or shape.
    """
    with reading(path, "an NPZ file"), np.load(path, allow_pickle=False) as archive:
        arrays: dict[str, NDArray[Any]] = {name: archive[name] for name in archive.files}
    time = _array(arrays, "time", "iuf", (-1,), path)
    location = _array(arrays, "location", "iuf", (len(time), 2), path)
    lengths = _lengths(arrays, len(time), path)
    window = observed_window(time, lengths)
    if "window" in arrays:
        window = _array(arrays, "window", "iuf", (len(lengths), 2), path)
        if not np.isfinite(window).all():
            row = int(np.argmin(np.isfinite(window).all(axis=1)))
            raise DataError(f"{path}, sequence {row}: its window is not finite")
    mark = _array(arrays, "mark", "iufU", (len(time),), path) if "mark" in arrays else None
    if mark is not None and mark.dtype.kind == "U":
        mark = np.array([text or None for text in mark.tolist()], dtype=object)
    return RawEvents(str(path), time, location, mark, lengths, window)


def _lengths(arrays: Mapping[str, NDArray], n_events: int, path: Path) -> NDArray[np.int64]:
    if "lengths" in arrays:
        lengths = _array(arrays, "lengths", "iu", (-1,), path)
    elif "offsets" in arrays:
        offsets = _array(arrays, "offsets", "iu", (-1,), path).astype(np.int64)
        lengths = offsets[1:] - offsets[:-1]
    else:
        lengths = np.array([n_events])
    lengths = lengths.astype(np.int64)
    if (lengths < 0).any() or lengths.sum() != n_events:
        raise DataError(
            f"{path}: its sequences hold {lengths.sum()} events by 'lengths' or 'offsets' and "
            f"'time' holds {n_events}; lengths are whole numbers from 0 that add up to it"
        )
    return lengths


def _array(
    arrays: Mapping[str, NDArray], name: str, kinds: str, shape: tuple[int, ...], path: Path
) -> NDArray[Any]:
    """Returns the named array if it is of one of `kinds` and `shape` (-1: any length)."""
    if name not in arrays:
        raise DataError(
            f"{path}: no array {name!r}; it has {', '.join(map(repr, arrays)) or 'none'} and "
            "needs 'time' and 'location'"
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
