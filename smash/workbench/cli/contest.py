"""`smash contest`: public yardsticks, our rows beside the published ones."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smash.workbench.cli import contest_ladder, contest_next_day, contest_rivals
from smash.workbench.cli.name_list import name_list

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hold forecasters against published ones, by others' data, splits and figures.",
)


@app.callback()
def _contests() -> None:
    """Hold forecasters against published ones, by others' data, splits and figures."""


app.command("rivals")(contest_rivals.rivals)
app.command("ladder")(contest_ladder.ladder)
app.command("page")(contest_rivals.page)
app.command("next-day")(contest_next_day.next_day)


@app.command()
def earthquakenpp(
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the catalogue's file lies.")
    ],
    catalog: Annotated[str, typer.Option(help="Which catalogue: sanjac.")] = "sanjac",
    forecasters: Annotated[
        str, typer.Option(metavar="A,B,…", help="Fitted here: poisson, etas_even, etas, hawkes.")
    ] = "poisson,etas_even,etas",
    model: Annotated[
        list[str] | None, typer.Option(help="A kept model's folder; may be given several times.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Rows as JSON.")] = None,
) -> None:
    """Log likelihood of time and place of EarthquakeNPP's test events, and what others published.

    Information gains are nats an event more than a rival's, with 95 % intervals of resampled weeks.

    Example: smash contest earthquakenpp --catalog sanjac --folder data/catalogues
    """
    from rich.console import Console

    import smash
    from smash.errors import SmashError, in_a_line
    from smash.files import write_json
    from smash.outputs import check_files
    from smash.workbench.contests import earthquakenpp as contests

    console = Console(highlight=False)
    try:
        if out is not None:
            check_files({"--out": out}, [folder])
        contest = contests.load(catalog, folder)
        models = {path: smash.load(path) for path in model or ()}
        names = name_list(forecasters)

        def say(name: str) -> None:
            console.print(f"forecaster {name}", markup=False)

        found = contests.held(contest, names, models, say)
        if out is not None:
            write_json(out, _plain(found))
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    n_targets = int(contest.test.is_target.sum())
    console.print(_table(f"{catalog}: {n_targets} test events", found, contests.published(catalog)))
    for note in contest.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    for row in found:
        if row.reason:
            console.print(f"note: {row.name}: {row.reason}", markup=False, soft_wrap=True)
    console.print(f"note: published: {contests.SOURCE}", markup=False, soft_wrap=True)


def _table(title: str, found: Iterable[Any], published: Iterable[Any]) -> "Table":
    from rich.table import Table

    rivals = ("poisson", "etas_even", "etas")
    table = Table("nats an event", title=title, title_justify="left")
    for heading in ("time", "space", "sum", *(f"gain over {name}" for name in rivals)):
        table.add_column(heading, justify="right")
    for row in found:
        gains = [(row.gain or {}).get(name) for name in rivals]
        cells = [
            "" if g is None else f"{g.difference:+.3f} [{g.low:+.3f}, {g.high:+.3f}]" for g in gains
        ]
        table.add_row(row.name, *_figures(row), *cells)
    for row in published:
        table.add_row(f"published {row.name}", *_figures(row))
    return table


def _figures(row: Any) -> tuple[str, str, str]:
    if row.time is None:
        return ("none", "none", "none")
    return (f"{row.time:.4f}", f"{row.space:.4f}", f"{row.time + row.space:.4f}")


def _plain(found: Iterable[Any]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(row) for row in found]
