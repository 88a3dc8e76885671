"""Hints about old names of keys, as a line on the terminal."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer


@contextmanager
def hints_shown() -> Iterator[None]:
    """Writes the hint about each key under its old name to standard error, as one line."""
    from smash.workbench.specs.renamed_keys import RenamedKey

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is RenamedKey:
            typer.echo(f"note: {message}", err=True)
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("default", RenamedKey)
        warnings.showwarning = show
        yield
