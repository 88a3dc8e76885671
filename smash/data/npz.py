"""NPZ files: the arrays of `EventSequences`, by name."""

import math
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from smash.data.names import as_text
from smash.data.raw import RawEvents, observed_window, reading
from smash.errors import DataError
from smash.untrusted_files import regular_size

_NAMES = ("time", "location", "lengths", "offsets", "mark", "window", "magnitude", "history")
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_KINDS = "iufU"
_UNFOLDED = 64
"""How many times its own size a file may become, beside what any file may."""
_ALWAYS = 16 * 2**20


def npz_events(path: Path) -> RawEvents:
    """Returns the events of an NPZ file; see `smash.data.readers` for its arrays.

    Raises:
        DataError: naming the file and the array that is missing or of the wrong kind or shape.
    """
    arrays = _read_arrays(path)
    time = _array(arrays, "time", "iuf", (-1,), path)
    location = _array(arrays, "location", "iuf", (len(time), 2), path)
    lengths = _lengths(arrays, len(time), path)
    window = observed_window(time, lengths)
    if "window" in arrays:
        window = _array(arrays, "window", "iuf", (len(lengths), 2), path)
        if not np.isfinite(window).all():
            row = int(np.argmin(np.isfinite(window).all(axis=1)))
            raise DataError(f"{path}, sequence {row}: its window is not finite")
    mark = _array(arrays, "mark", _KINDS, (len(time),), path) if "mark" in arrays else None
    if mark is not None and mark.dtype.kind == "U":
        with reading(path, "an NPZ file (array 'mark')"):
            mark = as_text(pd.Series(mark.tolist(), dtype=object))
    size = before = None
    if "magnitude" in arrays:
        size = _array(arrays, "magnitude", "iuf", (len(time),), path)
    if "history" in arrays:
        before = _array(arrays, "history", "iu", (len(lengths),), path)
    return RawEvents(str(path), time, location, mark, lengths, window, size, before)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the arrays of events alone; none is read before all are known to be small enough."""
    size = regular_size(path, DataError)
    with reading(path, "an NPZ file"):
        with zipfile.ZipFile(path) as archive:
            known = {name: f"{name}.npy" for name in _NAMES}
            inside = set(archive.namelist())
            found = {name: entry for name, entry in known.items() if entry in inside}
            if not found:
                others = sorted(entry.removesuffix(".npy")[:40] for entry in inside)[:20]
                raise DataError(
                    f"{path}: no array 'time'; it has {', '.join(map(repr, others)) or 'none'} and "
                    "needs 'time' and 'location'"
                )
            room = _UNFOLDED * size + _ALWAYS
            for name, entry in found.items():
                with archive.open(entry) as file:
                    room -= _array_size(file, archive.getinfo(entry), f"{path}: array {name!r}")
            if room < 0:
                raise DataError(
                    f"{path}: becomes more than {_UNFOLDED} times as large when it is read; save "
                    "its arrays uncompressed (numpy.savez)"
                )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in found}


def _array_size(file: IO[bytes], entry: zipfile.ZipInfo, what: str) -> int:
    """Returns how many bytes an array will have, which its entry in the archive must hold."""
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise DataError(
            f"{what} is in a format {version} for fields with names; save plain numbers"
        )
    shape, _, dtype = _HEADERS[version](file)
    if dtype.kind not in _KINDS:
        raise DataError(f"{what} is {str(dtype)[:40]}; expected plain numbers or text")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes + file.tell() != entry.file_size:
        raise DataError(
            f"{what} says that it has the shape {shape}, but its data are of another size; the "
            "file is damaged"
        )
    return n_bytes


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
