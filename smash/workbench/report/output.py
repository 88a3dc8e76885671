"""A report written to a folder: page, PDF, and each table as CSV and LaTeX."""

from dataclasses import dataclass
from pathlib import Path

from smash.errors import OutputError
from smash.files import replacing, write_text
from smash.outputs import check_files, check_folder
from smash.workbench.report.display_tables import to_csv, to_latex
from smash.workbench.report.document import Report
from smash.workbench.report.html import to_html
from smash.workbench.report.pdf import to_pdf
from smash.workbench.report.svg import to_svg

HTML, PDF = "report.html", "report.pdf"
MARK = b'<meta name="generator" content="SMASH workbench">'
"""How a page is told from somebody else's, in its first bytes."""
HEAD = 2000


@dataclass(frozen=True)
class Written:
    """Where a report lies; `files` are those it is made of, below `folder`."""

    folder: Path
    files: tuple[str, ...] = ()

    @property
    def html(self) -> Path:
        return self.folder / HTML

    @property
    def pdf(self) -> Path:
        return self.folder / PDF


def check_place(folder: Path) -> None:
    """Checks, before a report is made, that it can be written to a folder that a user named.

    Raises:
        OutputError: when it cannot, or a page there is somebody else's.
    """
    check_folder("--out", folder)
    check_files({"--out (page)": folder / HTML, "--out (PDF)": folder / PDF})
    check_folder("--out (tables)", folder / "tables")
    page = folder / HTML
    there = [path for path in (page, folder / PDF) if path.exists()]
    if there and not (page.exists() and MARK in page.read_bytes()[:HEAD]):
        raise OutputError(
            f"--out {folder}: holds {there[0].name}, which is not known as a report of this "
            "workbench and would be lost; name another folder, or move it away"
        )


def write_report(report: Report, folder: Path) -> Written:
    """Returns where the report now lies; what was there of an earlier one is replaced.

    Raises:
        OutputError: when nothing can be written there.
    """
    svgs = {picture.key: to_svg(picture.figure, picture.key) for picture in report.pictures()}
    tables = {f"tables/{table.key}": table for table in report.tables()}
    write_text(folder / HTML, to_html(report, svgs))
    with replacing(folder / PDF) as beside:
        to_pdf(report, svgs, beside)
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", to_csv(table))
        write_text(folder / f"{name}.tex", to_latex(table))
    both = [f"{name}.{kind}" for name in tables for kind in ("csv", "tex")]
    return Written(folder, (HTML, PDF, *both))
