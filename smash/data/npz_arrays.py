"""Arrays out of NPZ files from strangers: plain numbers, text, or sequences as objects.

None is read before all that are asked for are known to be small enough, and none is unpickled but
by `smash.data.unpickling`.
"""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from smash.data.raw import reading
from smash.data.unpickling import unpickled
from smash.errors import DataError
from smash.untrusted_files import regular_size

KINDS = "iufU"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_UNFOLDED = 64
"""How many times its own size a file may become, beside what any file may."""
_ALWAYS = 16 * 2**20


def array_names(path: Path) -> list[str]:
    """Returns the names of a file's arrays, in their order.

    Raises:
        DataError: when it is no NPZ file.
    """
    regular_size(path, DataError)
    with reading(path, "an NPZ file"), zipfile.ZipFile(path) as archive:
        names = dict.fromkeys(archive.namelist())
        return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def read_arrays(path: Path, names: Sequence[str], objects: bool = False) -> dict[str, NDArray[Any]]:
    """Returns the arrays of these names; with `objects` also those that hold arrays.

    Raises:
        DataError: naming the file and the array that is too large, damaged or of another kind.
    """
    size = regular_size(path, DataError)
    with reading(path, "an NPZ file"), zipfile.ZipFile(path) as archive:
        room = _UNFOLDED * size + _ALWAYS
        for name in names:
            entry = archive.getinfo(f"{name}.npy")
            with archive.open(entry) as file:
                room -= _array_size(file, entry, f"{path}: array {name!r}", objects)
        if room < 0:
            raise DataError(
                f"{path}: becomes more than {_UNFOLDED} times as large when it is read; save "
                "its arrays uncompressed (numpy.savez)"
            )
        return {name: _array(archive, name, f"{path}: array {name!r}") for name in names}


def _array(archive: zipfile.ZipFile, name: str, what: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as file:
        _, _, dtype = _header(file, what)
        if dtype.kind == "O":
            array = unpickled(file.read(), what)
            if not isinstance(array, np.ndarray):
                raise DataError(f"{what} holds no array; the file is damaged")
            return array
    with archive.open(f"{name}.npy") as file:
        return npy.read_array(file, allow_pickle=False)


def _header(file: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise DataError(
            f"{what} is in a format {version} for fields with names; save plain numbers"
        )
    return _HEADERS[version](file)


def _array_size(file: IO[bytes], entry: zipfile.ZipInfo, what: str, objects: bool) -> int:
    """Returns how many bytes an array will have, which its entry in the archive must hold."""
    shape, _, dtype = _header(file, what)
    if dtype.kind == "O" and objects:
        return entry.file_size
    if dtype.kind not in KINDS:
        raise DataError(f"{what} is {str(dtype)[:40]}; expected plain numbers or text")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes + file.tell() != entry.file_size:
        raise DataError(
            f"{what} says that it has the shape {shape}, but its data are of another size; the "
            "file is damaged"
        )
    return n_bytes
