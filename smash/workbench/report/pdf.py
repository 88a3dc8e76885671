"""A report as PDF, set by Typst from a template that reads the report as data."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typst

from smash.workbench.report.display_tables import cells, numeric_columns
from smash.workbench.report.document import Block, Film, Listing, Picture, Report, Text
from smash.workbench.report.html import TEMPLATES

TEMPLATE = "report.typ"


def to_pdf(report: Report, svgs: Mapping[str, str], path: Path) -> None:
    """Writes the report to `path`; `svgs` has its figures as SVG documents, by their keys."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(TEMPLATES / TEMPLATE, folder)
        for number, picture in enumerate(report.pictures()):
            (folder / f"{number}.svg").write_text(svgs[picture.key], encoding="utf-8")
        files = {picture.key: f"{n}.svg" for n, picture in enumerate(report.pictures())}
        for film in report.films():
            files[film.key] = f"{len(files)}.gif"
            (folder / files[film.key]).write_bytes(film.gif)
        content = json.dumps(_content(report, files))
        (folder / "report.json").write_text(content, encoding="utf-8")
        path.write_bytes(typst.compile(folder / TEMPLATE, root=folder))


def _content(report: Report, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": report.title,
        "origin": report.origin,
        "verdicts": [asdict(verdict) for verdict in report.verdicts],
        "notes": report.notes,
        "sections": [
            {
                "title": section.title,
                "level": section.level,
                "blocks": [_block(block, files) for block in section.blocks],
            }
            for section in report.sections
        ],
    }


def _block(block: Block, files: Mapping[str, str]) -> dict[str, Any]:
    kind = {"kind": type(block).__name__}
    if isinstance(block, Text):
        return kind | {"text": block.text}
    if isinstance(block, Listing):
        return kind | {"title": block.title, "text": block.text}
    if isinstance(block, Picture | Film):
        return kind | {"caption": block.caption, "file": files[block.key]}
    rows = cells(block)
    return kind | {
        "caption": block.caption,
        "headings": [column.heading for column in block.columns],
        "rows": [[{"text": cell.text, "bold": cell.bold} for cell in row] for row in rows],
        "numeric": numeric_columns(block),
        "remarks": block.remarks(),
    }
