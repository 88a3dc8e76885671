"""The table of README: what recorded models and their rivals reached, on all data sets."""

from collections.abc import Sequence
from dataclasses import replace

from smash.workbench.pages.epochs import without_epochs
from smash.workbench.pages.records import Recorded
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value, filled
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.labels import Units, column
from smash.workbench.report.run_groups import DataSet, arrange, settings_of
from smash.workbench.report.score_tables import skills

TOTAL = "event_log_loss"


def rivals_table(recorded: Recorded) -> Table | None:
    """Returns skill and nats of every forecaster tested where test data chose nothing."""
    datasets = sorted(arrange(recorded.runs), key=lambda data: data.name)
    rows = [
        row
        for data in datasets
        for row in _rows(_named(without_epochs(data).under("strict")), recorded)
    ]
    if not rows:
        return None
    parts = ("time", "location", "mark")
    columns: Sequence[Column] = [
        Column("data", "data"),
        Column("forecaster", "forecaster"),
        *(Column(part, f"skill in {part} (%)", 100, 1, "high", True) for part in parts),
        replace(column(TOTAL, Units()), decimals=2),
    ]
    notes = [
        "Skill: 1 − score / climatology's, of CRPS (time), energy score (location) and log loss "
        "(mark), on test data that chose nothing; 0 is no better than ignoring history. The best "
        "of each data set is in bold."
    ]
    caption = "What forecasters know beyond the training data's marginals."
    return filled(Table("rivals", caption, columns, rows, notes))


def _rows(data: DataSet, recorded: Recorded) -> list[Row]:
    found = skills(data, recorded.comparisons) if data.groups else None
    nats = {group.label: group.mean(TOTAL) for group in data.groups}
    return [
        Row(
            {"data": data.name, **{k: _alone(v) for k, v in row.values.items()}}
            | {TOTAL: nats[str(row.values["forecaster"])]},
            data.name,
        )
        for row in (found.rows if found else ())
    ]


def _alone(value: Raw) -> Raw:
    """Returns a value without its spread or interval, for which there is no room."""
    return value.mean if isinstance(value, Value) else value


def _named(data: DataSet) -> DataSet:
    """Returns the data set with its models called by what they are."""
    named = (replace(group, label=model_name(settings_of(group.first))) for group in data.models)
    return replace(data, models=tuple(named))
