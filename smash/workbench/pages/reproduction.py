"""The published figures of SMASH beside those of the runs that reproduce them.

`reproduction.csv` says of figures that are far from the published ones what was found to be why.
"""

import csv

from smash.shipped_files import shipped_root
from smash.workbench.pages.shipped_specs import departures
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value
from smash.workbench.report.labels import Units
from smash.workbench.report.published_rows import SOURCE, published_columns, published_smash
from smash.workbench.report.run_groups import DataSet, reproduced

FAR = 2.0
"""Published standard deviations beyond which a cell is marked."""


def reproduction(data: DataSet, units: Units) -> Table | None:
    """Returns a row a published figure of SMASH with ours beside it; None for other data.

    Ours are those of the experiment `football-published` and the like, under protocol original;
    where no run of it is recorded, the cells are empty and a note says so.
    """
    theirs = published_smash(data.name)
    if not theirs:
        return None
    spec = f"experiments/published/{data.name}.yaml"
    ours = reproduced(data)
    rows = []
    for shown in published_columns(data.name, units):
        found = None if ours is None else ours.value(shown.key)
        rows.append(_row(shown, theirs[shown.key], found))
    if ours is None:
        notes = [f"Ours: not run yet. No run of {spec} is recorded."]
    else:
        seeds = ", ".join(run.params.get("seed", "0") for run in ours.runs)
        notes = [f"Ours: {spec}, mean ± standard deviation over seeds ({seeds})."]
        notes += departures(ours, spec)
        notes += _reasons(data.name, rows)
    return Table(
        f"{data.key}-reproduction",
        f"The published figures of SMASH on {data.name} and ours, under the published estimators "
        "and protocol.",
        [
            Column("figure", "figure"),
            Column("published", "published"),
            Column("ours", "ours"),
            Column("difference", "difference (published sd)", decimals=1, signed=True),
            Column("far", f"beyond {FAR:.0f} sd"),
        ],
        rows,
        [*notes, f"Published: {SOURCE}."],
    )


def _reasons(dataset: str, rows: list[Row]) -> list[str]:
    """Returns why each figure beyond `FAR` is there, or that it was not found."""
    with (shipped_root() / "reports" / "reproduction.csv").open(encoding="utf-8") as lines:
        found = {(line["dataset"], line["figure"]): line["why"] for line in csv.DictReader(lines)}
    far = [row.values for row in rows if row.values.get("far") == "beyond"]
    return [
        f"{values['figure']}: {found.get((dataset, str(values['key'])), 'not explained yet.')}"
        for values in far
    ]


def _row(shown: Column, theirs: Value, ours: Value | None) -> Row:
    values: dict[str, Raw] = {
        "figure": shown.heading,
        "key": shown.key,
        "published": _scaled(theirs, shown),
    }
    if ours is not None and theirs.sd:
        difference = (ours.mean - theirs.mean) / theirs.sd
        values |= {
            "ours": _scaled(ours, shown),
            "difference": difference,
            "far": "beyond" if abs(difference) > FAR else "within",
        }
    return Row(values, None)


def _scaled(value: Value, shown: Column) -> Value:
    sd = None if value.sd is None else shown.factor * value.sd
    return Value(shown.factor * value.mean, sd, decimals=shown.decimals)
