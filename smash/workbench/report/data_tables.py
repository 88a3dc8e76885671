"""Tables of what a run found out about its data and about the estimators."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from smash.workbench.report.audit_tables import audit_tables
from smash.workbench.report.display_tables import Column, Raw, Row, Table, filled
from smash.workbench.report.document import Text
from smash.workbench.report.labels import Units
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_groups import DataSet, Group
from smash.workbench.report.run_store import Store

SUMMARY, AUDIT, ESTIMATORS = "data/summary.csv", "data/audit.json", "scores/estimator_audit.json"
TIMES = {
    "test/sampling_seconds": "sampling (s)",
    "test/scoring_seconds": "scoring (s)",
    "time/seconds_per_batch": "s a batch",
    "time/seconds_per_block": "s a block",
    "time/samples_per_second": "samples/s",
}
SUMMARY_WORDS = {
    "split": "split",
    "sequences": "sequences",
    "events": "events",
    "targets": "targets",
    "shortest": "shortest",
    "longest": "longest",
    "median_gap": "median gap",
    "zero_gaps": "gaps of zero (%)",
    "dropped_sequences": "dropped sequences",
}


def data_audit(store: Store, data: DataSet, units: Units) -> Iterator[Text | Table]:
    """Yields warnings and what the run found out about its data; the splits at least."""
    run = data.runs[0]
    if (warnings := run.tags.get("data/warnings", "none")) != "none":
        yield Text(f"Warnings: {warnings}.")
    audit = store.json(run, AUDIT)
    try:
        tables = audit_tables(data, audit, units)
    except (KeyError, TypeError, StopIteration, AttributeError):  # logged by another version
        tables = []
    if tables:
        yield from tables
        return
    if audit is None:
        yield Text(f"No data audit ({AUDIT}) was logged with these runs.")
    else:
        yield Text(f"The data audit ({AUDIT}) of these runs is of another version.")
    summary = store.table(run, SUMMARY)
    if summary is not None:
        yield _summary(data, summary, units)


def estimator_audit(store: Store, data: DataSet, shown: Sequence[Group]) -> Iterator[Text | Table]:
    """Yields CS of a perfect forecaster, climatology and model under each estimator."""
    for group in shown:
        found = store.json(group.first, ESTIMATORS)
        rows = found.get("rows") if isinstance(found, Mapping) else None
        if not isinstance(rows, list) or not rows:
            continue
        columns = [
            Column("forecaster", "forecaster"),
            *(
                Column(key, words, factor=100, decimals=2)
                for key, words in (
                    ("cs_time", "CS time (%)"),
                    ("cs_time_original", "published estimator (%)"),
                    ("cs_space", "CS location (%)"),
                    ("cs_space_original", "published estimator (%)"),
                    ("floor", "CS floor (%)"),
                )
            ),
            Column("n", "events", decimals=0),
            Column("n_distinct", "distinct", decimals=0),
        ]
        yield filled(
            Table(
                f"{data.key}-estimators",
                f"What the estimators of CS give on {data.name}: a perfect forecaster should score "
                "the floor.",
                columns,
                [Row(_plain(row)) for row in rows if isinstance(row, Mapping)],
            )
        )
        return
    yield Text(f"No estimator audit ({ESTIMATORS}) was logged with these runs.")


def timings(data: DataSet) -> Table | None:
    """Returns seconds of sampling and scoring, and rates where they were measured; None: none."""
    runs = [(group.label, run) for group in data.groups for run in group.runs]
    runs += [(run.name, run) for run in data.others if any(k in run.metrics for k in TIMES)]
    rows = [
        Row({"what": label, "seed": run.params.get("seed"), **_times(run), **_device(run)})
        for label, run in runs
        if any(key in run.metrics for key in TIMES)
    ]
    if not rows:
        return None
    columns = [
        Column("what", "forecaster"),
        Column("seed", "seed"),
        *(Column(key, words) for key, words in TIMES.items()),
        Column("device", "device"),
    ]
    caption = f"Seconds that sampling and scoring the test set of {data.name} took."
    return filled(Table(f"{data.key}-times", caption, columns, rows))


def _times(run: Run) -> dict[str, Raw]:
    return {key: run.metrics.get(key) for key in TIMES}


def _device(run: Run) -> dict[str, Raw]:
    return {"device": run.tags.get("env/device_name")}


def _summary(data: DataSet, summary: pd.DataFrame, units: Units) -> Table:
    columns = []
    for name in (name for name in summary.columns if name in SUMMARY_WORDS):
        words = SUMMARY_WORDS[name]
        if name == "zero_gaps":
            columns.append(Column(name, words, factor=100, decimals=1))
        elif name == "median_gap":
            columns.append(Column(name, f"{words} ({units.time})"))
        else:
            columns.append(Column(name, words))
    rows = [Row(_plain(record)) for record in summary.to_dict("records")]
    return Table(f"{data.key}-data", f"The splits of {data.name}.", columns, rows)


def _plain(record: Mapping[Any, Any]) -> dict[str, Raw]:
    return {str(name): _words(value) for name, value in record.items()}


def _words(value: Any) -> Raw:
    """Returns numbers as they are and anything else as text."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_words(item)) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    return str(value)
