"""EasyTPP's files: times and types of events, which have no places.

JSON holds an object a sequence with the lists `time_since_start` and `type_event`; a pickle holds
`{"dim_process": K, split: sequences}`, each event a mapping of its own. Types are numbers from 0,
below `dim_process` where a file says it. Nothing says when observation begins and ends: with the
first and the last event.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smash.data.events import no_places
from smash.data.plain_values import described, floats, is_list
from smash.data.raw import ALL, RawEvents, observed_window, reading
from smash.errors import DataError

TIMES, TYPES, N_TYPES = "time_since_start", "type_event", "dim_process"
SPLITS = {"train": "train", "dev": "validation", "test": "test"}
"""What EasyTPP calls the splits, and what they are called here."""


def easytpp_events(name: str, sequences: Sequence[Mapping[str, Any]]) -> RawEvents:
    """Returns the events of M sequences, each with lists of times and types.

    Raises:
        DataError: naming sequence and event where a time or type is not right.
    """
    times, types = [], []
    for number, content in enumerate(sequences):
        where = f"{name}, sequence {number}"
        time, kind = (_list(content, key, where) for key in (TIMES, TYPES))
        if len(time) != len(kind):
            raise DataError(
                f"{where}: {len(time)} times and {len(kind)} types; give each event both"
            )
        times.append(floats(time, "time", where))
        types.append(floats(kind, "type", where))
        _check_types(types[-1], content.get(N_TYPES), where)
    lengths = np.array([len(time) for time in times], dtype=np.int64)
    every, mark = (np.concatenate([np.empty(0), *values]) for values in (times, types))
    window = observed_window(every, lengths)
    return RawEvents(name, every, no_places(len(every)), mark, lengths, window)


def pickled_easytpp(path: Path, content: Mapping[Any, Any]) -> dict[str, RawEvents]:
    """Returns the events of an EasyTPP pickle by split, or `ALL` of a file that holds only one.

    Raises:
        DataError: when it is no such pickle, or naming split, sequence and event.
    """
    found = [split for split in SPLITS if is_list(content.get(split)) and len(content[split])]
    if N_TYPES not in content or not found:
        keys = ", ".join(repr(key)[:40] for key in list(content)[:20]) or "none"
        raise DataError(
            f"{path}: holds a dict with the keys {keys}; expected a list of sequences, each a "
            "list of events [time, mark, x, y] or [time, x, y], or EasyTPP's dict of "
            f"{N_TYPES!r} and {', '.join(map(repr, SPLITS))}"
        )
    events = {}
    for split in found:
        name = str(path) if len(found) == 1 else f"{path} ({split})"
        with reading(path, "an EasyTPP pickle"):
            _check_size(content[split], path)
            listed = [_columns(one, i, name) for i, one in enumerate(content[split])]
        sequences = [each | {N_TYPES: content[N_TYPES]} for each in listed]
        events[SPLITS[split] if len(found) > 1 else ALL] = easytpp_events(name, sequences)
    return events


def _list(content: Mapping[str, Any], key: str, where: str) -> list[Any]:
    values = content.get(key)
    if not isinstance(values, list):
        raise DataError(f"{where}: {key!r} holds {described(values)}; expected a list")
    return values


def _check_types(types: np.ndarray, n_types: Any, where: str) -> None:
    """Checks types (L,) against how many there are said to be, where that is said."""
    if type(n_types) is not int or not (types >= n_types).any():
        return
    event = int(np.argmax(types >= n_types))
    raise DataError(
        f"{where}, event {event}: type is {types[event]:g}, and {N_TYPES!r} says {n_types} types, "
        "numbered from 0; correct either"
    )


def _check_size(sequences: Any, path: Path) -> None:
    """Refuses a file whose parts refer to each other to become far larger in memory than it is."""
    room = path.stat().st_size
    if len(sequences) + sum(len(events) for events in sequences if is_list(events)) > room:
        raise DataError(f"{path}: has more events than bytes, as it repeats its own parts")


def _columns(events: Any, sequence: int, name: str) -> dict[str, Any]:
    """Returns the times and types of a sequence whose events are mappings."""
    where = f"{name}, sequence {sequence}"
    if not is_list(events):
        raise DataError(f"{where}: holds {described(events)}; expected a list of events")
    for i, event in enumerate(events):
        if not isinstance(event, dict) or TIMES not in event or TYPES not in event:
            raise DataError(
                f"{where}, event {i}: is {described(event)}; expected a mapping with {TIMES!r} and "
                f"{TYPES!r}"
            )
    return {key: [event[key] for event in events] for key in (TIMES, TYPES)}
