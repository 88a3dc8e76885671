"""The published rows, which stand only beside figures of the published estimators.

`published.csv` is table 1 of Li, Xu, Xu, Mei, Zhao and Zha, "Beyond Point Prediction: Score
Matching-based Pseudolikelihood Estimation of Neural Marked Spatio-Temporal Point Process", ICML
2024 (arXiv 2310.16310): means and standard deviations over their runs, CS, accuracy and ECE in per
cent. Its columns have the names of the figures that compare with them.
"""

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

from smash.workbench.report.display_tables import Column, Row, Value
from smash.workbench.report.labels import FIGURES, Units, column

SOURCE = "Li et al., ICML 2024 (arXiv 2310.16310), table 1"
ESTIMATED_ALIKE = (
    "cs_time_original",
    "mae_time",
    "cs_location_original",
    "mae_location",
    "accuracy_original",
    "ece",
)
"""Our figures whose estimator is the published one."""


def published_rows(dataset: str, contest: str) -> list[Row]:
    """Returns a data set's published rows, which compete in `contest`; none for other data."""
    return [_row(record, contest) for record in _records(dataset)]


def published_smash(dataset: str) -> dict[str, Value]:
    """Returns the published figures of SMASH by name; none for other data."""
    own = (r for r in _records(dataset) if r["method"] == "SMASH")
    return next((_figures(record) for record in own), {})


def published_datasets() -> list[str]:
    """Returns the data sets with published rows."""
    return sorted({record["dataset"] for record in _table()})


def published_columns(dataset: str, units: Units) -> list[Column]:
    """Returns the columns that compare with published ones, with the decimals of the latter."""
    columns = [column(figure, units) for figure in ESTIMATED_ALIKE]
    decimals = [
        max((len(r[c.key].partition(".")[2]) for r in _records(dataset)), default=c.decimals)
        for c in columns
    ]
    return [replace(c, decimals=n) for c, n in zip(columns, decimals, strict=True)]


@cache
def _table() -> list[dict[str, str]]:
    with Path(__file__).with_name("published.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _records(dataset: str) -> list[dict[str, str]]:
    return [record for record in _table() if record["dataset"] == dataset]


def _row(record: dict[str, str], contest: str) -> Row:
    return Row({"forecaster": f"{record['method']}, published", **_figures(record)}, contest)


def _figures(record: dict[str, str]) -> dict[str, Value]:
    figures: dict[str, Value] = {}
    for figure in ESTIMATED_ALIKE:
        if record[figure]:
            factor = 100 if FIGURES[figure].unit == "percent" else 1
            mean, sd = (float(record[name]) / factor for name in (figure, f"{figure}_sd"))
            figures[figure] = Value(mean, sd)
    return figures
