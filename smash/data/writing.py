"""Own data written: a table with a row an event (CSV, Parquet), or sequences (NPZ, JSON Lines).

What is written is read back by `smash.data.readers` as it was. Tables have the columns `time`, `x`,
`y`, `mark`, `sequence`, `window_start`, `window_end`, and `split` where there are several splits,
which the other kinds have no room for. Events without places have neither `x` and `y` nor
`location`. `.json` is EasyTPP's, which has no places and no windows.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.clock import Clock
from smash.data.easytpp import N_TYPES, TIMES, TYPES
from smash.data.events import EventSequences
from smash.data.names import is_whole
from smash.data.readers import OwnSplits
from smash.data.windows import WINDOW_COLUMNS
from smash.errors import OutputError
from smash.files import replacing
from smash.settings import MOST_MARKS

TABLES = (".csv", ".parquet")
EASYTPP = ".json"
SEQUENCES = (".npz", ".jsonl", EASYTPP)


def write_events(path: Path, own: OwnSplits) -> tuple[str, ...]:
    """Writes own data as the suffix of `path` says, and returns notes on what a reader must know.

    Raises:
        OutputError: when the suffix is unknown, several splits do not fit, or nothing can be
            written there.
    """
    suffix, splits = path.suffix.lower(), own.events
    check_suffix(path)
    if suffix in SEQUENCES and len(splits) > 1:
        raise OutputError(
            f"{path}: a file of this kind has one split, and there are {', '.join(splits)}; choose "
            f"one (--only), or write a table ({', '.join(TABLES)})"
        )
    if suffix == EASYTPP:
        _check_easytpp(path, splits)
    with replacing(path) as written:
        if suffix in TABLES:
            _table_writers()[suffix](event_table(own), written)
            return ()
        [events] = splits.values()
        if suffix == ".npz":
            with written.open("wb") as file:
                np.savez(file, **_arrays(events, own.mark_names))
        elif suffix == EASYTPP:
            listed = _easytpp(events, len(own.mark_names))
            written.write_text(json.dumps(listed) + "\n", encoding="utf-8")
        else:
            number = _mark_numbers(own.mark_names)
            with written.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in _lines(events, number))
    return _notes(own, numbered=suffix in (".jsonl", EASYTPP))


def check_suffix(path: Path) -> None:
    """Checks that the suffix is one of those that are written.

    Raises:
        OutputError: naming those.
    """
    if path.suffix.lower() not in TABLES + SEQUENCES:
        raise OutputError(f"{path}: name a file that ends in {', '.join(TABLES + SEQUENCES)}")


def _table_writers() -> dict[str, Callable[[pd.DataFrame, Path], Any]]:
    return {
        ".csv": lambda table, path: table.to_csv(path, index=False),
        ".parquet": lambda table, path: table.to_parquet(path, index=False),
    }


def event_table(own: OwnSplits) -> pd.DataFrame:
    """Returns a row an event, with the columns above; times as the clock of `own` writes them."""
    return pd.concat(_frames(own), ignore_index=True)


def _frames(own: OwnSplits) -> Iterator[pd.DataFrame]:
    """Yields the rows of each split; sequences are counted over all of them."""
    first = 0
    for split, events in own.events.items():
        sequence, names, clock = events.sequence, WINDOW_COLUMNS, own.clock
        columns: dict[Any, Any] = {
            names.sequence: sequence + first,
            names.time: clock.times(events.time),
            **dict(zip(names.axes, events.location.T, strict=False)),
            names.window_start: clock.times(events.window[sequence, 0]),
            names.window_end: clock.times(events.window[sequence, 1]),
        }
        if events.mark is not None:
            columns[names.mark] = _named(events, own.mark_names)
        if events.magnitude is not None:
            columns[names.magnitude] = events.magnitude
        if events.history is not None:
            columns[names.history] = events.event < events.n_history[sequence]
        if len(own.events) > 1:
            columns[names.split] = split
        first += len(events)
        yield pd.DataFrame(columns)


def _named(events: EventSequences, mark_names: tuple[str, ...]) -> Any:
    """Returns (E,) the marks by name, or their numbers where they have none."""
    if not mark_names:
        return events.mark
    return np.array(mark_names)[events.mark]


def _arrays(events: EventSequences, mark_names: tuple[str, ...]) -> Mapping[str, Any]:
    marks = {} if events.mark is None else {"mark": _named(events, mark_names)}
    return {
        "time": events.time,
        **({"location": events.location} if events.n_axes else {}),
        "lengths": events.lengths,
        "window": events.window,
        **marks,
    }


def _mark_numbers(names: tuple[str, ...]) -> NDArray[np.int64]:
    """Returns the number that each mark is written as: the one it spells, where all do."""
    spelled = all(map(is_whole, names)) and bool(names)
    return np.array([int(float(name)) for name in names] if spelled else range(MOST_MARKS))


def _lines(events: EventSequences, number: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Yields an object a sequence; marks are numbers, which is what others take."""
    for i, (start, end) in enumerate(zip(events.offsets[:-1], events.offsets[1:], strict=True)):
        marks = {} if events.mark is None else {"marks": number[events.mark[start:end]].tolist()}
        yield {
            "times": events.time[start:end].tolist(),
            **({"locations": events.location[start:end].tolist()} if events.n_axes else {}),
            **marks,
            "window_start": float(events.window[i, 0]),
            "window_end": float(events.window[i, 1]),
        }


def _check_easytpp(path: Path, splits: Mapping[str, EventSequences]) -> None:
    """Checks that nothing is lost in a file of EasyTPP's without a word.

    Raises:
        OutputError: when events have places, or a past that is history alone.
    """
    for events in splits.values():
        if events.n_axes:
            raise OutputError(
                f"{path}: a .json file is EasyTPP's, whose events have no places; leave them out "
                "(--no-places), or write .jsonl"
            )
        if events.history is not None:
            raise OutputError(
                f"{path}: a .json file is EasyTPP's, which knows no events that are history alone; "
                f"write a table ({', '.join(TABLES)})"
            )


def _easytpp(events: EventSequences, n_names: int) -> list[dict[str, Any]]:
    """Returns an object a sequence; unmarked events are all of type 0."""
    mark = np.zeros(events.n_events, np.int64) if events.mark is None else events.mark
    n_types = max(n_names, int(mark.max()) + 1)
    bounds = zip(events.offsets[:-1], events.offsets[1:], strict=True)
    return [
        {
            N_TYPES: n_types,
            "seq_idx": i,
            "seq_len": int(end - start),
            TIMES: events.time[start:end].tolist(),
            "time_since_last_event": [0.0, *np.diff(events.time[start:end]).tolist()],
            TYPES: mark[start:end].tolist(),
        }
        for i, (start, end) in enumerate(bounds)
    ]


def _notes(own: OwnSplits, numbered: bool) -> tuple[str, ...]:
    clock: Clock = own.clock
    notes = [f"times are {clock.unit} since {clock.origin}"] if clock.origin else []
    if numbered and not all(map(is_whole, own.mark_names)):
        named = ", ".join(f"{number} {name!r}" for number, name in enumerate(own.mark_names))
        notes.append(f"marks are numbers: {named}")
    return tuple(notes)
