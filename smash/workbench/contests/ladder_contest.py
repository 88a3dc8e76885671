"""What forecasters make of data whose law is known, rung by rung."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from smash.errors import DataError, SpecError
from smash.simulate.ladders import LADDERS
from smash.workbench.contests.contest_rows import ContestRow
from smash.workbench.contests.grounds import LADDER, rung_name
from smash.workbench.report.display_tables import Column, Raw, Row, Table

ORACLE, FLOOR = "oracle", "climatology"
"""Those that all others are held against: who knows the law, who knows no history."""
COLUMNS = ("ladder", "rung", "value", "forecaster", "distance", "skill")


def rung_names(ladders: Sequence[str]) -> list[str]:
    """Returns the data sets of all rungs of ladders.

    Raises:
        SpecError: naming a ladder that there is not.
    """
    for name in ladders:
        if name not in LADDERS:
            raise SpecError(f"no ladder is called {name!r}; known are {', '.join(LADDERS)}")
    return [rung_name(name, i) for name in ladders for i in range(len(LADDERS[name].values))]


def climbs(rows: Iterable[ContestRow]) -> pd.DataFrame:
    """Returns a row for each forecaster on each rung where it and both references have figures.

    `distance`: nats an event more than the oracle's. `skill`: nats less than climatology's. Of time
    and place, but of the whole event on a ladder of marks.
    """
    losses: dict[tuple[str, int], dict[str, float]] = {}
    for row in rows:
        if row.asked.data.startswith(LADDER):
            _, ladder, number = row.asked.data.split(":")
            loss = _loss(row, LADDERS[ladder].marked)
            if loss is not None:
                losses.setdefault((ladder, int(number)), {})[row.asked.forecaster] = loss
    found = [
        {
            "ladder": ladder,
            "rung": number,
            "value": LADDERS[ladder].values[number],
            "forecaster": name,
            "distance": loss - each[ORACLE],
            "skill": each[FLOOR] - loss,
        }
        for (ladder, number), each in sorted(losses.items())
        if ORACLE in each and FLOOR in each
        for name, loss in each.items()
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def read_climbs(path: Path) -> pd.DataFrame:
    """Returns what `smash contest ladder` wrote.

    Raises:
        DataError: when the file is no such table.
    """
    try:
        found = pd.read_csv(path)
    except ValueError as error:
        raise DataError(f"{path}: no table of `smash contest ladder` ({error})") from error
    if tuple(found.columns) != COLUMNS or not set(found["ladder"]) <= set(LADDERS):
        raise DataError(f"{path}: no table of `smash contest ladder`; make it again")
    return found


def _loss(row: ContestRow, marked: bool) -> float | None:
    if marked and "mark_given_time_log_loss" not in row.figures:
        return None
    return row.figures.get("event_log_loss" if marked else "unmarked_log_loss")


def ladder_table(ladder: str, found: pd.DataFrame) -> Table:
    """Returns each forecaster's distance from the oracle, a column a rung of one ladder."""
    about, own = LADDERS[ladder], found[found["ladder"] == ladder]
    columns = [Column("forecaster", "forecaster")]
    columns += [
        Column(str(i), f"{value:g}", decimals=3, best="low") for i, value in enumerate(about.values)
    ]
    rows = []
    for name in sorted(set(own["forecaster"]) - {ORACLE}):
        of_one = own[own["forecaster"] == name]
        distances: dict[str, Raw] = {
            str(i): float(d) for i, d in zip(of_one["rung"], of_one["distance"], strict=True)
        }
        rows.append(Row({"forecaster": name} | distances))
    what = "the whole event" if about.marked else "time and place"
    caption = f"Ladder {ladder} ({about.meaning}): nats an event beyond the oracle, of {what}."
    return Table(f"ladder-{ladder}", caption, columns, rows)
