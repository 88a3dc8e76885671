"""Plots of a study: its course, and how its figures depend on what varies."""

import logging
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
    return figure
