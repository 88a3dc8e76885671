"""The table that a report opens with: all forecasters, what they are worth, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value, filled
from smash.workbench.report.labels import SKILLS, Units, column
from smash.workbench.report.logged_comparison import Comparison, mean_ends
from smash.workbench.report.run_groups import DataSet, Group
from smash.workbench.report.score_tables import NAME, by_rank

FIGURES = ("event_log_loss", "cs_time", "cs_location")
"""Figures beside the skills, whose units no data set has of its own."""
SKILL_OF = {"time": "CRPS", "location": "energy score", "mark": "log loss"}
MARGINALS = "what history adds to the training data's marginals."
INTERVAL = "In brackets: 95 % interval, by bootstrap over groups of sequences that share no event, "
INTERVAL += "its ends averaged over seeds."


def overview(datasets: Sequence[DataSet], comparisons: Mapping[str, Comparison]) -> Table:
    """Returns skill, nats and calibration of every forecaster of the data sets, best model first.

    Models beyond the first dozen of a data set are in CSV alone.
    """
    ranked = [(data, by_rank(data)) for data in datasets]
    shown = [_row(data, group, comparisons) for data, (these, _) in ranked for group in these]
    hidden = [_row(data, group, comparisons) for data, (_, those) in ranked for group in those]
    about = [Column("data", "data")] if len(datasets) > 1 else []
    columns = [
        NAME,
        *about,
        Column("seeds", "seeds", decimals=0),
        Column("n_events", "events", decimals=0),
        *(skill_column(part) for part in SKILLS),
        *(column(figure, Units()) for figure in (*FIGURES, "cs_floor")),
    ]
    of = "" if about else f" on {datasets[0].name}"
    return filled(
        Table(
            "overview",
            f"All forecasters{of}.",
            columns,
            [*shown, *hidden],
            [
                f"{skill_note([*shown, *hidden])}{INTERVAL} ±: standard deviation over seeds. "
                "Best in bold, among rows of as many events. CS floor: what chance gives a perfect "
                "forecaster."
            ],
            len(shown),
        )
    )


def skill_note(rows: Sequence[Row]) -> str:
    """Returns what skill is, of the parts of a forecast in which rows have any; empty for none."""
    parts = [part for part in SKILLS if any(row.values.get(part) is not None for row in rows)]
    scores = [f"{SKILL_OF[part]} ({part})" for part in parts]
    said = ", ".join([*scores[:-2], " and ".join(scores[-2:])])
    return f"Skill: 1 − score / climatology's, of {said}; {MARGINALS} " if parts else ""


def skill_column(part: str) -> Column:
    """Returns the column of the skill in a part of the forecast."""
    return Column(part, f"skill in {part} (%)", 100, 1, "high", signed=True)


def _row(data: DataSet, group: Group, comparisons: Mapping[str, Comparison]) -> Row:
    about: dict[str, Raw] = {
        "forecaster": group.label + (", quick" if group.quick else ""),
        "data": data.name,
        "seeds": len(group.runs),
    }
    counts = {figure: group.mean(figure) for figure in ("n_events", "cs_floor")}
    skills = {part: skill(data, group, part, comparisons) for part in SKILLS}
    figures = {
        figure: with_interval(group.value(figure), group, comparisons, "figures", figure)
        for figure in FIGURES
    }
    return Row({**about, **counts, **skills, **figures}, f"{data.key} {group.contest}")


def skill(
    data: DataSet, group: Group, part: str, comparisons: Mapping[str, Comparison]
) -> Value | None:
    """Returns the skill in a part with its interval; None of climatology, which has none."""
    value = None if group.baseline == "climatology" else data.skill(group, SKILLS[part])
    return with_interval(None if value is None else Value(value), group, comparisons, "skill", part)


def with_interval(
    value: Value | None,
    group: Group,
    comparisons: Mapping[str, Comparison],
    kind: Literal["figures", "skill", "information_gain"],
    name: str,
) -> Value | None:
    """Returns a value with its 95 % interval, where each run of the group logged one."""
    logged = [comparisons.get(run.run_id) for run in group.runs]
    ends = mean_ends([getattr(one, kind).get(name) if one else None for one in logged])
    return value if value is None or ends is None else replace(value, low=ends[0], high=ends[1])
