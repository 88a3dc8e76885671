"""The original implementation's and DSTPP's files: nested lists of events in a pickle."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smash.data.easytpp import pickled_easytpp
from smash.data.plain_values import NUMBERS, described, is_list
from smash.data.raw import ALL, RawEvents, reading
from smash.data.unpickling import load_pickle
from smash.errors import DataError

_WIDTHS = (3, 4)


def pickle_events(path: Path) -> dict[str, RawEvents]:
    """Returns the events of a pickle: sequences of `[time, mark, x, y]` or `[time, x, y]`.

    Lists, tuples and arrays serve at any level. Observation starts at 0. They are `ALL` of the
    file's; a mapping is EasyTPP's, whose splits are told apart (`smash.data.easytpp`).

    Raises:
        DataError: naming file, sequence and event of what is not an event.
    """
    content: Any = load_pickle(path)
    if isinstance(content, dict):
        return pickled_easytpp(path, content)
    if not is_list(content) or len(content) == 0:
        raise DataError(
            f"{path}: holds {described(content)}; expected a list of sequences, each a list of "
            "events [time, mark, x, y] or [time, x, y]"
        )
    with reading(path, "a list of sequences"):
        _check_size(content, path)
        sequences = [_event_rows(events, i, path) for i, events in enumerate(content)]
    width = _common_width(sequences, path)
    rows = np.concatenate([events.reshape(-1, width) for events in sequences])
    events = RawEvents(
        name=str(path),
        time=rows[:, 0],
        location=rows[:, -2:],
        mark=rows[:, 1] if width == 4 else None,
        lengths=np.array([len(events) for events in sequences]),
    )
    return {ALL: events}


def _check_size(content: Sequence[Any], path: Path) -> None:
    """Refuses a file whose parts refer to each other to become far larger in memory than it is."""
    room = path.stat().st_size
    if len(content) > room or sum(len(events) for events in content if is_list(events)) > room:
        raise DataError(
            f"{path}: has more events than bytes, as it repeats its own parts; save the events "
            "one by one"
        )


def _event_rows(events: Any, sequence: int, path: Path) -> NDArray[np.float64]:
    """Returns one sequence as (L, 3) or (L, 4); (0,) when it has no events."""
    if not is_list(events):
        raise DataError(
            f"{path}, sequence {sequence}: holds {described(events)}; expected a list of events"
        )
    if len(events) == 0:
        return np.empty(0)
    rows = _rows_at_once(events)
    return _rows_one_by_one(events, sequence, path) if rows is None else rows


def _rows_at_once(events: Sequence[Any]) -> NDArray[np.float64] | None:
    """Returns (L, F), or None where events are not plain lists of numbers of one length."""
    if isinstance(events, np.ndarray):
        plain = events.dtype.kind in "iuf" and events.ndim == 2 and events.shape[1] in _WIDTHS
        return events.astype(np.float64) if plain else None
    width = len(events[0]) if is_list(events[0]) else 0
    if width not in _WIDTHS or not all(is_list(event) and len(event) == width for event in events):
        return None
    # NumPy would unfold lists within, and give every field the room of the longest text.
    if not NUMBERS.issuperset(map(type, chain.from_iterable(events))):
        return None
    try:
        return np.array(events, dtype=np.float64)
    except OverflowError:
        return None


def _rows_one_by_one(events: Sequence[Any], sequence: int, path: Path) -> NDArray[np.float64]:
    """Returns (L, F) from events of any kind of list, each of them checked; slow."""
    rows: list[list[float]] = []
    for i, event in enumerate(events):
        place = f"{path}, sequence {sequence}, event {i}"
        if not is_list(event):
            raise DataError(f"{place}: is {described(event)}; expected [time, mark, x, y]")
        if len(event) not in _WIDTHS:
            raise DataError(
                f"{place}: has {len(event)} fields; expected 4, [time, mark, x, y], or 3, "
                "[time, x, y]"
            )
        if rows and len(event) != len(rows[0]):
            raise DataError(
                f"{place}: has {len(event)} fields where event 0 has {len(rows[0])}; marked and "
                "unmarked events are mixed"
            )
        rows.append([_number(field, place, k) for k, field in enumerate(event)])
    return np.array(rows)


def _number(field: Any, place: str, k: int) -> float:
    if isinstance(field, int | float | np.integer | np.floating) and not isinstance(field, bool):
        try:
            return float(field)
        except OverflowError as error:
            raise DataError(f"{place}: field {k} is a number beyond all floats") from error
    raise DataError(f"{place}: field {k} is {described(field)}; expected a number")


def _common_width(sequences: list[NDArray[np.float64]], path: Path) -> int:
    widths = [(i, events.shape[1]) for i, events in enumerate(sequences) if events.ndim == 2]
    if not widths:
        raise DataError(f"{path}: every sequence is empty; the split has no events")
    first, width = widths[0]
    for i, other in widths:
        if other != width:
            raise DataError(
                f"{path}, sequence {i}, event 0: has {other} fields where sequence {first} has "
                f"{width}; marked and unmarked events are mixed"
            )
    return width
