"""Figures of futures: where and how many events are to come, in small multiples."""

from itertools import pairwise

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from smash.forecast.futures import Futures, cell_counts
from smash.law.paths import Paths
from smash.plots.diagnostics import FORECAST, HISTORY, STYLE, WIDTH
from smash.plots.map_axes import label_degrees, moment_said, tallness

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
    the legend names. Of events without places there are no maps.
    """
    if not futures.paths.location.shape[1]:
        figure = Figure(figsize=(WIDTH, COUNTS), layout="constrained")
        _draw_counts(figure.subplots(), futures)
        return figure
    (low, high), paths = futures.extent, futures.mapped_paths
    tall = tallness(low, high) if futures.about.geography.geographic else None
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
            label_degrees(panel)
            panel.set_box_aspect(tall)
        panels.append(panel)
    panels[0].set_ylabel(futures.about.location_names[1])
    figure.colorbar(drawn, ax=panels, label="events expected\nin a cell", shrink=0.9)
    _draw_counts(figure.add_subplot(grid[1, :]), futures)
    return figure


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
        xlabel=f"time from {moment_said(futures.about, paths.now)} ({futures.about.time_unit})",
        ylabel="events so far",
    )
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left")


def _span(futures: Futures, start: float, end: float) -> str:
    """Returns the words for a part of the horizon, counted from its start."""
    begin, until = start - futures.paths.now, end - futures.paths.now
    return f"{begin:.3g} to {until:.3g} {futures.about.time_unit}"
