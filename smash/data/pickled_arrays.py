"""What a pickle's names of NumPy stand for: callables that make arrays of its own bytes alone.

Each checks its arguments, and counts what it makes against the size of the file.
"""

import math
import pickle
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

_PLAIN_CODE = re.compile(r"[biuf]\d{1,2}|[SU][1-9]\d{0,5}|O8?|\?")
_MAX_DIMENSIONS = 32
_MAX_NESTING = 4
"""Arrays of objects within each other: NumPy frees them one inside the other, on the stack."""


class Room:
    """How many bytes a file may still make: calls may be made of the same bytes again and again."""

    def __init__(self, n_bytes: int) -> None:
        self.left = n_bytes

    def take(self, n_bytes: int) -> None:
        """Counts bytes that are about to be made; raises when they are too many."""
        self.left -= n_bytes
        if self.left < 0:
            raise pickle.UnpicklingError("it repeats its own parts to become far larger than it is")


class StandIn:
    """A callable that a pickle can call but not alter; it is told the room that is left."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, room: Room, *arguments: Any) -> Any:
        return self._function(room, *arguments)


class Buildable:
    """What a pickle may give a state, once it was made."""

    __slots__ = ()

    def build(self, state: Any, room: Room) -> None:
        """Takes the state; raises when it is not what it should be."""
        raise NotImplementedError


class _PlainDtype(Buildable):
    """Stands for numpy.dtype while a pickle is read: numbers, strings or objects, no fields."""

    __slots__ = ("dtype",)

    def __init__(self, _room: Room, code: Any, *_flags: Any):
        if not isinstance(code, str):
            raise pickle.UnpicklingError("data type that is not named")
        if not _PLAIN_CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"data type {code[:40]!r} is not a plain one")
        self.dtype = np.dtype(code)

    def build(self, state: Any, room: Room) -> None:
        _version, order, *structure = state[:5]
        if structure != [None, None, None] or order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError("data type with fields or an unknown byte order")
        self.dtype = self.dtype.newbyteorder(order)


class _PickledArray(np.ndarray, Buildable):
    """An array that checks the state a pickle gives it, once, before NumPy sees it."""

    nesting = 0
    """How many arrays of objects it is and holds within each other; 0 until it has its state."""

    def build(self, state: Any, room: Room) -> None:
        _version, shape, plain, fortran, data = state
        if self.nesting:
            raise pickle.UnpicklingError("array with two states")
        dtype = _dtype_of(plain)
        if isinstance(data, str):
            room.take(len(data))
            data = data.encode("latin1")
        n_values = _n_values(shape, room)
        kind, item = (list, 1) if dtype.hasobject else (bytes, dtype.itemsize)
        if not isinstance(data, kind) or len(data) != n_values * item:
            raise pickle.UnpicklingError("array whose data do not fill its shape")
        room.take(n_values * dtype.itemsize)
        self.nesting = _nesting(data) if isinstance(data, list) else 1
        np.ndarray.__setstate__(self, (1, shape, dtype, bool(fortran), data))  # type: ignore[arg-type]


def _nesting(values: list[Any]) -> int:
    """Returns the nesting of an array of these objects; raises where it is deep or unfinished."""
    within = [value.nesting for value in values if isinstance(value, _PickledArray)]
    if not all(within) or max(within, default=0) >= _MAX_NESTING:
        raise pickle.UnpicklingError("arrays nested too deeply")
    return 1 + max(within, default=0)


def _dtype_of(plain: Any) -> np.dtype:
    if not isinstance(plain, _PlainDtype):
        raise pickle.UnpicklingError("array without a data type")
    return plain.dtype


def _number_dtype_of(plain: Any) -> np.dtype:
    dtype = _dtype_of(plain)
    if dtype.hasobject:
        raise pickle.UnpicklingError("bytes given as objects")
    return dtype


def _n_values(shape: Any, room: Room) -> int:
    """Returns how many values an array of this shape has; raises when there is no such array."""
    if not isinstance(shape, tuple) or len(shape) > _MAX_DIMENSIONS:
        raise pickle.UnpicklingError("array with an impossible shape")
    if not all(type(n) is int and 0 <= n <= max(room.left, 0) for n in shape):
        raise pickle.UnpicklingError("array with an impossible shape")
    return math.prod(shape)


def _array_class(*_args: Any) -> NoReturn:
    raise pickle.UnpicklingError("numpy.ndarray called directly")


def _reconstruct(_room: Room, subtype: Any, *_shape_and_code: Any) -> NDArray:
    if subtype is not _NDARRAY:
        raise pickle.UnpicklingError("array of a class other than numpy.ndarray")
    return np.ndarray.__new__(_PickledArray, (0,), np.int8)


def _scalar(_room: Room, plain: Any, data: Any) -> np.generic:
    dtype = _number_dtype_of(plain)
    if len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("number of another size than its data type's")
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, dtype, count=1)[0]


def _from_buffer(
    room: Room, data: Any, plain: Any, shape: Any, order: Any, axes: Any = None
) -> NDArray:
    dtype = _number_dtype_of(plain)
    n_values = _n_values(shape, room)
    if not isinstance(data, bytes) or len(data) != n_values * dtype.itemsize:
        raise pickle.UnpicklingError("array whose data do not fill its shape")
    room.take(len(data))
    array = np.frombuffer(data, dtype)
    if order == "K" and axes is not None:
        return array.reshape(shape, order="C").transpose(axes).copy()
    return array.reshape(shape, order=order).copy()


def _encode(room: Room, text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("codec other than latin1")
    room.take(len(text))
    return text.encode("latin1")


def _empty_bytes(_room: Room) -> bytes:
    return b""


_NDARRAY = StandIn(_array_class)
ARRAYS: dict[tuple[str, str], StandIn] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): StandIn(_PlainDtype),
    # How protocols before 3 write bytes.
    ("_codecs", "encode"): StandIn(_encode),
    ("__builtin__", "bytes"): StandIn(_empty_bytes),
}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and NumPy 2
    ARRAYS[f"{_core}.multiarray", "_reconstruct"] = StandIn(_reconstruct)
    ARRAYS[f"{_core}.multiarray", "scalar"] = StandIn(_scalar)
    ARRAYS[f"{_core}.numeric", "_frombuffer"] = StandIn(_from_buffer)
