"""`smash contest next-day`: CSEP's tests of next days, of one's own or a published catalogue."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smash.workbench.cli.name_list import name_list

if TYPE_CHECKING:
    from rich.table import Table


def next_day(
    spec: Annotated[
        Path | None,
        typer.Argument(
            help="Your own catalogue: the spec that `smash data check --targets-from` wrote."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="In place of SPEC: where a published catalogue's file lies."
        ),
    ] = None,
    catalog: Annotated[str, typer.Option(help="Which catalogue of --folder: sanjac.")] = "sanjac",
    forecasters: Annotated[
        str, typer.Option(metavar="A,B,…", help="Fitted here: etas, etas_even, poisson, hawkes.")
    ] = "etas",
    model: Annotated[
        list[str] | None, typer.Option(help="A kept model's folder; may be given several times.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, help="Days of the test, from its first; left out: all.", show_default=False
        ),
    ] = None,
    paths: Annotated[int, typer.Option(min=2, max=100_000, help="Catalogues a day.")] = 1000,
    cell: Annotated[
        float | None,
        typer.Option(
            min=1e-3,
            help="Degrees of a cell of the map; left out: 0.1, or wider where a side has over 100.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the draws.")] = 0,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Numbers of events and quantiles of the last forecaster: PNG, PDF or SVG.",
        ),
    ] = None,
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

    Each day of the test is forecast at its beginning, midnight where the test begins at a date, as
    simulated catalogues; forecasters named are fitted to training and validation together. Beside
    the share of days that pass each test at 5 % stands the p-value that the quantiles of all days
    are even, and the CRPS of the number of events, which is a proper score: a vague forecast
    passes tests, too.

    Example: smash contest next-day quakes/spec.yaml --model runs/RUN/checkpoints/best
    """
    from rich.console import Console

    from smash.errors import SmashError, in_a_line
    from smash.files import replacing, write_json
    from smash.workbench.contests import next_day_scores as scores

    console = Console(highlight=False)
    try:
        _check_places(plot, export, out, [path for path in (spec, folder) if path])
        contest = _contest(spec, folder, catalog)
        n_days = _checked_days(days, contest.n_days)
        for note in contest.notes:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
        entrants = _entrants(name_list(forecasters), model or [], contest, console)
        found = _held(entrants, contest, (n_days, paths, seed, cell), export, console)
        if out is not None:
            write_json(out, scores.record(contest.catalog, paths, seed, found))
        if plot is not None:
            with replacing(plot) as beside:
                figure = scores.next_day_figure_of(found[list(found)[-1]])
                figure.savefig(beside, format=plot.suffix[1:], dpi=150)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)


def _check_places(
    plot: Path | None, export: Path | None, out: Path | None, inputs: list[Path]
) -> None:
    """Checks what is written to, and makes the folder of `--export`, which must be new or empty."""
    from smash.errors import OutputError
    from smash.outputs import check_files, check_folder, check_picture

    check_files({"--out": out, "--plot": plot}, inputs)
    if plot is not None:
        check_picture("--plot", plot)
    if export is None:
        return
    check_folder("--export", export)
    if export.exists() and any(export.iterdir()):
        raise OutputError(f"--export {export}: is not empty; name a new folder")
    export.mkdir(parents=True, exist_ok=True)


def _contest(spec: Path | None, folder: Path | None, catalog: str) -> Any:
    """Returns the catalogue of a spec, or the published one of a folder."""
    from smash.catalogue import load_dataset
    from smash.errors import DataError
    from smash.workbench.contests.catalogue_contest import own_contest
    from smash.workbench.contests.earthquakenpp import load
    from smash.workbench.specs.experiment_spec import load_spec

    if spec is not None and folder is None:
        return own_contest(load_dataset(load_spec(spec).data))
    if folder is not None and spec is None:
        return load(catalog, folder)
    raise DataError(
        "name one catalogue: your own by its spec (`smash contest next-day SPEC`), or a "
        "published one by the folder of its file (--folder)"
    )


def _checked_days(asked: int | None, there: int) -> int:
    from smash.errors import DataError

    if asked is not None and asked > there:
        raise DataError(f"--days {asked}: the test has {there} whole days; take as many or fewer")
    return asked or there


def _entrants(names: Any, models: list[str], contest: Any, console: Any) -> dict[str, Any]:
    """Returns the forecasters by name: those fitted here, then kept models."""
    import smash
    from smash.workbench.contests.catalogue_contest import fit
    from smash.workbench.contests.next_day import Entrant

    entrants = {}
    for name in names:
        console.print(f"forecaster {name}", markup=False)
        entrants[name] = Entrant.of(fit(name, contest), contest)
    return entrants | {path: Entrant.of_model(smash.load(path), contest) for path in models}


def _held(
    entrants: Mapping[str, Any],
    contest: Any,
    asked: tuple[int, int, int, float | None],
    export: Path | None,
    console: Any,
) -> dict[str, list[Any]]:
    """Returns each forecaster's days, and shows their tests; catalogues go to `export`."""
    from rich.progress import track

    from smash.workbench.contests.next_day import forecast_days, write_catalogues
    from smash.workbench.contests.next_day_scores import unseen_note

    n_days, *_ = asked
    found: dict[str, list[Any]] = {}
    for number, (name, entrant) in enumerate(entrants.items()):
        held = found[name] = []
        drawn = forecast_days(entrant, contest, *asked)
        for day in track(drawn, "days", total=n_days, console=console):
            if export is not None:
                place = export / f"forecaster_{number}" / f"day_{len(held):04d}.csv"
                place.parent.mkdir(exist_ok=True)
                write_catalogues(day, contest.clock, contest.geography, place)
            held.append(day.scores())
        console.print(_table(f"{name}: {n_days} days of {contest.catalog}", held))
        if note := unseen_note(held):
            console.print(f"note: {name}: {note}", markup=False, soft_wrap=True)
    return found


def _table(title: str, days: Any) -> "Table":
    from rich.table import Table

    from smash.workbench.contests.next_day_scores import numbers, summary

    table = Table("test", "days", "passed at 5 %", "p of even quantiles", title=title)
    for name, row in summary([day.tests for day in days]).iterrows():
        table.add_row(str(name), f"{row['days']:.0f}", f"{row['passed']:.3f}", f"{row['even']:.3g}")
    of_number = numbers(days)
    table.caption = (
        f"events a day: {of_number['observed']:.2f} came, {of_number['forecast']:.2f} forecast; "
        f"CRPS of the number {of_number['crps']:.3f}"
    )
    return table
