"""Files that hold whole sequences rather than a row an event, told apart by suffix and content."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from smash.data.json_sequences import SUFFIXES as JSON_SUFFIXES
from smash.data.json_sequences import json_events
from smash.data.npz import NAMES, npz_events
from smash.data.npz_arrays import array_names
from smash.data.npz_sequences import SPLITS, sequence_arrays, split_arrays
from smash.data.pickles import pickle_events
from smash.data.raw import ALL, RawEvents
from smash.data.tables import Table
from smash.errors import DataError
from smash.settings import Columns

PICKLE_SUFFIXES = (".pkl", ".pickle")
NPZ_SUFFIXES = (".npz",)
SUFFIXES = PICKLE_SUFFIXES + NPZ_SUFFIXES + JSON_SUFFIXES


def splits_within(path: Path) -> dict[str, RawEvents] | None:
    """Returns a file's events: `train`, `validation` and `test`, or `ALL`; None of a table.

    Raises:
        DataError: naming file, sequence and event of what is not an event.
    """
    suffix = path.suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        return pickle_events(path)
    if suffix in JSON_SUFFIXES:
        return {ALL: json_events(path)}
    return _npz(path) if suffix in NPZ_SUFFIXES else None


def events_within(path: Path, split: str) -> RawEvents | None:
    """Returns the events of a file that is named for one split; None of a table.

    Raises:
        DataError: as `splits_within`, and where the file holds splits and this one is none.
    """
    found = splits_within(path)
    if found is None:
        return None
    if ALL in found:
        return found[ALL]
    if split not in found:
        raise DataError(
            f"{path}: holds {', '.join(found)}; name it as data.path, or for one of these splits"
        )
    return found[split]


def as_table(path: Path, columns: Columns) -> tuple[Table, Columns] | None:
    """Returns a file's events as a table, a row an event, and its columns; None of a table.

    Splits are joined. Columns of places and times are called as `columns` says, so that these may
    be longitude and latitude.

    Raises:
        DataError: as `splits_within`, and where times do not rise or a number is not finite.
    """
    found = splits_within(path)
    if found is None:
        return None
    for events in found.values():
        replace(events, mark=None).build()
    parts = list(found.values())
    location = np.concatenate([events.location for events in parts])
    if not location.shape[1] or not columns.axes:
        columns = columns.without_places()
    lengths = np.concatenate([events.lengths for events in parts])
    named = replace(
        columns,
        mark=None if parts[0].mark is None else columns.mark or "mark",
        sequence=None if len(lengths) == 1 else columns.sequence or "sequence",
        split=None,
    )
    frame = pd.DataFrame(
        {
            named.time: np.concatenate([events.time for events in parts]),
            **dict(zip(named.axes, location.T, strict=False)),
        }
    )
    if named.sequence is not None:
        frame[named.sequence] = np.repeat(np.arange(len(lengths)), lengths)
    if named.mark is not None:
        frame[named.mark] = np.concatenate(
            [events.mark for events in parts if events.mark is not None]
        )
    notes = (
        ()
        if ALL in found
        else (f"the file's {', '.join(found)} are joined and split anew; data.path keeps them",)
    )
    return Table(frame, str(path), np.arange(len(frame)), "event", notes), named


def _npz(path: Path) -> dict[str, RawEvents]:
    inside = set(array_names(path))
    if inside.issuperset(SPLITS):
        return split_arrays(path)
    own = inside & set(NAMES) or not inside
    return {ALL: npz_events(path) if own else sequence_arrays(path)}
