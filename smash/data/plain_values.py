"""Values of files that hold lists: numbers as an array, and what else there is in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.errors import DataError

NUMBERS = {int, float} | {np.dtype(code).type for code in "bhilqBHILQefdg"}
"""The types of a number in lists; True and False are none."""


def floats(values: Sequence[Any], what: str, where: str) -> NDArray[np.float64]:
    """Returns (L,) numbers.

    Raises:
        DataError: naming the event whose value is no number, or beyond all floats.
    """
    for event, value in enumerate(values):
        if type(value) not in NUMBERS:
            raise DataError(
                f"{where}, event {event}: {what} is {described(value)}; expected a number"
            )
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise DataError(f"{where}: a {what} is a number beyond all floats") from error


def is_list(value: Any) -> bool:
    """Returns True for lists, tuples and arrays of one axis or more."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def described(value: Any) -> str:
    """Returns what a value is, in words for messages."""
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if is_list(value):
        return f"a {type(value).__name__.lstrip('_')} of {len(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return "nothing (None)" if value is None else f"a {type(value).__name__}"
