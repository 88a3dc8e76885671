"""Tables as data, and their writers: CSV, Markdown, LaTeX, and cells for the HTML and PDF pages.

A table is rows of raw values under columns that say how to show them:

    table = Table("scores", "Scores on the test set", [Column("name", "forecaster"), ...], rows)
    print(to_markdown(table))
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from smash.spreadsheets import plain_cell

PLUS_MINUS, EMPTY = "±", "–"
DIGITS = 4
"""Significant digits of a column's largest value; all its values get the same decimals."""


@dataclass(frozen=True)
class Value:
    """A number with its standard deviation over seeds, or the ends of an interval around it.

    `decimals` are its own, where rows of a column have different units.
    """

    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    decimals: int | None = None


Raw: TypeAlias = str | float | int | Value | None


@dataclass(frozen=True)
class Column:
    """One column: its key in rows and CSV, its heading, and how its numbers are shown.

    Numbers are multiplied by `factor` and rounded to `decimals`; None: as many as the largest
    value needs. `best` says which end is set in bold.
    """

    key: str
    heading: str
    factor: float = 1.0
    decimals: int | None = None
    best: Literal["low", "high"] | None = None
    signed: bool = False


@dataclass(frozen=True)
class Row:
    """Values by column key. Rows of one `contest` compete for bold; None stays out of it."""

    values: Mapping[str, Raw]
    contest: str | None = ""


@dataclass(frozen=True)
class Table:
    """A captioned table; `key` names its files, `notes` stand below it.

    Only the first `most` rows are shown; CSV has them all.
    """

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=tuple)
    most: int = 40

    def remarks(self) -> list[str]:
        """Returns the notes, and how many rows are not shown."""
        hidden = len(self.rows) - self.most
        more = f"{hidden} more rows are in {self.key}.csv." if hidden > 0 else None
        return [*self.notes, *([more] if more else [])]


@dataclass(frozen=True)
class Cell:
    """What a cell shows."""

    text: str
    bold: bool = False
    number: bool = False

    @property
    def wrapping(self) -> str:
        """The text that where there is no room for a line breaks before an interval alone."""
        return (
            self.text.replace(" ", "\u00a0").replace("\u00a0(", " (") if self.number else self.text
        )


