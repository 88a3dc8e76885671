"""Makes a report of runs: smash report EXPERIMENT… or --run RUN_ID."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def main(
    experiments: Annotated[
        list[str] | None, typer.Argument(metavar="EXPERIMENT…", help="Experiments, by name or id.")
    ] = None,
    runs: Annotated[
        list[str] | None,
        typer.Option("--run", metavar="RUN_ID", help="A run and those below it; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; reports/out/… by default.")
    ] = None,
    attach: Annotated[
        bool, typer.Option(help="Keep the report of a single run with it in MLflow.")
    ] = True,
) -> None:
    """Write report.html and report.pdf on runs in MLflow, and each table as CSV and LaTeX.

    Example: smash report crime
    """
    from smash.errors import SmashError, SpecError, in_a_line

    try:
        if not experiments and not runs:
            raise SpecError("name an experiment, such as crime, or --run RUN_ID")
        from smash.workbench.report.output import check_place
        from smash.workbench.report.production import make_report

        if out is not None:
            check_place(out)
        made = make_report(experiments or (), runs or (), out, attached=attach)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{made.written.html}\n{made.written.pdf}")
    if made.attached is None and attach:
        typer.echo("a report on several runs is not kept with any; --run RUN_ID makes one's own")
    if made.attached:
        typer.echo(f"kept with the run {made.attached}")
