"""The table of README: what recorded models and their rivals reached, on all data sets."""

from collections.abc import Sequence
from dataclasses import replace

from smash.workbench.pages.epochs import without_epochs
from smash.workbench.pages.records import Recorded
from smash.workbench.report.display_tables import Column, Raw, Row, Table, filled
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.labels import SKILLS, Units, column
from smash.workbench.report.overview_table import skill, skill_column, skill_note
from smash.workbench.report.run_groups import DataSet, arrange, settings_of

TOTAL = "event_log_loss"


def rivals_table(recorded: Recorded) -> Table | None:
    """Returns skill and nats of every forecaster tested where test data chose nothing."""
    datasets = sorted(arrange(recorded.runs), key=lambda data: data.name)
    rows = [
        row
        for data in datasets
        for row in _rows(named(without_epochs(data).under("strict")), recorded)
    ]
    if not rows:
        return None
    columns: Sequence[Column] = [
        Column("data", "data"),
        Column("forecaster", "forecaster"),
        *map(skill_column, SKILLS),
        replace(column(TOTAL, Units()), decimals=2),
    ]
    notes = [
        f"{skill_note(rows)}On test data that chose nothing. The best of each data set is in bold."
    ]
    caption = "What forecasters know beyond the training data's marginals."
    return filled(Table("rivals", caption, columns, rows, notes))


def _rows(data: DataSet, recorded: Recorded) -> list[Row]:
    rows = []
    for group in data.groups:
        values: dict[str, Raw] = {"data": data.name, "forecaster": group.label}
        for part in SKILLS:
            known = skill(data, group, part, recorded.comparisons)
            values[part] = known and known.mean  # for spread and interval there is no room
        if any(values[part] is not None for part in SKILLS):
            rows.append(Row(values | {TOTAL: group.mean(TOTAL)}, data.name))
    return rows


def named(data: DataSet) -> DataSet:
    """Returns the data set with its models called by what they are."""
    named = (replace(group, label=model_name(settings_of(group.first))) for group in data.models)
    return replace(data, models=tuple(named))
