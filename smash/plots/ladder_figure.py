"""Skill against distance from the law that is known, ladder by ladder."""

import math
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

COLUMNS = 3
SMALLEST, GROWTH = 18.0, 14.0
"""Areas of the lowest rung's dot, in points², and what each higher one has more."""
APART = 0.06
"""Rungs that are closer than this share of an axis are not told apart by their value."""
LABEL: dict[str, Any] = {"fontsize": 7, "color": "0.35", "bbox": {"color": "white", "pad": 0.5}}


def ladder_figure(climbs: pd.DataFrame) -> Figure:
    """Returns a panel a ladder: a line a forecaster, whose dots grow from the lowest rung on.

    `climbs` as `smash.workbench.contests.ladder_contest.climbs` gives them. On a rung distance and
    skill add up to what there is to know, the dotted line with the rung's value.
    """
    ladders = list(dict.fromkeys(climbs["ladder"]))
    names = sorted(set(climbs["forecaster"]) - {"oracle"})
    colours = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))
    rows = math.ceil(len(ladders) / COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 3.6 * rows), layout="constrained")
    panels = np.ravel(figure.subplots(rows, COLUMNS, squeeze=False))
    for axes, ladder in zip(panels, ladders, strict=False):
        _draw(axes, climbs[climbs["ladder"] == ladder], colours)
        axes.set_title(ladder)
    for axes in panels[len(ladders) :]:
        axes.set_axis_off()
    handles = [Line2D([], [], color=colours[name], marker="o", label=name) for name in names]
    handles.append(Line2D([], [], color="0.6", ls=":", label="what there is to know, by rung"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _draw(axes: Axes, climbs: pd.DataFrame, colours: dict[str, tuple[float, ...]]) -> None:
    known = climbs[climbs["forecaster"] == "oracle"].set_index("rung")["skill"]
    most = max(float(known.max()), float(climbs["distance"].max()), 1e-3)
    written: list[float] = []
    for rung, all_of_it in known.items():
        axes.plot([0, all_of_it], [all_of_it, 0], color="0.6", ls=":", lw=0.8, zorder=0)
        if all(abs(all_of_it - other) > APART * most for other in written):
            written.append(all_of_it)
            value = climbs.loc[climbs["rung"] == rung, "value"].iloc[0]
            middle = (all_of_it / 2, all_of_it / 2)
            axes.annotate(f"{value:g}", middle, ha="center", va="center", **LABEL)
    for name, colour in colours.items():
        own = climbs[climbs["forecaster"] == name].sort_values("rung")
        axes.plot(own["distance"], own["skill"], color=colour, lw=1.0)
        axes.scatter(
            own["distance"],
            own["skill"],
            s=SMALLEST + GROWTH * own["rung"],
            color=colour,
            edgecolor="white",
            linewidth=0.5,
            zorder=3,
        )
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.set_xlim(-0.08 * most, 1.05 * most)
    axes.set_xlabel("distance from the oracle (nats)")
    axes.set_ylabel("skill over climatology (nats)")
