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
from smash.futures import Futures, cell_counts
from smash.paths import Paths
from smash.plots import FORECAST, HISTORY, STYLE, WIDTH

Floats = NDArray[np.float64]

PANELS, CELLS, MOMENTS = 4, 30, 60
"""Maps side by side, cells to a map's side, and moments at which events are counted."""
BANDS = (0.9, 0.5)


@rc_context(STYLE)
def future_maps(futures: Futures) -> Figure:
    """Returns maps of the events expected in each quarter of the horizon, and their number so far.

    Dots are the history's events. The bands hold the number of events with the probability that
    the legend names.
    """
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, PANELS, height_ratios=(1.1, 1))
    (low, high), paths = futures.extent, futures.mapped_paths
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
        if futures.about.geography.geographic:
            _label_degrees(panel, float((low[1] + high[1]) / 2))
        panels.append(panel)
    panels[0].set_ylabel(futures.about.location_names[1])
    figure.colorbar(drawn, ax=panels, label="events expected in a cell", shrink=0.9)
    _draw_counts(figure.add_subplot(grid[1, :]), futures)
    return figure


def _label_degrees(panel: Axes, latitude: float) -> None:
    """Writes longitudes beyond the date line as on a map, and makes a kilometre as long both ways.

    `latitude`: where that holds.
    """
    panel.xaxis.set_major_formatter(lambda x, _: f"{wrapped(np.array([x, 0.0]))[0]:g}")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
    panel.set_aspect(1 / max(np.cos(np.radians(latitude)), 0.1))


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
