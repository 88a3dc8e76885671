"""What became of a table's rows: kept, or left out and why; carried along with its windows."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from smash.data.raw import reading

KEY = b"smash.tally"
"""Of the metadata of a Parquet file of windows."""
PARQUET_SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True)
class LeftOut:
    """What was left out for one reason: `parts` (sequences, windows) and the `rows` lost by it."""

    what: str
    parts: int
    rows: int

    def __str__(self) -> str:
        return f"{self.parts} {self.what} left out: {self.rows} of the table's rows"


@dataclass(frozen=True)
class Tally:
    """What became of `read` rows: `kept` of them and those of `left_out` add up to it.

    `repeated` counts what overlapping windows hold beyond `kept`: an event of three windows is
    kept once and repeated twice. `split` says how the splits were made.
    """

    read: int
    kept: int
    left_out: tuple[LeftOut, ...] = ()
    repeated: int = 0
    split: str = ""

    def notes(self) -> tuple[str, ...]:
        """Returns in words what was left out and what is repeated; nothing where all is kept."""
        notes = [str(part) for part in self.left_out]
        if notes:
            lost = sum(part.rows for part in self.left_out)
            notes.append(f"rows: {self.read} read = {self.kept} kept + {lost} left out")
        if self.repeated:
            times = 1 + self.repeated / self.kept
            notes.append(
                f"windows overlap: each event kept stands in {times:.1f} of them on average, so "
                f"{self.kept} events make {self.kept + self.repeated} rows"
            )
        return tuple(notes)


def count(
    n_rows: int, kept: Sequence[NDArray], left_out: Sequence[tuple[str, Sequence[NDArray]]]
) -> Tally:
    """Returns the tally of rows 0, 1, … of which windows hold `kept`, reason by reason.

    A row in several parts is counted once: as kept where any part of it was, else for the first
    reason that concerns it.
    """
    held = np.zeros(n_rows, dtype=bool)
    for rows in kept:
        held[rows] = True
    n_kept, found = int(held.sum()), []
    for what, parts in left_out:
        before = int(held.sum())
        for rows in parts:
            held[rows] = True
        if parts:
            found.append(LeftOut(what, len(parts), int(held.sum()) - before))
    return Tally(n_rows, n_kept, tuple(found), sum(map(len, kept)) - n_kept)


def with_left_out(tally: Tally, before: Sequence[LeftOut]) -> Tally:
    """Returns the tally of a table of which rows had been left out `before` they were counted."""
    read = tally.read + sum(part.rows for part in before)
    return replace(tally, read=read, left_out=(*before, *tally.left_out))


def merged(left_out: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
    """Returns what was left out with one entry a reason."""
    found: dict[str, LeftOut] = {}
    for part in left_out:
        before = found.get(part.what, LeftOut(part.what, 0, 0))
        found[part.what] = LeftOut(part.what, before.parts + part.parts, before.rows + part.rows)
    return tuple(found.values())


def write_windows(table: pd.DataFrame, tally: Tally, path: Path) -> None:
    """Writes windows as Parquet, with the tally in the file's metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), KEY: json.dumps(asdict(tally)).encode()}
    pq.write_table(arrow.replace_schema_metadata(metadata), path)


def read_tally(path: Path) -> Tally | None:
    """Returns the tally of a Parquet file of windows; None where a file has none.

    Raises:
        DataError: when the file or its tally cannot be read.
    """
    if path.suffix.lower() not in PARQUET_SUFFIXES:
        return None
    with reading(path, "a Parquet table with a tally of its rows"):
        text = (pq.read_schema(path).metadata or {}).get(KEY)
        return None if text is None else _tally(json.loads(text))


def _tally(found: Any) -> Tally:
    parts = tuple(
        LeftOut(str(part["what"]), int(part["parts"]), int(part["rows"]))
        for part in found["left_out"]
    )
    numbers = (int(found[key]) for key in ("read", "kept", "repeated"))
    read, kept, repeated = numbers
    return Tally(read, kept, parts, repeated, str(found["split"]))
