"""EasyTPP's files: times and types of events, which have no places.

JSON holds an object a sequence with the lists `time_since_start` and `type_event`; a pickle holds
`{"dim_process": K, split: sequences}`, each event a mapping of its own. They are read and checked,
and refused with what they lack.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from smash.data.plain_values import described, floats, is_list
from smash.data.raw import RawEvents, reading
from smash.errors import DataError

TIMES, TYPES = "time_since_start", "type_event"
SPLITS = ("train", "dev", "test")


def refuse_pickled(path: Path, content: Mapping[Any, Any]) -> NoReturn:
    """Raises the error that says what an EasyTPP pickle lacks, or what is wrong with it.

    Raises:
        DataError: always.
    """
    found = next((split for split in SPLITS if is_list(content.get(split))), None)
    if "dim_process" not in content or found is None:
        keys = ", ".join(repr(key)[:40] for key in list(content)[:20]) or "none"
        raise DataError(
            f"{path}: holds a dict with the keys {keys}; expected a list of sequences, each a "
            "list of events [time, mark, x, y] or [time, x, y]"
        )
    with reading(path, "an EasyTPP pickle"):
        _check_size(content[found], path)
        sequences = [_columns(events, i, path) for i, events in enumerate(content[found])]
    refuse_without_places(path, sequences)


def refuse_without_places(path: Path, sequences: Iterable[tuple[Any, Any]]) -> NoReturn:
    """Raises the error that says that times and types of M sequences lack places.

    Raises:
        DataError: always; naming sequence and event where a time or type is not right.
    """
    times, types = [], []
    for number, (time, kind) in enumerate(sequences):
        where = f"{path}, sequence {number}"
        for values, key in ((time, TIMES), (kind, TYPES)):
            if not isinstance(values, list):
                raise DataError(f"{where}: {key!r} holds {described(values)}; expected a list")
        if len(time) != len(kind):
            raise DataError(
                f"{where}: {len(time)} times and {len(kind)} types; give each event both"
            )
        times.append(floats(time, "time", where))
        types.append(floats(kind, "type", where))
    lengths = np.array([len(time) for time in times], dtype=np.int64)
    n_events = int(lengths.sum())
    if n_events:
        nowhere = np.zeros((n_events, 2))
        time, mark = np.concatenate(times), np.concatenate(types)
        RawEvents(str(path), time, nowhere, mark, lengths).build()
    raise DataError(
        f"{path}: {n_events} events of {len(lengths)} sequences with times and types, as EasyTPP "
        "keeps them, and without places; an event here has a time and a place (x and y), and "
        "perhaps a mark. Give places, or use data that have them"
    )


def _check_size(sequences: Any, path: Path) -> None:
    """Refuses a file whose parts refer to each other to become far larger in memory than it is."""
    room = path.stat().st_size
    if len(sequences) + sum(len(events) for events in sequences if is_list(events)) > room:
        raise DataError(f"{path}: has more events than bytes, as it repeats its own parts")


def _columns(events: Any, sequence: int, path: Path) -> tuple[list[Any], list[Any]]:
    where = f"{path}, sequence {sequence}"
    if not is_list(events):
        raise DataError(f"{where}: holds {described(events)}; expected a list of events")
    for i, event in enumerate(events):
        if not isinstance(event, dict) or TIMES not in event or TYPES not in event:
            raise DataError(
                f"{where}, event {i}: is {described(event)}; expected a mapping with {TIMES!r} and "
                f"{TYPES!r}"
            )
    return [event[TIMES] for event in events], [event[TYPES] for event in events]
