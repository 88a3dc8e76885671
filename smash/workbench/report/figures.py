"""Figures of a report beside those of `smash.plots.diagnostics`, drawn in the same way."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from scipy.stats import binom

from smash.plots.diagnostics import PALETTE, STYLE, WIDTH
from smash.scores import count_distinct
from smash.scores.marks import BINS, reliability

HISTOGRAM_BINS = 20
MARKERS = "osD^vP"
WIDE = 8
"""A setting whose values span this factor is drawn on a logarithmic axis."""


@rc_context(STYLE)
def pit_histograms(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Returns how the truth ranks among the draws: level of a calibrated forecast, 1 everywhere.

    The grey band holds 95 % of perfect forecasters in each bin, for the fewest distinct events.
    """
    titles = {"pit_time": "PIT of time", "region_level": "level of the region holding the place"}
    shown = [c for c in titles if all(c in table for table in tables.values())]
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    n_events = min(count_distinct(table) for table in tables.values())
    share = 1 / HISTOGRAM_BINS
    band = [binom.ppf(p, n_events, share) / n_events / share for p in (0.025, 0.975)]
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    for panel, column in zip(panels, shown, strict=True):
        name = f"95 % of perfect forecasters (n = {n_events})"
        panel.fill_between([0, 1], *band, color="0.87", linewidth=0, label=name)
        panel.axhline(1, color="0.5", linewidth=0.8)
        for i, (label, table) in enumerate(tables.items()):
            counts, _ = np.histogram(table[column], bins=edges)
            density = counts / len(table) / share
            panel.stairs(density, edges, color=PALETTE[i % len(PALETTE)], label=label, lw=1.4)
        panel.set(xlim=(0, 1), xlabel=titles[column])
        panel.xaxis.set_major_formatter(PercentFormatter(1))
    panels[0].set(ylabel="density (1: calibrated)", ylim=(0, None))
    _legend(figure, panels[0])
    return figure


@rc_context(STYLE)
def reliability_diagram(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Returns how often the likeliest mark was right against its probability, and how often each
    probability was given; None for forecasts without marks.
    """
    marked = {name: t for name, t in tables.items() if "mark_confidence" in t}
    if not marked:
        return None
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    panels[0].plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
    for i, (name, table) in enumerate(marked.items()):
        correct = (table["mark_predicted"] == table["mark"]).to_numpy()
        bins = reliability(table["mark_confidence"].to_numpy(), correct)
        there = bins.count > 0
        style = {"color": PALETTE[i % len(PALETTE)], "label": name}
        panels[0].plot(
            bins.confidence[there],
            bins.correct[there] / bins.count[there],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            linewidth=1.2,
            **style,
        )
        shares = bins.count / bins.count.sum()
        panels[1].stairs(shares, np.linspace(0, 1, BINS + 1), linewidth=1.4, **style)
    panels[0].set(ylabel="events whose mark was right (%)", ylim=(0, 1), aspect="equal")
    panels[1].set(ylabel="share of events (%)")
    for panel in panels:
        panel.set(xlim=(0, 1), xlabel="probability of the likeliest mark")
        panel.xaxis.set_major_formatter(PercentFormatter(1))
        panel.yaxis.set_major_formatter(PercentFormatter(1))
    _legend(figure, panels[0])
    return figure


Skill = tuple[float, float | None, float | None]
"""A skill and the ends of its interval, where there is one."""


@rc_context(STYLE)
def skill_plot(skills: Mapping[str, Mapping[str, Skill]]) -> Figure:
    """Returns skill in time, location and mark of each forecaster: above zero beats climatology.

    Args:
        skills: by forecaster, then by part (time, location, mark).
    """
    parts = list(dict.fromkeys(part for of in skills.values() for part in of))
    figure = Figure(figsize=(WIDTH, 0.9 + 0.26 * len(skills)), layout="constrained")
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    rows = np.arange(len(skills))[::-1]
    for panel, part in zip(panels, parts, strict=True):
        panel.axvline(0, color="0.5", linewidth=0.8)
        for row, (name, of) in zip(rows, skills.items(), strict=True):
            if part not in of:
                continue
            value, low, high = of[part]
            color = PALETTE[0] if name.startswith("SMASH") else PALETTE[1]
            if low is not None and high is not None:
                panel.plot([100 * low, 100 * high], [row, row], color=color, linewidth=1.6)
            panel.plot(100 * value, row, "o", color=color, markersize=5)
        panel.set(xlabel=f"skill in {part} (%)", ylim=(-0.6, len(skills) - 0.4))
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
        panel.margins(x=0.08)
    panels[0].set_yticks(rows, list(skills))
    return figure


@rc_context(STYLE)
def block_scores(series: Mapping[tuple[str, str], pd.Series]) -> Figure:
    """Returns scores against sampling steps, a panel each; `series` by score and unit."""
    columns = min(3, len(series))
    lines = -(-len(series) // columns)
    figure = Figure(figsize=(WIDTH, 2.1 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, ((title, unit), values) in zip(panels, series.items(), strict=False):
        panel.plot(values.index, values.to_numpy(), "o-", color=PALETTE[0], markersize=3.5, lw=1.4)
        panel.set(xlabel="sampling steps", ylabel=unit, title=title)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for panel in panels[len(series) :]:
        panel.remove()
    return figure


@rc_context(STYLE)
def search_history(trials: pd.DataFrame, goal: str, label: str, upwards: bool = False) -> Figure:
    """Returns the goal of a study's complete trials in turn, the best so far, and the published."""
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    panel = figure.subplots()
    panel.plot(trials["trial"], trials[goal], "o", color=PALETTE[0], markersize=4, label="a trial")
    values = trials[goal].to_numpy(np.float64)
    best = np.maximum.accumulate(values) if upwards else np.minimum.accumulate(values)
    panel.step(trials["trial"], best, where="post", color=PALETTE[1], lw=1.5, label="best so far")
    published = trials[trials["published"].astype(bool)]
    if len(published):
        level = published[goal].iloc[0]
        panel.axhline(level, color="0.5", lw=1, linestyle="--", label="published setting")
    panel.set(xlabel="trial", ylabel=label)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    _legend(figure, panel)
    return figure


@rc_context(STYLE)
def search_slices(
    trials: pd.DataFrame, goal: str, label: str, settings: Mapping[str, str]
) -> Figure:
    """Returns the goal of trials against each setting; `settings` are columns and their names."""
    columns = min(3, len(settings))
    lines = -(-len(settings) // columns)
    figure = Figure(figsize=(WIDTH, 2.1 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for panel, (column, name) in zip(panels.ravel(), settings.items(), strict=False):
        values = trials[column]
        numeric = pd.api.types.is_numeric_dtype(values)
        panel.plot(values if numeric else values.astype(str), trials[goal], "o", ms=4, alpha=0.8)
        if numeric and values.min() > 0 and values.max() > WIDE * values.min():
            panel.set_xscale("log")
            panel.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set(xlabel=name)
    for panel in panels[:, 0]:
        panel.set_ylabel(label)
    for panel in panels.ravel()[len(settings) :]:
        panel.remove()
    return figure


def plain_label(text: str, most: int = 40) -> str:
    """Returns a name fit for a figure: one line, not too long, no formula, shown even after _."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", text)
    line = line if len(line) <= most else line[: most - 1] + "…"
    line = line.replace("$", r"\$")
    return f" {line}" if line.startswith("_") else line


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
