"""Names as text: what marks and sequences are called, however their cells were written."""

import difflib
import re
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_WHOLE = re.compile(r"([+-]?)(\d{1,18})(?:\.0*)?", re.ASCII)


def as_text(column: pd.Series) -> NDArray[np.object_]:
    """Returns (E,) the text of each cell without blanks around it, None where it is empty.

    Only an empty cell is missing: "NA" and "nan" written as text are text. Whole numbers are
    written without a point, whatever type holds them.
    """
    missing = column.isna().to_numpy()
    cells = column.astype(object).to_numpy()
    text = [None if gone else _spelled(cell) for cell, gone in zip(cells, missing, strict=True)]
    return np.array(text, dtype=object)


def _spelled(cell: object) -> str | None:
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, Integral):
        return str(int(cell))
    if isinstance(cell, Real) and float(cell).is_integer():
        return str(int(float(cell)))
    return str(cell).strip() or None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Returns different names in order: by number where all are whole numbers, else by letter.

    Whole numbers that are equal are one name: 1, 1.0 and +1 are `1`, and so is 01 beside them;
    where every spelling has its zeros in front (001, 002), the names keep them.
    """
    distinct = set(names)
    if not _all_whole(distinct):
        return tuple(sorted(distinct))
    spellings: dict[int, set[str]] = {}
    for name in distinct:
        spellings.setdefault(_number(name), set()).add(_plain(name))
    return tuple(
        next(iter(found)) if len(found) == 1 else str(number)
        for number, found in sorted(spellings.items())
    )


def codes(text: Iterable[str | None], names: Sequence[str]) -> NDArray[np.int64]:
    """Returns (E,) the place of each text among `names`, -1 where it is none of them.

    Where all names are whole numbers, a text is the name of the number that it spells.
    """
    place = {name: k for k, name in enumerate(names)}
    by_number = {_number(name): k for k, name in enumerate(names)} if _all_whole(names) else {}

    def code(name: str | None) -> int:
        if name is None:
            return -1
        if (known := place.get(name)) is not None:
            return known
        return by_number.get(_number(name), -1) if by_number and is_whole(name) else -1

    return np.array([code(name) for name in text], dtype=np.int64)


def is_whole(name: str) -> bool:
    """Returns True where a name is a whole number: 1, 01, 1.0, -3."""
    return _WHOLE.fullmatch(name) is not None


def listed(names: Sequence[str], most: int = 10) -> str:
    """Returns names for a message, the first of them where there are many."""
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns the hint at the name that was perhaps meant, empty where none is near."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def _all_whole(names: Iterable[str]) -> bool:
    return all(map(is_whole, names))


def _number(name: str) -> int:
    return int(name.partition(".")[0])


def _plain(name: str) -> str:
    """Returns a whole number without its point and plus: `01.0` as `01`."""
    return name.partition(".")[0].removeprefix("+")
