"""`smash contest ladder`: forecasters on simulated data whose law is known."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from smash.workbench.cli.name_list import name_list
from smash.workbench.runs.signals import Interruption, heeded

ROWS = Path("runs/ladders")
TABLE, FIGURE = Path("experiments/contests/ladders.csv"), Path("docs/ladders.png")
"""Endings of pictures."""


def ladder(
    ladders: Annotated[
        list[str] | None, typer.Argument(metavar="[LADDER]…", help="Which; left out: all.")
    ] = None,
    forecasters: Annotated[
        str, typer.Option(metavar="A,B,…", help="Beside oracle and climatology.")
    ] = "poisson,hawkes,mixture,etas",
    into: Annotated[
        Path, typer.Option(metavar="DIR", help="Where rows are kept, and found again.")
    ] = ROWS,
    figure: Annotated[
        Path, typer.Option(metavar="FILE", help="The picture, as PNG, PDF or SVG.")
    ] = FIGURE,
    table: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="What is drawn, as CSV; the page of contests is made of it."
        ),
    ] = TABLE,
    budget: Annotated[
        float, typer.Option(min=1, help="Processor seconds of a fit; it ends with what it has.")
    ] = 120,
    samples: Annotated[int, typer.Option(min=2, max=10_000, help="Draws an event.")] = 50,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of data, fits and draws.")] = 0,
) -> None:
    """Skill of forecasters against their distance from the law that is known, rung by rung.

    The data of a ladder differ in one thing alone: marks, excitation, entanglement of time and
    place, heterogeneity, seasonality, inhibition, ETAS.

    Example: smash contest ladder entanglement seasonality --figure ladders.png
    """
    from smash.baseline_names import is_plug_in
    from smash.errors import SmashError, in_a_line
    from smash.files import make_folder, replacing, write_text
    from smash.outputs import check_files, check_folder, check_picture
    from smash.plots.ladder_figure import ladder_figure
    from smash.simulate.ladders import LADDERS
    from smash.workbench.contests import ladder_contest
    from smash.workbench.contests.rivals_contest import Terms, held_contest
    from smash.workbench.report.display_tables import to_markdown
    from smash.workbench.runs import console

    named = tuple(ladders or LADDERS)
    asked = name_list(forecasters)
    references = (ladder_contest.ORACLE, ladder_contest.FLOOR)
    everyone = (*references, *(name for name in asked if name not in references))
    terms = Terms(seed, budget, samples=samples)
    interruption = Interruption(*heeded())
    try:
        check_folder("--into", into)
        check_files({"--figure": figure, "--table": table}, [into])
        check_picture("--figure", figure)
        data = ladder_contest.rung_names(named)
        with interruption.heard():
            rows = held_contest(data, everyone, terms, into, say=console.say, apart=is_plug_in)
        climbs = ladder_contest.climbs(rows)
        for path in (table, figure):
            make_folder(path.parent)
        write_text(table, climbs.to_csv(index=False))
        with replacing(figure) as beside:
            ladder_figure(climbs).savefig(beside, format=figure.suffix[1:], dpi=150)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        sys.exit(interruption.code)
    for name in named:
        typer.echo(to_markdown(ladder_contest.ladder_table(name, climbs)))
    typer.echo(f"{table}\n{figure}")
