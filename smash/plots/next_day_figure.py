"""Next-day forecasts against what happened: numbers of events, quantiles of CSEP's tests."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.stats import binom

from smash.plots.diagnostics import FORECAST, PALETTE, STYLE, TRUTH, WIDTH

Floats = NDArray[np.float64]

HEIGHT = 2.6
"""Inches."""
MOST_EVEN = 40
"""Events a day above which their axis is logarithmic."""
COLOURS = (PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[4])
"""Of the tests."""


@rc_context(STYLE)
def next_day_figure(
    observed: Floats, low: Floats, high: Floats, quantiles: Mapping[str, Sequence[float | None]]
) -> Figure:
    """Returns events a day (N,) in the band that 95 % of the catalogues have, and quantiles.

    `quantiles`: of each test by name, a day each, None where it says nothing. Those of the true
    law are even, so that the shares of days follow the diagonal, within the band of the 95 % that
    chance gives as many days as the first test has.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    day = np.arange(len(observed)) + 1
    left.fill_between(
        day, low, high, step="mid", color=FORECAST, alpha=0.3, lw=0, label="95 % of catalogues"
    )
    inside = (observed >= low) & (observed <= high)
    left.plot(day[inside], observed[inside], "o", ms=3, color="0.25", label="happened")
    if not inside.all():
        left.plot(day[~inside], observed[~inside], "o", ms=3, color=TRUTH, label="beyond these")
    most = max(observed.max(), high.max(), 1)
    left.set(xlabel="day of the test", ylabel="events", ylim=(-0.03 * most, 1.05 * most))
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    if most > MOST_EVEN:
        left.set(yscale="symlog", ylim=(-0.2, 1.5 * most))
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0)
    _draw_quantiles(right, quantiles)
    return figure


def _draw_quantiles(axis: Axes, quantiles: Mapping[str, Sequence[float | None]]) -> None:
    """Draws the share of days whose quantile is no greater, test by test."""
    line = np.linspace(0, 1, 101)
    axis.plot(line, line, color="0.5", lw=0.8, ls="--")
    for place, (name, values) in enumerate(quantiles.items()):
        known = np.sort([value for value in values if value is not None])
        n = len(known)
        if not n:
            continue
        if place == 0:
            low, high = (binom.ppf(level, n, line) / n for level in (0.025, 0.975))
            axis.fill_between(line, low, high, color="0.5", alpha=0.15, lw=0)
        share = np.arange(1, n + 1) / n
        axis.step(known, share, where="post", color=COLOURS[place], label=f"{name}, {n} days")
    axis.set(xlabel="quantile of what happened", ylabel="share of days", xlim=(0, 1), ylim=(0, 1))
    axis.legend(loc="lower right")