def slug(text: str) -> str:
    """Returns a name for files: letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "unnamed"


def cells(table: Table) -> list[list[Cell]]:
    """Returns the shown cells, a list a row; the best of each contest in bold, ties included."""
    shown = [_column_cells(column, table.rows)[: table.most] for column in table.columns]
    return [list(row) for row in zip(*shown, strict=True)]


def filled(table: Table) -> Table:
    """Returns the table without the columns in which no row has a value."""
    used = [c for c in table.columns if any(r.values.get(c.key) is not None for r in table.rows)]
    return replace(table, columns=used)


def to_csv(table: Table) -> str:
    """Returns raw, unrounded values; deviations and intervals in columns of their own.

    Text is as a spreadsheet may show it (see `smash.spreadsheets`).
    """
    parts = {
        column.key: [
            part
            for part in ("sd", "low", "high")
            if any(_part(row.values.get(column.key), part) is not None for row in table.rows)
        ]
        for column in table.columns
    }
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [name for key, more in parts.items() for name in _csv_names(key, more)]
    writer.writerow(map(_plain, names))
    for row in table.rows:
        writer.writerow(
            [
                _plain(_part(row.values.get(key), part))
                for key, more in parts.items()
                for part in ("mean", *more)
            ]
        )
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """Returns a GitHub table, its caption in bold above it and its notes below."""
    headings = [_markdown(column.heading) for column in table.columns]
    numeric = numeric_columns(table)
    lines = [
        "| " + " | ".join(headings) + " |",
        "|" + "|".join("---:" if number else "---" for number in numeric) + "|",
    ]
    for row in cells(table):
        texts = (f"**{_markdown(c.text)}**" if c.bold else _markdown(c.text) for c in row)
        lines.append("| " + " | ".join(texts) + " |")
    notes = [f"\n{_markdown(note)}" for note in table.remarks()]
    return "\n".join([f"**{_markdown(table.caption)}**", "", *lines, *notes]) + "\n"


def to_latex(table: Table) -> str:
    """Returns a `table` environment for the package booktabs."""
    numeric = numeric_columns(table)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex_escape(table.caption)}}}",
        rf"  \label{{tab:{table.key}}}",
        rf"  \begin{{tabular}}{{{''.join('r' if number else 'l' for number in numeric)}}}",
        r"    \toprule",
        "    " + " & ".join(latex_escape(c.heading) for c in table.columns) + r" \\",
        r"    \midrule",
    ]
    for row in cells(table):
        texts = (_latex_cell(cell) for cell in row)
        lines.append("    " + " & ".join(texts) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    lines += [rf"  \par\footnotesize {latex_escape(note)}" for note in table.remarks()]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    PLUS_MINUS: r"$\pm$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
}


def latex_escape(text: str) -> str:
    """Returns text that LaTeX prints as it stands, on one line."""
    return "".join(LATEX.get(character, character) for character in _one_line(text))


def _column_cells(column: Column, rows: Sequence[Row]) -> list[Cell]:
    raw = [row.values.get(column.key) for row in rows]
    decimals = column.decimals
    if decimals is None:
        decimals = decimals_for([column.factor * v.mean for v in map(_value, raw) if v])
    best = _best(column, rows, decimals)
    found = []
    for row, entry in zip(rows, raw, strict=True):
        value = _value(entry)
        if value is None:
            found.append(Cell(EMPTY if entry is None else _one_line(str(entry))))
            continue
        key = _rounded(value.mean, column.factor, decimals)
        bold = row.contest is not None and best.get(row.contest) == key
        own = decimals if value.decimals is None else value.decimals
        found.append(Cell(_shown(value, column, own), bold, number=True))
    return found


def _best(column: Column, rows: Sequence[Row], decimals: int) -> dict[str, float]:
    """Returns the best shown value of each contest with two rows or more."""
    if column.best is None:
        return {}
    contests: dict[str, list[float]] = {}
    for row in rows:
        value = _value(row.values.get(column.key))
        if value is not None and row.contest is not None and math.isfinite(value.mean):
            shown = _rounded(value.mean, column.factor, decimals)
            contests.setdefault(row.contest, []).append(shown)
    choose = min if column.best == "low" else max
    return {contest: choose(v) for contest, v in contests.items() if len(v) > 1}


def _value(raw: Raw) -> Value | None:
    """Returns a number as a Value; None for text and for nothing."""
    if isinstance(raw, Value):
        return raw
    return Value(float(raw)) if isinstance(raw, (int, float)) else None


def decimals_for(shown: Sequence[float]) -> int:
    """Returns the decimals that give the largest number `DIGITS` digits; 0 for whole numbers."""
    sizes = [abs(v) for v in shown if math.isfinite(v) and v != 0]
    if not sizes or all(float(v).is_integer() for v in sizes):
        return 0
    return min(8, max(0, DIGITS - 1 - math.floor(math.log10(max(sizes)))))


def _rounded(value: float, factor: float, decimals: int) -> float:
    return round(factor * value, decimals)


def _shown(value: Value, column: Column, decimals: int) -> str:
    text = _number(column.factor * value.mean, decimals, column.signed)
    if value.sd is not None and math.isfinite(value.sd):
        text += f" {PLUS_MINUS} {_number(column.factor * value.sd, decimals)}"
    if value.low is not None and value.high is not None:
        ends = (_number(column.factor * end, decimals, column.signed) for end in _ends(value))
        text += f" ({' to '.join(ends)})"
    return text


def _ends(value: Value) -> tuple[float, float]:
    assert value.low is not None
    assert value.high is not None
    return value.low, value.high


def _number(value: float, decimals: int, signed: bool = False) -> str:
    if math.isnan(value):
        return "not a number"
    if math.isinf(value) or abs(value) > 1e300:  # MLflow gives infinity back as the largest float
        return "∞" if value > 0 else "−∞"
    text = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    return text.replace(",", "\u202f").replace("-", "−")


def numeric_columns(table: Table) -> list[bool]:
    """Returns for each column whether it shows numbers."""
    columns = zip(*cells(table), strict=True) if table.rows else ([] for _ in table.columns)
    return [any(cell.number for cell in column) for column in columns]


def _csv_names(key: str, parts: Sequence[str]) -> list[str]:
    return [key, *(f"{key}_{part}" for part in parts)]


def _part(raw: Raw, part: str) -> Raw:
    if isinstance(raw, Value):
        return getattr(raw, part)
    return raw if part == "mean" else None


def _plain(raw: Raw) -> str:
    """Returns a cell of CSV, whose text may not become a formula nor break the line."""
    return "" if raw is None else _one_line(plain_cell(str(raw)))


def _one_line(text: str) -> str:
    """Returns text with line breaks and other control characters as blanks."""
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text)


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|$~])", r"\\\1", _one_line(text))


def _latex_cell(cell: Cell) -> str:
    text = latex_escape(cell.text).replace("\u202f", r"\,")
    return rf"\textbf{{{text}}}" if cell.bold else text
