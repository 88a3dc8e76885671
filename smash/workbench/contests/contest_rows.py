"""Rows of a contest as they are kept: a JSON file for each forecaster on each data set."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from smash.errors import DataError
from smash.files import make_folder, write_json

FORMAT = 1


@dataclass(frozen=True)
class Asked:
    """What a row depends on besides code and machine.

    `budget` and `scoring`: processor seconds that fit and scoring may take. `events`: targets that
    were asked for, 0 for all; `samples`: draws of each. `digests`: SHA-256 of spec and events.
    """

    data: str
    forecaster: str
    seed: int
    budget: float
    scoring: float
    samples: int
    events: int
    digests: Mapping[str, str]


@dataclass(frozen=True)
class ContestRow:
    """What a forecaster scored, or the `reason` why it did not.

    `figures` by their stable names (`smash.scores.summary`); `lacking` says which densities it has
    not and why. `fit_seconds`, `score_seconds`: of the processor; `megabytes`: the most memory its
    process held. `units` of time and places; `environment`: commit, versions, machine.
    """

    asked: Asked
    figures: Mapping[str, float] = field(default_factory=dict)
    lacking: str = ""
    reason: str = ""
    fit_seconds: float | None = None
    score_seconds: float | None = None
    megabytes: float | None = None
    units: tuple[str, str] = ("", "")
    environment: Mapping[str, str] = field(default_factory=dict)


def path_of(asked: Asked, folder: Path) -> Path:
    """Returns the file that a row is kept in."""
    name = f"{asked.data}--{asked.forecaster}"
    return folder / ("".join(c if c.isalnum() or c in "-_." else "." for c in name) + ".json")


def keep(row: ContestRow, folder: Path) -> None:
    """Writes a row to its file."""
    write_json(path_of(row.asked, make_folder(folder)), {"format": FORMAT} | asdict(row))


def kept(asked: Asked, folder: Path) -> ContestRow | None:
    """Returns the row that is kept for the very same, None where there is none.

    Raises:
        DataError: when its file is no row.
    """
    path = path_of(asked, folder)
    row = _read(path) if path.exists() else None
    return row if row is not None and row.asked == asked else None


def read_rows(folder: Path) -> list[ContestRow]:
    """Returns all rows that are kept in a folder, in the order of their files' names.

    Raises:
        DataError: naming a file that is no row.
    """
    return [_read(path) for path in sorted(folder.glob("*--*.json"))]


def _read(path: Path) -> ContestRow:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        asked = Asked(**found.pop("asked"))
        units = tuple(found.pop("units"))
        return ContestRow(asked, units=units, **found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: no row of a contest ({error}); delete it and run the contest again"
        ) from error


def by_data(rows: Iterable[ContestRow]) -> dict[str, list[ContestRow]]:
    """Returns rows by data set, in order of names."""
    found: dict[str, list[ContestRow]] = {}
    for row in rows:
        found.setdefault(row.asked.data, []).append(row)
    return dict(sorted(found.items()))
