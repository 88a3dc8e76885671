"""A report as one HTML page: no script, nothing fetched, light or dark as the reader has it."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from smash.workbench.report.display_tables import cells, numeric_columns
from smash.workbench.report.document import Report
from smash.workbench.report.svg import inline

TEMPLATES = Path(__file__).with_name("templates")


def to_html(report: Report, svgs: Mapping[str, str]) -> str:
    """Returns the page; `svgs` has the report's figures as SVG documents, by their keys."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "base64": _base64,
        "kind": lambda block: type(block).__name__,
        "cells": cells,
        "numeric": numeric_columns,
    }
    environment.filters |= filters
    pictures = {
        picture.key: Markup(inline(svgs[picture.key], picture.key, str(escape(picture.caption))))
        for picture in report.pictures()
    }
    return environment.get_template("report.html").render(report=report, pictures=pictures)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
