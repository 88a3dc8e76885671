"""How many events are as large as each magnitude, and from where on a catalogue looks complete."""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from smash.data.completeness import WIDTH as CELL
from smash.data.completeness import completeness
from smash.plots.diagnostics import FORECAST, HISTORY, STYLE, WIDTH

Floats = NDArray[np.float64]

HEIGHT = 2.6
"""Inches."""
HELD = 1.96
"""Standard errors that hold b with probability 95 %, where it is normal."""


@rc_context(STYLE)
def draw_magnitudes(magnitude: Floats) -> Figure:
    """Returns counts of magnitudes (E,) by cell and from each cell on, with the law above Mc.

    The band are the laws of Gutenberg and Richter whose b lies in its 95 % interval. Where too few
    events tell of completeness, there are counts alone.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axis, known = figure.add_subplot(), completeness(magnitude)
    cell = np.round(magnitude / CELL).astype(np.int64)
    counts = np.bincount(cell - cell.min())
    place = (cell.min() + np.arange(len(counts))) * CELL
    above = counts[::-1].cumsum()[::-1]
    some = counts > 0
    axis.plot(place[some], counts[some], "o", mfc="none", ms=3, color=HISTORY, label="of a cell")
    axis.plot(place, above, ".", ms=4, color=HISTORY, label="of a cell and larger")
    if known is not None:
        law = place[place >= known.magnitude - CELL / 2]
        n_above = above[-len(law)]

        def expected(b: float) -> Floats:
            return np.asarray(n_above * 10 ** (-b * (law - law[0])))

        low, high = (known.b + sign * HELD * known.error for sign in (-1, 1))
        axis.axvline(known.magnitude, color="0.5", lw=0.8, ls="--")
        axis.plot(law, expected(known.b), color=FORECAST, label=f"b = {known.b:.2f}")
        axis.fill_between(
            law, expected(high), expected(low), color=FORECAST, alpha=0.25, lw=0,
            label=f"95 %: {low:.2f} to {high:.2f}",
        )  # fmt: skip
        axis.set_title(f"looks complete from magnitude {known.magnitude:.1f} on")
    axis.set(xlabel="magnitude", ylabel="events", yscale="log", ylim=(0.7, None))
    axis.legend(loc="upper right")
    return figure
