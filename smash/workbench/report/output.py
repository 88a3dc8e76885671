"""A report written to a folder: page, PDF, and each table as CSV and LaTeX."""

from dataclasses import dataclass
from pathlib import Path

from smash.errors import SpecError
from smash.files import replacing
from smash.workbench.report.display_tables import to_csv, to_latex
from smash.workbench.report.document import Report
from smash.workbench.report.html import to_html
from smash.workbench.report.pdf import to_pdf
from smash.workbench.report.svg import to_svg

HTML, PDF = "report.html", "report.pdf"


@dataclass(frozen=True)
class Written:
    """Where a report lies."""

    folder: Path

    @property
    def html(self) -> Path:
        return self.folder / HTML

    @property
    def pdf(self) -> Path:
        return self.folder / PDF


def write_report(report: Report, folder: Path) -> Written:
    """Returns where the report now lies; what was there of an earlier one is replaced.

    Raises:
        SpecError: when nothing can be written there.
    """
    try:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"--out {folder}: cannot be written to ({error.strerror})") from error
    svgs = {picture.key: to_svg(picture.figure, picture.key) for picture in report.pictures()}
    _write(folder / HTML, to_html(report, svgs))
    with replacing(folder / PDF) as beside:
        to_pdf(report, svgs, beside)
    for table in report.tables():
        _write(folder / "tables" / f"{table.key}.csv", to_csv(table))
        _write(folder / "tables" / f"{table.key}.tex", to_latex(table))
    return Written(folder)


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
