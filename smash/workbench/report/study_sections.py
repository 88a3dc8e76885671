"""The part on a study: its best trials beside the published setting, its course, its slices."""

from collections.abc import Iterator

import pandas as pd

from smash.errors import SpecError
from smash.workbench.report.display_tables import Column, Row, Table, slug
from smash.workbench.report.document import Block, Picture, Section
from smash.workbench.report.figures import plain_label, search_history, search_slices
from smash.workbench.report.labels import FIGURES
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_store import Store
from smash.workbench.specs import strict_yaml

TRIALS, STUDY = "trials.parquet", "study.yaml"
MOST_TRIALS = 10
PREFIX = "validation/"


def search_sections(store: Store, study: Run, notes: list[str]) -> Iterator[Section]:
    """Yields the section of a study; none, with a note, where it logged no trials."""
    trials = store.table(study, TRIALS)
    if trials is None or "state" not in trials:
        notes.append(f"The study {study.name} ({study.run_id}) has logged no trials yet.")
        return
    goals = [name for name in _goals(store, study) if PREFIX + name in trials]
    blocks: list[Block] = [_trials_table(study, trials, goals)]
    for goal in goals:
        blocks += _pictures(study, trials[trials["state"] == "complete"], goal)
    yield Section(f"Search: {study.name}", tuple(blocks))


def _goals(store: Store, study: Run) -> list[str]:
    """Returns the figures that a study searched by, as its spec has them."""
    try:
        spec = strict_yaml.parse(store.text(study, STUDY) or "", STUDY)
        return [str(name) for name in spec["goal"]["figures"]]
    except (SpecError, KeyError, TypeError):
        return ["relative_score"]


def _pictures(study: Run, done: pd.DataFrame, goal: str) -> Iterator[Picture]:
    known = done[done[PREFIX + goal].notna()]
    if known.empty:
        return
    key = f"{_key(study)}-{slug(goal)}"
    label = plain_label(goal.replace("_", " "))
    upwards = _upwards(goal)
    yield Picture(
        f"{key}-history",
        f"Course of the study {study.name}: {label} of each complete trial on validation data, "
        f"{'higher' if upwards else 'lower'} is better.",
        search_history(known, PREFIX + goal, label, upwards),
    )
    settings = {name: plain_label(name) for name in _settings(known)}
    if settings:
        yield Picture(
            f"{key}-slices",
            f"{label.capitalize()} of the trials of {study.name} by each setting that varied.",
            search_slices(known, PREFIX + goal, label, settings),
        )


def _trials_table(study: Run, trials: pd.DataFrame, goals: list[str]) -> Table:
    counted = ", ".join(f"{n} {state}" for state, n in trials["state"].value_counts().items())
    done = trials[trials["state"] == "complete"]
    if goals:
        done = done.sort_values(PREFIX + goals[0], ascending=not _upwards(goals[0]))
    columns = [
        Column("trial", "trial", decimals=0),
        Column("note", "note"),
        *(Column(name, name.rpartition(".")[2]) for name in _settings(trials)),
        *(
            Column(PREFIX + goal, goal.replace("_", " "), best="high" if _upwards(goal) else "low")
            for goal in goals
        ),
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
        ["Test data were not touched."],
        most=MOST_TRIALS,
    )


def _key(study: Run) -> str:
    return f"{slug(study.name)}-{study.run_id[:8]}"


def _settings(trials: pd.DataFrame) -> list[str]:
    """Returns the columns of what varied: keys of specs, which have a dot."""
    return [name for name in trials.columns if "." in name and "/" not in name]


def _upwards(goal: str) -> bool:
    return goal in FIGURES and FIGURES[goal].best == "high"


def _plain(value: object) -> str | float | int | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return None if pd.isna(value) else value
    return None if value is None else str(value)
