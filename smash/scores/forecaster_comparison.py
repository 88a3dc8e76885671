"""Forecasters held against each other on the same events: figures, intervals, differences."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

import pandas as pd

from smash.data.events import EventSequences
from smash.errors import ForecastError
from smash.law.forecaster import Forecaster
from smash.scores.bootstrap import Resampling, differences, figure_intervals
from smash.scores.evaluation import LEVELS, Evaluation, evaluate

COLUMNS = ("value", "low", "high", "difference", "difference_low", "difference_high", "p_value")


def compare(
    forecasters: Mapping[str, Forecaster],
    sequences: EventSequences,
    *,
    n_samples: int = 300,
    seed: int = 0,
    levels: Sequence[float] = LEVELS,
) -> pd.DataFrame:
    """Returns a row for each forecaster and figure, the first forecaster being the one to beat.

    `value`, `low`, `high`: the figure and its 95 % interval. For proper scores of all but the first
    forecaster also `difference`, `difference_low`, `difference_high`: the mean score minus the
    first's on the same events and its 95 % interval, below zero where this forecaster is better;
    `p_value`: that of no difference. NaN where there is none. Events are resampled by group
    (`smash.scores.bootstrap`); figures are in the data's units, shares are fractions.

    Args:
        forecasters: by the names that their rows are to have.
        sequences: the events, as in `smash.evaluate`, which also explains the others.
        n_samples: draws an event.
        seed: of the draws; each forecaster starts from it.
        levels: whose intervals and regions are tested.

    Raises:
        DataError: as `smash.evaluate`.
        ForecastError: likewise, and when no forecaster is named.

    >>> import smash
    >>> from smash.baselines import Climatology, Markov
    >>> data = smash.load_data("simulated")
    >>> climatology = Climatology.fit(data.train, data.n_marks)
    >>> rivals = {"climatology": climatology, "markov": Markov.fit(data.train, data.n_marks)}
    >>> table = smash.compare(rivals, data.test.select(range(5)), n_samples=20)
    >>> list(table.columns)
    ['value', 'low', 'high', 'difference', 'difference_low', 'difference_high', 'p_value']
    >>> bool(table.loc[("markov", "mark_log_loss"), "difference"] < 0)
    True
    """
    if not isinstance(forecasters, Mapping) or not forecasters:
        raise ForecastError("forecasters: give one or more by name, such as {'mine': forecaster}")
    found = {
        name: evaluate(forecaster, sequences, n_samples=n_samples, seed=seed, levels=levels)
        for name, forecaster in forecasters.items()
    }
    return comparison_of(found)


def comparison_of(evaluations: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Returns the table of `compare` for forecasters that were evaluated on the same events."""
    first, *_ = evaluations
    resampling = Resampling.of(evaluations[first].table)
    rows = {}
    for name, evaluation in evaluations.items():
        table = evaluation.table
        figures = figure_intervals(table, evaluation.levels, resampling)
        held = differences(table, evaluations[first].table, resampling) if name != first else {}
        for figure, interval in figures.items():
            # The figure of a proper score is named as its column.
            paired = astuple(held[figure]) if figure in held else ()
            rows[name, figure] = dict(zip(COLUMNS, (*astuple(interval), *paired), strict=False))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["forecaster", "figure"])
    return table
