"""All recorded forecasters on all data sets: nats an event by part, or why there are none."""

from collections.abc import Iterable

from smash.scores.bootstrap import LOSSES
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value
from smash.workbench.report.labels import Units, column
from smash.workbench.report.run_groups import DataSet, Group, settings_of

MATCHED = "none: score matching"
SCORED_PLACES = "none: places by score"
UNMARKED = "none: no marks"
TOO_OLD = "not recorded"
OTHER = "none: see notes"
TIME_AND_MARK = ("time_log_loss", "mark_given_time_log_loss")
PARTS = tuple(loss for loss in LOSSES if loss != "time_mark_log_loss")


def nats_table(datasets: Iterable[DataSet]) -> Table | None:
    """Returns a row for each forecaster of each data set, None where nothing was tested.

    Every cell holds the mean −log density of the part, or the reason why it is not known.
    """
    notes = [
        "Nats an event, in the data's units; lower is better. Whole event: the sum of the first "
        "three parts; time and place: with the mark summed out, so that marked and unmarked "
        "forecasters meet.",
        f"“{MATCHED}”: the model knows no density of data without noise. “{SCORED_PLACES}”: the "
        f"location is known by its score alone. “{TOO_OLD}”: the run is of before its kind had "
        "this figure; run and record it again.",
    ]
    rows = []
    for data in datasets:
        for group in data.groups:
            about: dict[str, Raw] = {
                "data": data.name,
                "forecaster": group.label,
                "protocol": group.first.protocol,
                "n_events": group.mean("n_events"),
            }
            cells = {part: _cell(data, group, part) for part in PARTS}
            rows.append(Row(about | cells, None))
            if (lacking := group.first.tags.get("lacking")) and OTHER in cells.values():
                notes.append(f"{group.label} on {data.name}: {lacking}.")
    if not rows:
        return None
    columns = [
        Column("data", "data"),
        Column("forecaster", "forecaster"),
        Column("protocol", "protocol"),
        Column("n_events", "events", decimals=0),
        *(column(part, Units()) for part in PARTS),
    ]
    caption = "All forecasters on all data sets: mean −log density by part."
    return Table("nats", caption, columns, rows, tuple(dict.fromkeys(notes)))


def _cell(data: DataSet, group: Group, part: str) -> Value | str:
    """Returns a part's nats with as many decimals whatever the data set, or why there are none."""
    value = group.value(part) or _derived(group, part)
    if value is not None:
        return Value(value.mean, value.sd, decimals=3)
    if part == "mark_given_time_log_loss" and group.value("accuracy") is None:
        return UNMARKED
    if group.baseline or "pool" in group.first.tags:
        return OTHER if "lacking" in group.first.tags else TOO_OLD
    settings = settings_of(group.first)
    if settings.get("objective.kind") == "score_matching":
        return MATCHED
    if settings.get("model.location_law") == "score" and part not in TIME_AND_MARK:
        return SCORED_PLACES
    return TOO_OLD


def _derived(group: Group, part: str) -> Value | None:
    """Returns the difference of two sums that were recorded before their parts were."""
    whole, rest = {
        "mark_given_time_log_loss": ("time_mark_log_loss", "time_log_loss"),
        "place_log_loss": ("event_log_loss", "time_mark_log_loss"),
    }.get(part, (part, part))
    both, one = group.mean(whole), group.mean(rest)
    return None if whole == rest or both is None or one is None else Value(both - one)
