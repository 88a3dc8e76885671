"""The tables of futures against what happened: their number and pattern, and event by event."""

from smash.forecast.horizon_figures import COST, STEPS, THRESHOLDS
from smash.workbench.report.display_tables import Column, Row, Table, filled
from smash.workbench.report.labels import Units
from smash.workbench.report.run_groups import DataSet
from smash.workbench.report.score_tables import NAME

SHOWN_STEPS = (1, STEPS)
"""Of the next events, those whose errors are shown."""


def futures(data: DataSet, units: Units) -> Table | None:
    """Returns how many events came, and in which pattern, None where none were rolled out."""
    return _table(
        data,
        "futures",
        f"Futures on {data.name} against what happened, over windows rolling along the test data.",
        [
            Column("n_windows", "windows", decimals=0),
            Column("crps_count", "CRPS of the count", best="low"),
            Column("energy_pattern", "energy score of the pattern", best="low"),
            Column("relative_count", "forecast / happened", decimals=2),
            Column("coverage_count_90", "90 % coverage (%)", factor=100, decimals=1),
            Column("cs_count", "CS of the count (%)", factor=100, decimals=2),
            Column("cs_count_floor", "floor (%)", factor=100, decimals=2),
        ],
        "Count: events until the horizon. Pattern: counts in cells of "
        + ("space and time." if units.location_names else "time."),
    )


def horizon(data: DataSet, units: Units) -> Table | None:
    """Returns how near the next events came one by one, None where none were rolled out."""
    steps = [
        Column(f"{part}_error_{step}", f"{part} error, {_nth(step)} event ({unit})", *shown)
        for part, unit, shown in (
            ("time", units.time, (1.0, None, "low")),
            ("location", units.location, (1.0, None, "low")),
            ("mark", "%", (100.0, 1, "low")),
        )
        for step in SHOWN_STEPS
    ]
    thresholds = ", ".join(f"{100 * share:g}" for share in THRESHOLDS)
    return _table(
        data,
        "horizon",
        f"The next events on {data.name} one by one, over the same windows.",
        [
            *steps,
            Column("transport_distance", f"transport distance ({units.time})", best="low"),
            Column("mark_count_error", "error of mark counts", best="low"),
            Column("tmap", "T-mAP (%)", factor=100, decimals=2, best="high"),
        ],
        "Of the sequence that the futures stand for: its k-th event comes at the median of theirs. "
        f"Transport distance: of the next {STEPS} events, where one too few or too many costs "
        f"{100 * COST:g} % of the horizon. T-mAP: temporal mean average precision over marks and "
        f"thresholds of {thresholds} % of the horizon.",
    )


def _nth(step: int) -> str:
    return "next" if step == 1 else f"{step}th"


def _table(data: DataSet, key: str, caption: str, columns: list[Column], note: str) -> Table | None:
    found = {group.label: group.values("futures/") for group in data.groups}
    wanted = {column.key for column in columns}
    rows = [
        Row({"forecaster": label, **values})
        for label, values in found.items()
        if wanted & values.keys()
    ]
    if not rows:
        return None
    return filled(Table(f"{data.key}-{key}", caption, [NAME, *columns], rows, [note]))
