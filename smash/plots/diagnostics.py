"""Figures of scores, forecasts and trainings, as `matplotlib.figure.Figure` objects.

No figure enters pyplot's global state, so that they can be drawn from any thread and need no
closing: `figure.savefig(path)` writes one. Colours are seaborn's colour-blind palette.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from scipy.stats import binom, gaussian_kde

from smash.data.events import Targets
from smash.law.samples import Samples
from smash.scores.bootstrap import Resampling
from smash.scores.calibration import coverage
from smash.scores.summary import RANKS, count_distinct

Floats = NDArray[np.float64]

PALETTE = seaborn.color_palette("colorblind")
TRUTH, FORECAST, HISTORY = PALETTE[3], PALETTE[0], "0.45"
STYLE = seaborn.axes_style("whitegrid") | {
    "axes.edgecolor": "0.4",
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "font.size": 9,
    "grid.color": "0.9",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.dpi": 160,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
WIDTH = 7.0
"""Inches: the text width of an A4 page, so that print keeps the type's size."""

CURVE_LEVELS = np.linspace(0.01, 0.99, 99)
SHOWN_LEVELS = (0.5, 0.9)
REPLICATES = 1000
INTERVAL: dict[str, Any] = {
    "color": PALETTE[0],
    "alpha": 0.18,
    "linewidth": 0,
    "label": "95 % interval of the first",
}
Tables = pd.DataFrame | Mapping[str, pd.DataFrame]


@rc_context(STYLE)
def coverage_curve(tables: Tables) -> Figure:
    """Returns actual against nominal coverage of time and, of events with places, location.

    Args:
        tables: a table of scored events, or several by name. One table alone is drawn under the
            original estimators too, where it has them. The grey band holds 95 % of perfect
            forecasters at each level, for the smallest number of distinct events. Where the first
            table has groups of events, its 95 % interval is drawn too.
    """
    figure, panels = _panels(tables)
    n_events = _fewest(tables)
    low, high = (binom.ppf(p, n_events, CURVE_LEVELS) / n_events for p in (0.025, 0.975))
    for what, axis in panels.items():
        axis.fill_between(CURVE_LEVELS, low, high, color="0.87", label=_band_name(n_events))
        axis.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
        for label, ranks, style in _curves(tables, what):
            axis.plot(CURVE_LEVELS, coverage(ranks, tuple(CURVE_LEVELS)), label=label, **style)
        if (interval := _first_interval(tables, what)) is not None:
            axis.fill_between(CURVE_LEVELS, *interval, **INTERVAL)
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=what.capitalize())
        axis.yaxis.set_major_formatter(PercentFormatter(1))
    panels["time"].set_ylabel("coverage (% of events)")
    _legend_below(figure, panels["time"])
    return figure


@rc_context(STYLE)
def coverage_error(tables: Tables, levels: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9)) -> Figure:
    """Returns coverage minus level, marked at the `levels` that CS uses.

    Above zero the forecast is wider than the truth, below zero narrower. Tables and band as in
    `coverage_curve`.
    """
    figure, panels = _panels(tables, sharey=True)
    n_events = _fewest(tables)
    low, high = (binom.ppf(p, n_events, CURVE_LEVELS) / n_events for p in (0.025, 0.975))
    for what, axis in panels.items():
        band = 100 * (low - CURVE_LEVELS), 100 * (high - CURVE_LEVELS)
        axis.fill_between(CURVE_LEVELS, *band, color="0.87", label=_band_name(n_events))
        axis.axhline(0, color="0.5", linewidth=0.8)
        for label, ranks, style in _curves(tables, what):
            error = 100 * (coverage(ranks, tuple(CURVE_LEVELS)) - CURVE_LEVELS)
            axis.plot(CURVE_LEVELS, error, label=label, **style)
            marked = 100 * (coverage(ranks, levels) - np.asarray(levels))
            axis.plot(levels, marked, "o", markersize=4, color=style["color"])
        if (interval := _first_interval(tables, what)) is not None:
            axis.fill_between(CURVE_LEVELS, *(100 * (interval - CURVE_LEVELS)), **INTERVAL)
        axis.set(xlim=(0, 1), title=what.capitalize())
    panels["time"].set_ylabel("coverage − level (percentage points)")
    _legend_below(figure, panels["time"])
    return figure


