"""Plots of a study: its course, and how its figures depend on what varies."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

PLOTS = {
    "history": "plot_optimization_history",
    "importances": "plot_param_importances",
    "parallel_coordinate": "plot_parallel_coordinate",
    "contour": "plot_contour",
    "slice": "plot_slice",
}
"""Names of plots, and Optuna's functions that draw them."""
KEY = re.compile(r"(?:[a-z_]+\.)+([a-z]\w*)(\.\.\.)?")


def plots(study: optuna.Study, names: Sequence[str]) -> "Iterator[tuple[str, Figure]]":
    """Yields a study's plots with their names; those that need more trials are left out.

    `names` are those of its figures, in order; with several there is a set of plots for each.
    """
    import matplotlib

    matplotlib.use("Agg")
    from optuna.visualization import matplotlib as draw

    several = len(names) > 1
    for position, figure in enumerate(names):
        for name, function in PLOTS.items():
            plot = getattr(draw, function)
            if several:
                drawn = _drawn(plot, study, target=_target(position), target_name=figure)
            else:
                drawn = _drawn(plot, study, target_name=figure)
            if drawn is not None:
                yield (f"{figure}/{name}" if several else name), drawn
    if len(names) in (2, 3):
        front = _drawn(draw.plot_pareto_front, study, target_names=list(names))
        if front is not None:
            yield "pareto_front", front


def _target(position: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: trial.values[position]


def _drawn(plot: Callable[..., Any], study: optuna.Study, **options: object) -> "Figure | None":
    """Returns a figure, None where there are too few trials for it, or too alike ones."""
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            axes = plot(study, **options)
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            logger.info("%s: %s", plot.__name__, error)
            return None
    figure = np.ravel(axes)[0].get_figure()
    plt.close(figure)
    _tidy(figure, np.shape(axes))
    return figure


def _tidy(figure: "Figure", panels: tuple[int, ...]) -> None:
    """Gives panels room, keys their last part alone, and logarithmic axes plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    rows, columns = (panels if len(panels) == 2 else (1, *panels)) if panels else (1, 1)
    if rows * columns > 1:
        figure.set_size_inches(1.5 + 2.4 * columns, 1.0 + 2.4 * rows)
        figure.set_layout_engine("constrained")
    for axes in figure.axes:
        axes.tick_params(labelsize=7 if rows * columns > 1 else 9)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_label_text(_short(axis.get_label_text()), fontsize=9)
            if axis.get_scale() == "log":
                axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
                axis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axis.set_minor_formatter(NullFormatter())
            names = [label.get_text() for label in axis.get_ticklabels()]
            if any(_short(name) != name for name in names):
                axis.set_ticks(axis.get_ticklocs(), [_short(name) for name in names])
    if rows > 1:  # every row and column is labelled once, at the edge
        for axes in figure.axes[: rows * columns]:
            axes.label_outer()


def _short(text: str) -> str:
    """Returns the last part of a dotted key, which Optuna may have cut; other words as they are."""
    match = KEY.fullmatch(text)
    return text if match is None else match[1] + ("…" if match[2] else "")
