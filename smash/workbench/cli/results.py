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
    from smash.errors import SmashError, in_a_line
    from smash.outputs import check_folder
    from smash.workbench.pages.records import record
    from smash.workbench.report.run_store import open_store

    try:
        check_folder("--into", into)
        with open_store() as store:
            selection = store.select(experiments, ())
            paths = record(store, selection, into)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    for note in selection.notes:
        typer.echo(f"note: {note}", err=True)
    for path in paths:
        typer.echo(path)


@app.command("nats")
def nats_command(
    records: Annotated[Path, typer.Option(metavar="DIR")] = RECORDS,
) -> None:
    """Show all recorded forecasters on all data sets, nats an event by part.

    Example: smash results nats
    """
    from smash.errors import SmashError, in_a_line
    from smash.workbench.pages.records import read_recorded
    from smash.workbench.pages.results_page import nats_of
    from smash.workbench.report.display_tables import to_markdown
    from smash.workbench.report.run_groups import arrange

    try:
        table = nats_of(arrange(read_recorded(records).runs))
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    if table is None:
        typer.echo(f"{records}: no run is recorded; record some: smash results record NAME")
    else:
        typer.echo(to_markdown(table))


@app.command("write")
def write_command(
    records: Annotated[Path, typer.Option(metavar="DIR")] = RECORDS,
    out: Annotated[Path, typer.Option(metavar="FILE")] = PAGE,
) -> None:
    """Write the page of results from the recorded runs, and beside it their ids and commands (CSV).

    Example: smash results write
    """
    from smash.errors import SmashError, in_a_line
    from smash.files import write_text
    from smash.outputs import check_files
    from smash.workbench.pages.results_page import page, runs_csv

    try:
        runs = out.with_suffix(".csv")
        check_files({"--out": out, "--out (CSV)": runs}, [records])
        write_text(out, page(records, runs.name))
        write_text(runs, runs_csv(records))
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    typer.echo(f"{out}\n{runs}")