@rc_context(STYLE)
def forecast_densities(
    samples: Samples,
    targets: Targets,
    rows: Sequence[int],
    *,
    history: Sequence[Floats] | None = None,
    time_unit: str = "time units",
    location_unit: str = "length units",
    location_names: tuple[str, ...] = ("x", "y"),
    mark_names: Sequence[str] = (),
    backdrop: Callable[[Axes], None] | None = None,
) -> Figure:
    """Returns the forecasts of a few events: gap and, if any, location, with what happened.

    Args:
        samples: S draws an event.
        targets: what happened.
        rows: the events shown, as rows of `samples` and `targets`; one line of panels each.
        history: for each of `rows` the earlier locations (M, 2), oldest first.
        time_unit: for the gap's axis.
        location_unit: for the location's axes.
        location_names: names of the two coordinates.
        mark_names: of the K marks; their numbers where none are given.
        backdrop: draws what lies behind the locations, such as a map, and sets their limits.
    """
    figure = Figure(figsize=(WIDTH, 0.5 + 2.6 * len(rows)), layout="constrained")
    placed = targets.location.shape[1] > 0
    panels = figure.subplots(len(rows), 2 if placed else 1, squeeze=False)
    for i, row in enumerate(rows):
        gap_panel, last_panel = panels[i, 0], panels[i, -1]
        _draw_gap(gap_panel, samples.gap[row], targets.gap[row], time_unit)
        where = f"Sequence {targets.sequence[row]}, event {targets.event[row]}"
        gap_panel.set_title(where, loc="left")
        line = _mark_line(samples, targets, row, mark_names)
        last_panel.set_title(line, loc="left" if placed else "right")
        if not placed:
            continue
        location_panel = last_panel
        if history is not None and len(history[i]):
            location_panel.plot(*history[i].T, ".-", color=HISTORY, linewidth=0.6, label="earlier")
        _draw_location(location_panel, samples.location[row], targets.location[row])
        if backdrop is not None:
            backdrop(location_panel)
        x, y = (f"{name} ({location_unit})" for name in location_names)
        location_panel.set(xlabel=x, ylabel=y)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    if placed:
        points, names = panels[0, 1].get_legend_handles_labels()
        handles, labels = handles + points[:-1], labels + names[:-1]
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


@rc_context(STYLE)
def training_curves(history: pd.DataFrame) -> Figure:
    """Returns loss, its parts and the learning rate over the epochs of a training.

    Args:
        history: a row an epoch with `epoch`, `loss`, `loss_time`, `loss_location`, `loss_mark`,
            `validation_loss` and `learning_rate`; NaN, absent or 0 throughout where there is none.
    """
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    panels = figure.subplots(1, 3)
    lines = (
        ({"loss": "training", "validation_loss": "validation"}, "loss"),
        (
            {"loss_time": "time", "loss_location": "location", "loss_mark": "mark"},
            "part of the training loss",
        ),
        ({"learning_rate": "learning rate"}, "learning rate"),
    )
    for panel, (columns, label) in zip(panels, lines, strict=True):
        for i, (column, name) in enumerate(columns.items()):
            if column in history and history[column].fillna(0).any():
                _draw_history(panel, history, column, name, i)
        panel.set(xlabel="epoch", ylabel=label)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
        if len(columns) > 1 and panel.lines:
            panel.legend()
    panels[2].set_ylim(bottom=0)
    panels[2].ticklabel_format(axis="y", style="sci", scilimits=(-2, 2), useMathText=True)
    return figure


def _panels(tables: Tables, sharey: bool = False) -> tuple[Figure, dict[str, Axes]]:
    """Returns a panel for time and, where the tables have places, one for location."""
    placed = all(RANKS["location"] in table for table in _named(tables).values())
    named = ("time", "location") if placed else ("time",)
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    axes = figure.subplots(1, len(named), sharey=sharey, squeeze=False)[0]
    for axis in axes:
        axis.set_xlabel("nominal level")
        axis.xaxis.set_major_formatter(PercentFormatter(1))
    return figure, dict(zip(named, axes, strict=True))


def _named(tables: Tables) -> Mapping[str, pd.DataFrame]:
    return {"forecast": tables} if isinstance(tables, pd.DataFrame) else tables


def _fewest(tables: Tables) -> int:
    return min(count_distinct(table) for table in _named(tables).values())


def _band_name(n_events: int) -> str:
    return f"95 % of perfect forecasters (n = {n_events})"


def _first_interval(tables: Tables, what: str) -> Floats | None:
    """Returns (2, Q) ends of the 95 % intervals of the first table's coverage, by bootstrap over
    groups of sequences that share no events; None where it has no such groups.
    """
    table = next(iter(_named(tables).values()))
    if "group" not in table or table["group"].nunique() < 2:
        return None
    covered = table[RANKS[what]].to_numpy()[:, None] <= CURVE_LEVELS
    replicates = Resampling.of(table, REPLICATES).means(covered.astype(np.float64))[1:]
    return np.quantile(replicates, (0.025, 0.975), axis=0)


