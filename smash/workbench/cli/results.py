"""`smash results`: scored runs kept as records, and docs/results.md made of them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

RECORDS, PAGE = Path("experiments/results"), Path("docs/results.md")
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keep scored runs as records, and make this repository's page of results of them.",
)


@app.command("record")
def record_command(
    experiments: Annotated[list[str], typer.Argument(metavar="EXPERIMENT…")],
    into: Annotated[Path, typer.Option(metavar="DIR")] = RECORDS,
) -> None:
    """Keep the scored runs of experiments in MLflow as JSON files.

    Example: smash results record crime crime-published
    """
    from smash.errors import SmashError
    from smash.workbench.pages.records import record
    from smash.workbench.report.run_store import open_store

    try:
        with open_store() as store:
            selection = store.select(experiments, ())
            paths = record(store, selection, into)
    except SmashError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    for note in selection.notes:
        typer.echo(f"note: {note}", err=True)
    for path in paths:
        typer.echo(path)


@app.command("write")
def write_command(
    records: Annotated[Path, typer.Option(metavar="DIR")] = RECORDS,
    out: Annotated[Path, typer.Option(metavar="FILE")] = PAGE,
) -> None:
    """Write the page of results from the recorded runs."""
    from smash.errors import SmashError
    from smash.files import write_text
    from smash.workbench.pages.results_page import page

    try:
        text = page(records)
    except SmashError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    write_text(out, text)
    typer.echo(out)
