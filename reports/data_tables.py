"""Tables of what a run found out about its data and about the estimators."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.document import Text
from reports.groups import DataSet, Group
from reports.store import Store
from reports.tables import Column, Raw, Row, Table, slug
from reports.words import Units

SUMMARY, AUDIT, ESTIMATORS = "data/summary.csv", "data/audit.json", "scores/estimator_audit.json"
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
    """Yields the sizes of the splits, warnings, and the audit's sections, each a table."""
    run = data.runs[0]
    if (warnings := run.tags.get("data/warnings", "none")) != "none":
        yield Text(f"Warnings: {warnings}.")
    summary = store.table(run, SUMMARY)
    if summary is not None:
        yield _summary(data, summary, units)
    audit = store.json(run, AUDIT)
    if isinstance(audit, Mapping):
        for name, section in audit.items():
            yield from _section(data, str(name), section)
    else:
        yield Text(f"No data audit ({AUDIT}) was logged with these runs.")


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
        yield Table(
            f"{data.key}-estimators",
            f"What the estimators of CS give on {data.name}: a perfect forecaster should score "
            "the floor.",
            columns,
            [Row(_plain(row)) for row in rows if isinstance(row, Mapping)],
        )
        return
    yield Text(f"No estimator audit ({ESTIMATORS}) was logged with these runs.")


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


def _section(data: DataSet, name: str, section: Any) -> Iterator[Text | Table]:
    """Yields a section of the audit: a list of records as they are, a mapping as names and values,
    nested mappings as a row each.
    """
    title = name.replace("_", " ")
    key, caption = f"{data.key}-audit-{slug(name)}", f"Data audit of {data.name}: {title}."
    if (
        isinstance(section, Mapping)
        and section
        and all(isinstance(value, Mapping) for value in section.values())
    ):
        section = [{title: inner, **values} for inner, values in section.items()]
    if isinstance(section, Mapping):
        section = [{"what": what, "value": value} for what, value in section.items()]
    if isinstance(section, list) and section and all(isinstance(r, Mapping) for r in section):
        rows = [Row(_plain(record), None) for record in section]
        names = list(dict.fromkeys(name for row in rows for name in row.values))
        columns = [Column(name, name.replace("_", " ")) for name in names]
        yield Table(key, caption, columns, rows)
    elif section not in (None, [], {}):
        yield Text(f"{title}: {_words(section)}")


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