def _curves(tables: Tables, what: str) -> Iterator[tuple[str, Floats, dict]]:
    """Yields label, levels that hold the truth, and line style of each curve of a panel."""
    named = _named(tables)
    for i, (name, table) in enumerate(named.items()):
        style = {"color": PALETTE[i % len(PALETTE)], "linewidth": 1.6}
        yield name, table[RANKS[what]].to_numpy(), style
        original = RANKS[f"{what}_original"]
        if len(named) == 1 and original in table:
            dashed = {"color": PALETTE[1], "linewidth": 1.4, "linestyle": "--"}
            yield f"{name}, original estimator", table[original].to_numpy(), dashed


def _legend_below(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)


def _draw_gap(axis: Axes, gap: Floats, truth: float, unit: str) -> None:
    """Draws a histogram of the samples, the intervals from 0 to two quantiles, and the truth."""
    end = 1.05 * max(float(np.quantile(gap, 0.98)), truth) or 1.0
    for level, opacity in zip(SHOWN_LEVELS, (0.22, 0.1), strict=True):
        bound = min(float(np.quantile(gap, level)), end)
        name = f"{100 * level:.0f} % interval or region"
        axis.axvspan(0, bound, color=FORECAST, alpha=opacity, linewidth=0, label=name)
    shares = np.full(len(gap), 100 / len(gap))
    axis.hist(gap, bins=30, range=(0, end), weights=shares, color=FORECAST, alpha=0.75)
    axis.axvline(truth, color=TRUTH, linewidth=1.8, label="what happened")
    axis.set(xlim=(-0.02 * end, end), xlabel=f"time to the event ({unit})", ylabel="% of samples")


def _draw_location(axis: Axes, location: Floats, truth: Floats) -> None:
    """Draws the samples, the density regions of two levels where there is one, and the truth."""
    axis.plot(*location.T, ".", markersize=2.5, color=FORECAST, alpha=0.7, label="samples")
    axis.plot(*truth, "*", markersize=11, color=TRUTH, markeredgecolor="white", label="truth")
    try:
        kernel = gaussian_kde(location.T)
    except (np.linalg.LinAlgError, ValueError):
        return  # all samples equal or on a line: there is no region to draw
    _draw_regions(axis, kernel, location)


def _draw_regions(axis: Axes, kernel: gaussian_kde, location: Floats) -> None:
    # The whole panel, which holds more than samples: a region must not end in its middle.
    limits = axis.get_xlim(), axis.get_ylim()
    x, y = np.meshgrid(*(np.linspace(low, high, 200) for low, high in limits))
    density = kernel(np.stack([x.ravel(), y.ravel()])).reshape(x.shape)
    # a sample must not count the kernel it carries itself, or the regions come out too small
    peak = 1 / (2 * np.pi * np.sqrt(np.linalg.det(kernel.covariance)))
    held = (kernel.n * kernel(location.T) - peak) / (kernel.n - 1)
    bounds = [float(np.quantile(held, 1 - level)) for level in reversed(SHOWN_LEVELS)]
    if not 0 < bounds[0] < bounds[1] < density.max():
        return
    filled = [*bounds, float(density.max())]
    axis.contourf(x, y, density, levels=filled, colors=[(*FORECAST, 0.12), (*FORECAST, 0.28)])
    axis.contour(x, y, density, levels=bounds, colors=[FORECAST], linewidths=0.9)


def _mark_line(samples: Samples, targets: Targets, row: int, names: Sequence[str]) -> str:
    if samples.mark_probability is None or targets.mark is None:
        return ""
    probability = samples.mark_probability[row]
    likely, true = int(probability.argmax()), int(targets.mark[row])
    named = names or range(len(probability))
    return (
        f"Mark: {named[likely]} forecast ({100 * probability[likely]:.0f} %), "
        f"{named[true]} happened ({100 * probability[true]:.0f} %)"
    )


def _draw_history(axis: Axes, history: pd.DataFrame, column: str, name: str, index: int) -> None:
    present = history[history[column].notna()]
    sparse = len(present) < len(history) or len(present) == 1
    axis.plot(
        present["epoch"],
        present[column],
        color=PALETTE[index],
        linewidth=1.5,
        marker="o" if sparse else None,
        markersize=3.5,
        label=name,
    )
