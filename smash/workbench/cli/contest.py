"""`smash contest`: public yardsticks, our rows beside the published ones."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smash.workbench.cli import contest_ladder, contest_rivals

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
        names = tuple(name.strip() for name in forecasters.split(",") if name.strip())

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
    days: Annotated[int, typer.Option(min=1, help="Days of the test, from its first.")] = 731,
    paths: Annotated[int, typer.Option(min=2, max=100_000, help="Catalogues a day.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    export: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Each day's catalogues, for pyCSEP.")
    ] = None,
) -> None:
    """CSEP's tests of ETAS' next-day forecasts: numbers, places, magnitudes, pseudo-likelihood.

    Each day is forecast at its midnight as simulated catalogues. Beside the share of days that pass
    each test at 5 % stands the p-value that the quantiles of all days are even.

    Example: smash contest next-day --folder data/catalogues --days 30
    """
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from smash.baselines import Etas
    from smash.errors import OutputError, SmashError, in_a_line
    from smash.outputs import check_folder
    from smash.workbench.contests import earthquakenpp as contests
    from smash.workbench.contests.next_day import forecast_days, summary, write_catalogues

    console = Console(highlight=False)
    try:
        if export is not None:
            check_folder("--export", export)
            if export.exists() and any(export.iterdir()):
                raise OutputError(f"--export {export}: is not empty; name a new folder")
            export.mkdir(parents=True, exist_ok=True)
        contest = contests.load(catalog, folder)
        etas = contests.fit("etas", contest)
        assert isinstance(etas, Etas)
        tests = []
        drawn = forecast_days(etas, contest, days, paths, seed)
        for number, day in enumerate(track(drawn, "days", total=days, console=console)):
            tests.append(day.tests)
            if export is not None:
                place = export / f"day_{number:04d}.csv"
                write_catalogues(day, contest.geography, contest.clock, place)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    table = Table("test", "days", "passed at 5 %", "p of even quantiles", title=f"etas, {catalog}")
    for name, row in summary(tests).iterrows():
        table.add_row(str(name), f"{row['days']:.0f}", f"{row['passed']:.3f}", f"{row['even']:.3g}")
    console.print(table)


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
