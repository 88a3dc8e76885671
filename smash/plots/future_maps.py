"""Figures of futures: where and how many events are to come, in small multiples."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from smash.data.geography import wrapped
from smash.forecast.futures import Futures, cell_counts
from smash.law.paths import Paths
from smash.plots.diagnostics import FORECAST, HISTORY, STYLE, WIDTH

Floats = NDArray[np.float64]

PANELS, CELLS, MOMENTS = 4, 30, 60
"""Maps side by side, cells to a map's side, and moments at which events are counted."""
BANDS = (0.9, 0.5)
MAPS, COUNTS, PANEL, LABELS = 2.4, 2.2, 1.3, 0.9
"""Inches: height of the row of maps and of the counts, width of a map, height of its labels."""
LOWEST_AND_HIGHEST = (0.6, 3.0)
"""Inches that a map may be high."""


@rc_context(STYLE)
def future_maps(futures: Futures) -> Figure:
    """Returns maps of the events expected in each quarter of the horizon, and their number so far.

    Dots are the history's events. The bands hold the number of events with the probability that
    the legend names.
    """
    (low, high), paths = futures.extent, futures.mapped_paths
    tall = _tallness(low, high) if futures.about.geography.geographic else None
    height = MAPS if tall is None else float(np.clip(PANEL * tall, *LOWEST_AND_HIGHEST)) + LABELS
    figure = Figure(figsize=(WIDTH, height + COUNTS), layout="constrained")
    grid = figure.add_gridspec(2, PANELS, height_ratios=(height, COUNTS))
    x, y = (np.linspace(low[i], high[i], CELLS + 1) for i in (0, 1))
    edges = paths.now + paths.horizon * np.linspace(0, 1, PANELS + 1)
    rates = [_rate(paths, start, end, x, y) for start, end in pairwise(edges)]
    most = max(float(rate.max()) for rate in rates) or 1.0
    known = futures.about.geography.degrees(futures.history.events.location)
    panels: list[Axes] = []
    for i, rate in enumerate(rates):
        panel = figure.add_subplot(grid[0, i], sharey=panels[0] if panels else None)
        drawn = panel.pcolormesh(x, y, rate, vmin=0, vmax=most, cmap="Blues", rasterized=True)
        panel.plot(*known.T, ".", color=HISTORY, markersize=2)
        panel.set(xlim=x[[0, -1]], ylim=y[[0, -1]], title=_span(futures, edges[i], edges[i + 1]))
        panel.grid(False)
        panel.tick_params(labelleft=i == 0)
        panel.set_xlabel(futures.about.location_names[0])
        if tall is not None:
            _label_degrees(panel)
            panel.set_box_aspect(tall)
        panels.append(panel)
    panels[0].set_ylabel(futures.about.location_names[1])
    figure.colorbar(drawn, ax=panels, label="events expected\nin a cell", shrink=0.9)
    _draw_counts(figure.add_subplot(grid[1, :]), futures)
    return figure


def _tallness(low: Floats, high: Floats) -> float:
    """Returns height by width of a box in degrees whose kilometres are as long both ways."""
    width, height = high - low
    narrowed = max(float(np.cos(np.radians((low[1] + high[1]) / 2))), 0.1)
    return float(height / (width * narrowed))


def _label_degrees(panel: Axes) -> None:
    """Writes longitudes beyond the date line as on a map."""
    panel.xaxis.set_major_formatter(lambda x, _: _longitude(x))
    panel.xaxis.set_major_locator(MaxNLocator(nbins=2, steps=[1, 2, 5, 10]))


def _longitude(degrees: float) -> str:
    """Returns a longitude between -180 and 180, the date line as 180."""
    around = float(wrapped(np.array([degrees, 0.0]))[0])
    return f"{180 if around == -180 else around:g}".replace("-", "\N{MINUS SIGN}")


def _rate(paths: Paths, start: float, end: float, x: Floats, y: Floats) -> Floats:
    """Returns (Y, X) the mean number of events in each cell between two times."""
    rows = (paths.time > start) & (paths.time <= end)
    mark = None if paths.mark is None else paths.mark[rows]
    part = Paths(
        paths.n_paths,
        start,
        end - start,
        paths.path[rows],
        paths.time[rows],
        paths.location[rows],
        mark,
    )
    return np.asarray(cell_counts(part, x, y).mean(axis=0))


def _draw_counts(axis: Axes, futures: Futures) -> None:
    """Draws the number of events so far: median and central bands."""
    paths = futures.paths
    moments = paths.now + paths.horizon * np.linspace(0, 1, MOMENTS)
    counts = np.stack(
        [
            np.bincount(paths.path[paths.time <= moment], minlength=paths.n_paths)
            for moment in moments
        ]
    )
    since = moments - paths.now
    for level, opacity in zip(BANDS, (0.15, 0.3), strict=True):
        low, high = np.quantile(counts, [(1 - level) / 2, (1 + level) / 2], axis=1)
        axis.fill_between(
            since,
            low,
            high,
            step="post",
            color=FORECAST,
            alpha=opacity,
            linewidth=0,
            label=f"{100 * level:.0f} % of futures",
        )
    axis.step(since, np.median(counts, axis=1), where="post", color=FORECAST, label="median")
    axis.set(
        xlim=(0, paths.horizon),
        xlabel=f"time from {_moment(futures, paths.now)} ({futures.about.time_unit})",
        ylabel="events so far",
    )
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left")


def _span(futures: Futures, start: float, end: float) -> str:
    """Returns the words for a part of the horizon, counted from its start."""
    begin, until = start - futures.paths.now, end - futures.paths.now
    return f"{begin:.3g} to {until:.3g} {futures.about.time_unit}"


def _moment(futures: Futures, time: float) -> str:
    moment = futures.about.clock.times(np.array([time]))[0]
    return f"{moment:%Y-%m-%d %H:%M} UTC" if isinstance(moment, pd.Timestamp) else f"{moment:.6g}"
