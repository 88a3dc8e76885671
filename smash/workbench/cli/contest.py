"""`smash contest`: public yardsticks, our rows beside the published ones."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smash.workbench.cli import contest_ladder, contest_rivals
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


@app.command("next-day")
def next_day(
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the catalogue's file lies.")
    ],
    catalog: Annotated[str, typer.Option(help="Which catalogue: sanjac.")] = "sanjac",
    forecasters: Annotated[
        str, typer.Option(metavar="A,B,…", help="Fitted here: etas, etas_even, poisson, hawkes.")
    ] = "etas",
    model: Annotated[
        list[str] | None, typer.Option(help="A kept model's folder; may be given several times.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days of the test, from its first.")] = 731,
    paths: Annotated[int, typer.Option(min=2, max=100_000, help="Catalogues a day.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the draws.")] = 0,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Each forecaster's catalogues, a day a file of pyCSEP."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Summaries and each day's tests as JSON.")
    ] = None,
) -> None:
    """CSEP's tests of next-day forecasts: numbers, places, magnitudes, pseudo-likelihood.

    Each day is forecast at its midnight as simulated catalogues. Beside the share of days that pass
    each test at 5 % stands the p-value that the quantiles of all days are even, and the CRPS of the
    number of events, which is a proper score: a vague forecast passes tests, too.

    Example: smash contest next-day --folder data/catalogues --days 30
    """
    from rich.console import Console
    from rich.progress import track

    import smash
    from smash.errors import SmashError, in_a_line
    from smash.files import write_json
    from smash.outputs import check_files
    from smash.workbench.contests import earthquakenpp as contests
    from smash.workbench.contests import next_day as days_of

    console = Console(highlight=False)
    found: dict[str, list[days_of.DayScores]] = {}
    try:
        if out is not None:
            check_files({"--out": out}, [folder])
        if export is not None:
            _check_empty(export)
        contest = contests.load(catalog, folder)
        entrants: dict[str, days_of.Entrant] = {}
        for name in name_list(forecasters):
            console.print(f"forecaster {name}", markup=False)
            entrants[name] = days_of.Entrant.of(contests.fit(name, contest), contest)
        for path in model or ():
            entrants[path] = days_of.Entrant.of_model(smash.load(path), contest)
        for number, (name, entrant) in enumerate(entrants.items()):
            held = found[name] = []
            drawn = days_of.forecast_days(entrant, contest, days, paths, seed)
            for day in track(drawn, "days", total=days, console=console):
                if export is not None:
                    place = export / f"forecaster_{number}" / f"day_{len(held):04d}.csv"
                    place.parent.mkdir(exist_ok=True)
                    days_of.write_catalogues(day, contest.clock, place)
                held.append(day.scores())
            console.print(_days_table(f"{name}: {days} days of {catalog}", held))
        if out is not None:
            write_json(out, days_of.record(catalog, paths, seed, found))
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)


def _check_empty(folder: Path) -> None:
    """Makes the folder, which must be new or empty."""
    from smash.errors import OutputError
    from smash.outputs import check_folder

    check_folder("--export", folder)
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"--export {folder}: is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)


def _days_table(title: str, days: Any) -> "Table":
    from rich.table import Table

    from smash.workbench.contests.next_day import numbers, summary

    table = Table("test", "days", "passed at 5 %", "p of even quantiles", title=title)
    for name, row in summary([day.tests for day in days]).iterrows():
        table.add_row(str(name), f"{row['days']:.0f}", f"{row['passed']:.3f}", f"{row['even']:.3g}")
    of_number = numbers(days)
    table.caption = (
        f"events a day: {of_number['observed']:.2f} came, {of_number['forecast']:.2f} forecast; "
        f"CRPS of the number {of_number['crps']:.3f}"
    )
    return table


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
