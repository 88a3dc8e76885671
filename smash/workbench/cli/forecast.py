"""`smash forecast MODEL HISTORY`: the next event, and futures until a horizon."""

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smash.outputs import PICTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smash.data.tables import Table
    from smash.forecast.event_forecaster import EventForecaster
    from smash.forecast.futures import Futures
    from smash.forecast.intensity_map import IntensityMap
    from smash.forecast.next_event import NextEvent

TABLES, FIGURES, FILMS = (".parquet", ".csv"), PICTURES, (".gif", ".html")
MAPS, FRAMES, CELLS, FIRST = 4, 24, 40, 0.01
"""Of the intensity: times on paper and in a film, cells to a side, the first time's share of the
horizon, as there is no intensity at the very moment of an event."""

# Threads that spin while they wait stall each other on a busy machine; read by OpenMP when
# PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main(
    model: Annotated[
        Path,
        typer.Argument(
            help="A folder such as runs/RUN_ID/checkpoints/best, or pretrained:NAME; several "
            "between commas are an ensemble."
        ),
    ],
    history: Annotated[Path, typer.Argument(help="CSV or Parquet, a row an event.")],
    horizon: Annotated[
        str, typer.Option(metavar="SPAN", help="How far, such as 1d, or a number of time units.")
    ] = "1d",
    paths: Annotated[int, typer.Option(min=1, help="How many futures.")] = 1000,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all futures (Parquet or CSV).")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the horizon: maps and numbers (PNG, PDF)."),
    ] = None,
    geojson: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the next event's regions.")
    ] = None,
    intensity: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the intensity over the horizon, if no event comes (PNG; a film: GIF, HTML).",
        ),
    ] = None,
    recalibrated: Annotated[
        bool, typer.Option(help="Correct the next event's levels by validation data.")
    ] = False,
    time: Annotated[
        str | None, typer.Option(help="Column of times; by default the training table's.")
    ] = None,
    x: Annotated[str | None, typer.Option(help="Column of first coordinates; likewise.")] = None,
    y: Annotated[str | None, typer.Option(help="Column of second coordinates; likewise.")] = None,
    mark: Annotated[str | None, typer.Option(help="Column of marks; likewise.")] = None,
    sequence: Annotated[
        str | None, typer.Option(help="Column of sequences; likewise. '' takes all rows as one.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--history", metavar="SEQUENCE", help="Which sequence to forecast from."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Since when events are observed; by default as the training windows."),
    ] = None,
    now: Annotated[
        str | None, typer.Option(help="Until when no further event came; by default the last.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
) -> None:
    """Forecast what comes after HISTORY: the next event, and the futures until a horizon.

    Example: smash forecast pretrained:football history.csv --horizon 30
    """
    # Imported here so that --help and wrong flags answer at once.
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import Progress

    from smash import load
    from smash.data.table_files import read_table
    from smash.errors import SmashError, in_a_line
    from smash.forecast.event_forecaster import Extrapolation
    from smash.forecast.histories import usual_columns
    from smash.outputs import check_files
    from smash.shipped_files import find_models

    errors = Console(stderr=True, highlight=False)
    try:
        _check_formats(out, plot, intensity)
        written = {"--out": out, "--plot": plot, "--geojson": geojson, "--intensity": intensity}
        check_files(written, (*find_models(model), history))
        forecaster, events = load(model), read_table(history, fewest=0)
        _check_places(
            forecaster, {"--geojson": geojson, "--intensity": intensity, "--x": x, "--y": y}
        )
        named = {"time": time, "x": x, "y": y, "mark": mark, "sequence": sequence}
        given: Any = {part: column or None for part, column in named.items() if column is not None}
        columns = replace(usual_columns(events, forecaster.about), **given)
        # Said as notes below.
        warnings.simplefilter("ignore", Extrapolation)
        which: Any = {"columns": columns, "sequence": name, "start": start, "now": now}
        event = forecaster.next(events, **which, seed=seed, recalibrated=recalibrated)
        with Progress(console=errors, transient=True) as progress:
            task = progress.add_task(f"{paths} futures", total=1.0)
            futures = forecaster.simulate(
                events,
                horizon=horizon,
                n_paths=paths,
                **which,
                seed=seed,
                on_progress=lambda share: progress.advance(task, share),
            )
        maps = _intensity(forecaster, events, futures, which, intensity)
        _write(event, futures, out, plot, geojson)
        if maps is not None and intensity is not None:
            _draw_intensity(maps, intensity)
    except (SmashError, OSError) as error:
        typer.echo(f"error: {in_a_line(error)}", err=True)
        sys.exit(2)
    for note in dict.fromkeys((*event.warnings, *futures.warnings)):
        word = "note" if note in futures.history.notes else "warning"
        errors.print(f"{word}: {note}", style="yellow", markup=False, soft_wrap=True)
    _say(event, futures)


def _check_formats(out: Path | None, plot: Path | None, intensity: Path | None) -> None:
    """Checks before any work what the files to be written are called."""
    from smash.errors import ForecastError

    named = (
        (out, "--out", TABLES),
        (plot, "--plot", FIGURES),
        (intensity, "--intensity", FIGURES + FILMS),
    )
    for path, flag, known in named:
        if path is not None and path.suffix.lower() not in known:
            raise ForecastError(f"{flag} {path}: name a file that ends in {', '.join(known)}")
    if plot is not None or intensity is not None:
        import matplotlib  # noqa: F401 (the core may lack it, which is better said now)


def _check_places(forecaster: "EventForecaster", asked: "Mapping[str, object]") -> None:
    """Checks before any work that nothing of places is asked of events that have none."""
    from smash.errors import ForecastError

    flag = next((flag for flag, value in asked.items() if value is not None), None)
    if flag is not None and not forecaster.region.shape[1]:
        raise ForecastError(
            f"{flag}: is of places, and the events that the model was trained on have none; leave "
            "it out"
        )


def _intensity(
    forecaster: "EventForecaster",
    events: "Table",
    futures: "Futures",
    which: Any,
    path: Path | None,
) -> "IntensityMap | None":
    """Returns the intensity over the horizon, at as many times as the file to be written shows."""
    import numpy as np

    if path is None:
        return None
    share = np.linspace(FIRST, 1, FRAMES if path.suffix.lower() in FILMS else MAPS)
    times = forecaster.about.clock.times(futures.paths.now + futures.paths.horizon * share)
    return forecaster.intensity(events, list(times), cells=CELLS, **which)


def _draw_intensity(maps: "IntensityMap", path: Path) -> None:
    from smash.files import replacing
    from smash.plots.intensity_maps import intensity_maps, write_film

    ending = path.suffix.lower()
    with replacing(path) as beside:
        if ending in FILMS:
            write_film(maps, beside, ending)
        else:
            intensity_maps(maps).savefig(beside, format=ending[1:])


def _write(
    event: "NextEvent",
    futures: "Futures",
    out: Path | None,
    plot: Path | None,
    geojson: Path | None,
) -> None:
    from smash.files import replacing, write_json
    from smash.spreadsheets import to_csv

    if out is not None:
        table = futures.table()
        with replacing(out) as beside:
            if out.suffix.lower() == ".csv":
                beside.write_text(to_csv(table), encoding="utf-8")
            else:
                table.to_parquet(beside, index=False)
    if plot is not None:
        from smash.plots.future_maps import future_maps

        with replacing(plot) as beside:
            future_maps(futures).savefig(beside, format=plot.suffix[1:].lower())
    if geojson is not None:
        write_json(geojson, event.geojson())


def _say(event: "NextEvent", futures: "Futures") -> None:
    """Prints the next event and the number of events until the horizon."""
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    unit, names = event.about.time_unit, event.about.location_names
    table = Table(title="next event", title_justify="left")
    table.add_column("what")
    table.add_column("forecast", justify="right")
    table.add_row("time (median)", _moment(event.median.time))
    for level, interval in event.intervals.items():
        span = f"{_moment(interval.low)} to {_moment(interval.high)}"
        table.add_row(f"time, {level:.0%} interval", span)
    if event.median.location is not None:
        table.add_row(f"{', '.join(names)} (median)", _place(event, event.median.location))
    for name, probability in event.mark_probability.items():
        table.add_row(f"mark {name}", f"{probability:.1%}")
    console = Console(highlight=False)
    console.print(table)
    low, middle, high = np.quantile(futures.counts, [0.05, 0.5, 0.95])
    console.print(
        f"events within {futures.paths.horizon:g} {unit}: {middle:.0f} "
        f"(90 % of futures: {low:.0f} to {high:.0f})"
    )


def _place(event: "NextEvent", median: tuple[float, float]) -> str:
    """Returns the median location (2,), to a thousandth of its spread."""
    import numpy as np

    # The narrower spread: that of longitudes is wide where they cross the date line.
    spread = float(event.samples[["x", "y"]].std().min())
    decimals = int(np.clip(3 - np.floor(np.log10(spread)), 0, 9)) if spread > 0 else 6
    return ", ".join(f"{value:.{decimals}f}" for value in median)


def _moment(time: object) -> str:
    return f"{time:.10g}" if isinstance(time, float) else f"{time:%Y-%m-%d %H:%M:%S} UTC"
