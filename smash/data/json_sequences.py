"""Sequences as JSON: an object a sequence, with `times`, perhaps `locations` and `marks`.

As Seahorse and HawkesNest keep them: in JSON Lines (`.jsonl`, `.ndjson`) an object a line, in
`.json` a list of such objects. Without `locations` events have no places. `window_start` and
`window_end`, where every sequence has them as numbers, are its observation; other keys are left
alone. EasyTPP's objects are told apart (`smash.data.easytpp`).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.easytpp import TIMES, easytpp_events
from smash.data.events import no_places
from smash.data.names import as_text
from smash.data.plain_values import described, floats
from smash.data.raw import RawEvents, observed_window
from smash.errors import DataError
from smash.untrusted_files import read_json, read_json_lines

LINES_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (".json", *LINES_SUFFIXES)

Floats = NDArray[np.float64]


def json_events(path: Path) -> RawEvents:
    """Returns the events of a file of sequences in JSON; marks are names as text.

    Raises:
        DataError: naming the file and the line, or the sequence and event, and what is wrong.
    """
    sequences = list(_objects(path))
    if not sequences:
        raise DataError(f"{path}: empty; give an object a sequence, with 'times' and 'locations'")
    if all(TIMES in content and "locations" not in content for content in sequences):
        return easytpp_events(str(path), sequences)
    placed = any(content.get("locations") is not None for content in sequences)
    times, places, marks = [], [], []
    for number, content in enumerate(sequences):
        where = f"{path}, sequence {number}"
        times.append(floats(_list(content, "times", where), "time", where))
        places.append(no_places(len(times[-1])))
        if placed:
            places[-1] = _places(_list(content, "locations", where), where)
        if len(places[-1]) != len(times[-1]):
            raise DataError(
                f"{where}: {len(times[-1])} times and {len(places[-1])} locations; give each event "
                "both"
            )
        marks.append(_marks(content, len(times[-1]), where))
    lengths = np.array([len(time) for time in times], dtype=np.int64)
    time = np.concatenate(times)
    return RawEvents(
        str(path),
        time,
        np.concatenate(places),
        _joined(marks, path),
        lengths,
        _window(sequences, time, lengths),
    )


def _objects(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix.lower() in LINES_SUFFIXES:
        values = ((f"line {line}", value) for line, value in read_json_lines(path, DataError))
    else:
        whole = read_json(path, DataError)
        listed = whole if isinstance(whole, list) else [whole]
        values = ((f"sequence {number}", value) for number, value in enumerate(listed))
    for where, value in values:
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, {where}: holds {described(value)}; expected an object with 'times' and "
                "'locations'"
            )
        yield value


def _list(content: Mapping[str, Any], key: str, where: str) -> list[Any]:
    if key not in content:
        found = ", ".join(repr(name[:40]) for name in list(content)[:20]) or "none"
        raise DataError(
            f"{where}: no key {key!r}; it has {found} and needs 'times' and, of events with "
            "places, 'locations' in every sequence"
        )
    if not isinstance(content[key], list):
        raise DataError(f"{where}: {key!r} holds {described(content[key])}; expected a list")
    return content[key]


def _places(values: list[Any], where: str) -> Floats:
    """Returns (L, 2) locations."""
    for event, place in enumerate(values):
        if not isinstance(place, list) or len(place) != 2:
            raise DataError(
                f"{where}, event {event}: location is {described(place)}; expected [x, y]"
            )
    columns = [
        floats([place[axis] for place in values], what, where)
        for axis, what in enumerate(("first coordinate", "second coordinate"))
    ]
    return np.stack(columns, axis=1)


def _marks(content: Mapping[str, Any], n_events: int, where: str) -> list[Any] | None:
    if content.get("marks") is None:
        return None
    marks = _list(content, "marks", where)
    if len(marks) != n_events:
        raise DataError(f"{where}: {n_events} times and {len(marks)} marks; give each event both")
    for event, mark in enumerate(marks):
        if not isinstance(mark, str | int | float):
            raise DataError(
                f"{where}, event {event}: mark is {described(mark)}; expected a number or text"
            )
    return marks


def _joined(marks: Sequence[list[Any] | None], path: Path) -> NDArray[np.object_] | None:
    """Returns (E,) the marks of all sequences as text, which all of them have or none."""
    given = [number for number, of_sequence in enumerate(marks) if of_sequence is not None]
    if not given:
        return None
    if len(given) < len(marks):
        without = next(number for number, each in enumerate(marks) if each is None)
        raise DataError(
            f"{path}, sequence {without}: no 'marks', which sequence {given[0]} has; marked and "
            "unmarked sequences are mixed"
        )
    every = [mark for of_sequence in marks for mark in of_sequence or ()]
    return as_text(pd.Series(every, dtype=object))


def _window(
    sequences: Sequence[Mapping[str, Any]], time: Floats, lengths: NDArray[np.int64]
) -> Floats:
    given = [[content.get(f"window_{side}") for side in ("start", "end")] for content in sequences]
    if all(type(value) in (int, float) for bounds in given for value in bounds):
        columns = [floats([pair[side] for pair in given], "window", "windows") for side in (0, 1)]
        return np.stack(columns, axis=1)
    return observed_window(time, lengths)
