"""`smash contest rivals` and `smash contest page`: all forecasters on one scale."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from smash.workbench.cli.name_list import name_list
from smash.workbench.runs.signals import Interruption, heeded

ROWS, PAGE = Path("experiments/contests"), Path("docs/contests.md")


def rivals(
    data: Annotated[
        list[str],
        typer.Option(metavar="A,B,…", help="Data sets: specs by name, or their files."),
    ],
    forecasters: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="Baselines, seahorse:PRESET, plug-ins, suggested, shipped, pretrained:NAME, a "
            "model's folder; left out: all that come with the code.",
        ),
    ] = "",
    into: Annotated[
        Path, typer.Option(metavar="DIR", help="Where rows are kept, and found again.")
    ] = ROWS,
    budget: Annotated[
        float, typer.Option(min=1, help="Processor seconds of a fit; it ends with what it has.")
    ] = 300,
    scoring: Annotated[
        float, typer.Option(min=1, help="Processor seconds after which a scoring is ended.")
    ] = 1800,
    samples: Annotated[int, typer.Option(min=2, max=10_000, help="Draws an event.")] = 300,
    events: Annotated[
        int, typer.Option(min=0, help="Test events, about, of evenly chosen sequences; 0: all.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of fits and draws.")] = 0,
    again: Annotated[bool, typer.Option(help="Tries those anew that have no figures.")] = False,
) -> None:
    """All forecasters on all data sets: nats by part, proper scores, processor seconds, memory.

    Each has a process of its own. One that fails, is not installed or has no density has a row that
    says why, and the others go on. Rows are kept: the same command goes on where it was stopped.

    Example: smash contest rivals --data crime,football --forecasters climatology,seahorse:rmtpp_gmm
    """
    from smash.errors import SmashError, in_a_line
    from smash.outputs import check_folder
    from smash.workbench.contests.contests_page import data_tables
    from smash.workbench.contests.rivals_contest import DEFAULT, Terms, held_contest
    from smash.workbench.report.display_tables import to_markdown
    from smash.workbench.runs import console

    names = name_list(",".join(data))
    asked = name_list(forecasters) or DEFAULT
    terms = Terms(seed, budget, scoring, samples, events)
    interruption = Interruption(*heeded())
    try:
        check_folder("--into", into)
        with interruption.heard():
            rows = held_contest(names, asked, terms, into, again, console.say)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        sys.exit(interruption.code)
    for table in data_tables(rows):
        typer.echo(to_markdown(table))


def page(
    records: Annotated[Path, typer.Option(metavar="DIR")] = ROWS,
    out: Annotated[Path, typer.Option(metavar="FILE")] = PAGE,
    table: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="All rows as CSV, unrounded.")
    ] = None,
) -> None:
    """Write the page of contests from the rows that are kept.

    Example: smash contest page
    """
    from smash.errors import SmashError, in_a_line
    from smash.files import write_text
    from smash.outputs import check_files
    from smash.workbench.contests.contest_rows import read_rows
    from smash.workbench.contests.contests_page import every_row, page_of
    from smash.workbench.report.display_tables import to_csv

    try:
        check_files({"--out": out, "--csv": table}, [records])
        write_text(out, page_of(records))
        if table is not None:
            write_text(table, to_csv(every_row(read_rows(records))))
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    typer.echo(out)
