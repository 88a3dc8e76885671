"""The part on a study: its best trials beside the published setting, and its course."""

from collections.abc import Iterator

import pandas as pd

from reports.document import Block, Section
from reports.drawn import Picture
from reports.figures import plain_label, search_history
from reports.runs import Run
from reports.store import Store
from reports.tables import Column, Row, Table, slug

TRIALS = "trials.parquet"
MOST_TRIALS = 10


def search_sections(store: Store, study: Run, notes: list[str]) -> Iterator[Section]:
    """Yields the section of a study; none, with a note, where it logged no trials."""
    trials = store.table(study, TRIALS)
    if trials is None or "state" not in trials:
        notes.append(f"The study {study.name} ({study.run_id}) has logged no trials yet.")
        return
    goals = [name for name in trials.columns if name.startswith("validation/")]
    goal = _goal(study, goals)
    blocks: list[Block] = [_trials_table(study, trials, goal)]
    if goal is not None:
        figure = search_history(trials, goal, plain_label(f"{goal} (lower is better)"))
        if figure is not None:
            caption = f"Course of the study {study.name}: {goal} of each trial on validation data."
            blocks.append(Picture(f"{_key(study)}-history", caption, figure))
    yield Section(f"Search: {study.name}", tuple(blocks))


def _key(study: Run) -> str:
    return f"{slug(study.name)}-{study.run_id[:8]}"


def _goal(study: Run, goals: list[str]) -> str | None:
    first = "validation/relative_score"
    return first if first in goals else next(iter(goals), None)


def _trials_table(study: Run, trials: pd.DataFrame, goal: str | None) -> Table:
    states = trials["state"].value_counts()
    counted = ", ".join(f"{n} {state}" for state, n in states.items())
    done = trials[trials["state"] == "complete"]
    if goal is not None:
        done = done.sort_values(goal)
    settings = [name for name in trials.columns if "." in name and "/" not in name]
    columns = [
        Column("trial", "trial", decimals=0),
        Column("note", "note"),
        *(Column(name, name) for name in settings),
        *([Column(goal, goal, best="low")] if goal else []),
        *([Column("seconds", "seconds", decimals=0)] if "seconds" in trials else []),
    ]
    rows = [
        Row(
            {str(name): _plain(value) for name, value in record.items()}
            | {"note": "published setting" if record.get("published") else ""}
        )
        for record in done.to_dict("records")
    ]
    return Table(
        f"{_key(study)}-trials",
        f"Trials of the study {study.name} on validation data, best first ({counted}).",
        columns,
        rows,
        most=MOST_TRIALS,
    )


def _plain(value: object) -> str | float | int | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return None if pd.isna(value) else value
    return None if value is None else str(value)
