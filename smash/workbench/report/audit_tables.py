"""Tables of a data audit (`smash.data.audit`), as a run logged it."""

from collections.abc import Mapping, Sequence
from typing import Any

from smash.data.audit import SIZES, row_counts
from smash.workbench.report.display_tables import Column, Row, Table, Value, decimals_for
from smash.workbench.report.labels import Units
from smash.workbench.report.run_groups import DataSet

CHANCE = "_chance"
"""Ends the names of distances that chance stays below (`smash.data.drift`)."""


def audit_tables(data: DataSet, audit: Mapping[str, Any], units: Units) -> list[Table]:
    """Returns rows, sizes, gaps, marks, drift and shared events, resolution; each a table.

    Raises:
        KeyError, TypeError, StopIteration, AttributeError: when this is not such an audit.
    """
    marks = [_marks(data, audit["marks"])] if any(audit["marks"].values()) else []
    return [
        *([_rows(data, audit["rows"])] if "rows" in audit else []),  # not in older audits
        _sizes(data, audit["sizes"]),
        _gaps(data, audit["gaps"], units),
        *marks,
        _drift(data, audit),
        _resolution(data, audit["resolution"], units),
    ]


def mark_names(audit: Any) -> list[str]:
    """Returns the names of marks that an audit holds, none where it holds none."""
    try:
        return list(audit["marks"]["train"])
    except (KeyError, TypeError):
        return []


def _rows(data: DataSet, counts: Mapping[str, Any]) -> Table:
    rows = [Row({"what": what, "rows": number}) for what, number in row_counts(counts)]
    columns = [Column("what", "what"), Column("rows", "rows", decimals=0)]
    caption = f"Rows of {data.name}: those read are those kept and those left out."
    return Table(f"{data.key}-rows", caption, columns, rows)


def _sizes(data: DataSet, sizes: Mapping[str, Any]) -> Table:
    rows = [
        Row({"what": words, **{split: found.get(key) for split, found in sizes.items()}}, None)
        for key, words in SIZES.items()
    ]
    caption = f"Sizes of the splits of {data.name}, windows that overlap counted apart."
    return _table(data, "sizes", caption, rows, sizes, decimals=0)


def _gaps(data: DataSet, gaps: Mapping[str, Any], units: Units) -> Table:
    rows = [_shares("exactly 0 (%)", {split: gap["zero_share"] for split, gap in gaps.items()})]
    for key in (key for key in next(iter(gaps.values())) if key != "zero_share"):
        words = f"{key[1:]} % quantile" if key[0] == "q" else key.replace("_", " ")
        decimals = decimals_for([gap[key] for gap in gaps.values()])
        values = {split: Value(gap[key], decimals=decimals) for split, gap in gaps.items()}
        rows.append(Row({"what": f"{words} ({units.time})", **values}))
    return _table(data, "gaps", f"Gaps between events of {data.name}.", rows, gaps)


def _marks(data: DataSet, marks: Mapping[str, Any]) -> Table:
    names = mark_names({"marks": marks})
    rows = [_shares(name, {split: of.get(name) for split, of in marks.items()}) for name in names]
    return _table(data, "marks", f"Shares of the marks of {data.name} (%).", rows, marks)


def _drift(data: DataSet, audit: Mapping[str, Any]) -> Table:
    drift = audit["drift"]
    names = dict(zip(("x", "y"), list(audit["resolution"])[2:], strict=False))
    rows = [
        Row(
            {
                "what": _distance(what, names),
                **{split: found.get(what) for split, found in drift.items()},
            }
        )
        for what in next(iter(drift.values()))
    ]
    columns = [
        Column("what", "what"),
        *(Column(split, f"train to {split}", decimals=3) for split in drift),
    ]
    shared = (f"{pair['distinct_targets']} in {pair['splits']}" for pair in audit["shared"])
    return Table(
        f"{data.key}-drift",
        f"Drift between the splits of {data.name}: Kolmogorov-Smirnov distance of gap and "
        "coordinates, total variation of marks; 0 for equal laws, 1 at most. Below each, what 95 % "
        "of splits of one law stay below.",
        columns,
        rows,
        [f"Distinct targets that two splits share: {', '.join(shared)}."],
    )


def _distance(key: str, names: Mapping[str, str]) -> str:
    what = key.removesuffix(CHANCE)
    what = names.get(what, what)
    return f"distance of {what}" if not key.endswith(CHANCE) else f"chance alone, {what}"


def _resolution(data: DataSet, cells: Mapping[str, Any], units: Units) -> Table:
    rows = []
    for what, cell in cells.items():
        if what != "gap_lattice":
            unit = units.time if what == "gap" else units.location
            shown = f"{cell:.4g} {unit}" if cell else "none seen"
            rows.append(Row({"what": what, "cell": shown}))
    columns = [Column("what", "what"), Column("cell", "cell")]
    caption = f"Cells that the values of {data.name} look rounded to."
    return Table(f"{data.key}-resolution", caption, columns, rows)


def _shares(words: str, shares: Mapping[str, float | None]) -> Row:
    """Returns a row of per cents."""
    values = {n: None if v is None else Value(100 * v, decimals=1) for n, v in shares.items()}
    return Row({"what": words, **values})


def _table(
    data: DataSet,
    key: str,
    caption: str,
    rows: Sequence[Row],
    splits: Mapping[str, Any],
    decimals: int | None = None,
) -> Table:
    columns = [Column("what", "what"), *(Column(name, name, decimals=decimals) for name in splits)]
    return Table(f"{data.key}-{key}", caption, columns, rows)
