"""Reading pickles from strangers: containers, numbers, strings and NumPy arrays, nothing else.

A pickle is a program: it names callables and calls them. Here a name is looked up in a fixed
table, and what stands there is never NumPy's own function but a stand-in that checks its arguments
and can do no more than make an array out of bytes the file itself carries. (NumPy's own
reconstruction trusts the file: a data type restored with false flags makes it read bytes as
object pointers.)
"""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from smash.data.raw import reading
from smash.errors import DataError

_PLAIN_CODE = re.compile(r"[biuf]\d{1,2}|[SU][1-9]\d{0,5}|O8?|\?")
_MAX_DIMENSIONS = 32


def load_pickle(path: str | Path) -> object:
    """Returns what the pickle holds; arrays come back as arrays, also those of dtype object.

    Raises:
        DataError: when the file is missing, truncated or no pickle, or names anything but
            NumPy's arrays, scalars and data types. The error names the file and the refused
            global; nothing that the file names is imported or run.
    """
    path = Path(path)
    with reading(path, "a pickle"), path.open("rb") as file:
        return _RestrictedUnpickler(file, path).load()


class _RestrictedUnpickler(pickle._Unpickler):
    """An unpickler whose globals are the stand-ins below.

    It is the one written in Python: the one in C fills tens of gigabytes when a file of six bytes
    gives a large number to a memo (CPython before 3.14).
    """

    def __init__(self, file: Any, path: Path):
        # latin1 is how array bytes written by Python 2 survive.
        super().__init__(file, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            self._refuse(f"{module}.{name}")
        return stand_in

    def persistent_load(self, pid: Any) -> NoReturn:
        self._refuse("a persistent id")

    def _refuse(self, what: str) -> NoReturn:
        raise DataError(
            f"{self.path}: refused to load {what}; a data pickle holds lists, numbers, strings "
            "and NumPy arrays only. Nothing in it was run; do not open this file otherwise"
        )


class _StandIn:
    """A callable that a pickle can call but not alter (BUILD would set attributes)."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("state set on a function")


class _PlainDtype:
    """Stands for numpy.dtype while a pickle is read: numbers, strings or objects, no fields."""

    __slots__ = ("dtype",)

    def __init__(self, code: Any, *_flags: Any):
        if not (isinstance(code, str) and _PLAIN_CODE.fullmatch(code)):
            raise pickle.UnpicklingError(f"data type {code!r:.40} is not a plain one")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        _version, order, *structure = state[:5]
        if structure != [None, None, None] or order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError("data type with fields or an unknown byte order")
        self.dtype = self.dtype.newbyteorder(order)


class _PickledArray(np.ndarray):
    """An array that checks the state a pickle gives it before NumPy sees it."""

    def __setstate__(self, state: Any) -> None:
        _version, shape, plain, fortran, data = state
        dtype = _dtype_of(plain)
        if isinstance(data, str):
            data = data.encode("latin1")
        _check_shape(shape)
        kind, item = (list, 1) if dtype.hasobject else (bytes, dtype.itemsize)
        if not isinstance(data, kind) or len(data) != math.prod(shape) * item:
            raise pickle.UnpicklingError("array whose data do not fill its shape")
        super().__setstate__((1, shape, dtype, bool(fortran), data))  # type: ignore[arg-type]


def _dtype_of(plain: Any) -> np.dtype:
    if not isinstance(plain, _PlainDtype):
        raise pickle.UnpicklingError("array without a data type")
    return plain.dtype


def _number_dtype_of(plain: Any) -> np.dtype:
    dtype = _dtype_of(plain)
    if dtype.hasobject:
        raise pickle.UnpicklingError("bytes given as objects")
    return dtype


def _check_shape(shape: Any) -> None:
    whole = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not whole or len(shape) > _MAX_DIMENSIONS:
        raise pickle.UnpicklingError("array with an impossible shape")


def _array_class(*_args: Any) -> NoReturn:
    raise pickle.UnpicklingError("numpy.ndarray called directly")


def _reconstruct(subtype: Any, *_shape_and_code: Any) -> NDArray:
    if subtype is not _NDARRAY:
        raise pickle.UnpicklingError("array of a class other than numpy.ndarray")
    return np.ndarray.__new__(_PickledArray, (0,), np.int8)


def _scalar(plain: Any, data: Any) -> np.generic:
    dtype = _number_dtype_of(plain)
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, dtype, count=1)[0]


def _from_buffer(data: Any, plain: Any, shape: Any, order: Any, axes: Any = None) -> NDArray:
    array = np.frombuffer(data, _number_dtype_of(plain))
    _check_shape(shape)
    if order == "K" and axes is not None:
        return array.reshape(shape, order="C").transpose(axes).copy()
    return array.reshape(shape, order=order).copy()


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("codec other than latin1")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


_NDARRAY = _StandIn(_array_class)
_STAND_INS: dict[tuple[str, str], _StandIn] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _StandIn(_PlainDtype),
    # How protocols before 3 write bytes.
    ("_codecs", "encode"): _StandIn(_encode),
    ("__builtin__", "bytes"): _StandIn(_empty_bytes),
}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and NumPy 2
    _STAND_INS[f"{_core}.multiarray", "_reconstruct"] = _StandIn(_reconstruct)
    _STAND_INS[f"{_core}.multiarray", "scalar"] = _StandIn(_scalar)
    _STAND_INS[f"{_core}.numeric", "_frombuffer"] = _StandIn(_from_buffer)
