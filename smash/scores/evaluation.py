"""A forecaster tried on sequences: samples kept, every event scored, every block timed."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from smash.argument_checks import MOST_SAMPLES, MOST_SEED, check_whole, checked_levels
from smash.data.events import EventSequences
from smash.errors import DataError
from smash.law.draws_only import DRAWS_ALONE
from smash.law.forecaster import Forecaster
from smash.law.log_density import LogDensity
from smash.law.samples import Forecast
from smash.scores import (
    Scales,
    score_events,
    summarise,
    with_densities,
    with_groups,
    with_law_times,
)
from smash.settings import ScoreSettings

TIE_SEED = 7_919
"""Seeds the generator that breaks ties of ranks, so that scoring repeats."""
LEVELS = ScoreSettings().levels


@dataclass(frozen=True)
class Evaluation:
    """What a forecaster scored.

    `table` has a row an event (`smash.scores.event_scores`); `blocks` the same after each number of
    sampling steps short of the last; `timings` a row a batch and block. `levels` are those whose
    coverage is asked for; `lacking` says why densities, or some of them, are missing.
    """

    table: pd.DataFrame
    blocks: dict[int, pd.DataFrame]
    timings: pd.DataFrame
    scoring_seconds: float
    levels: tuple[float, ...]
    lacking: str = ""

    @cached_property
    def figures(self) -> dict[str, float]:
        """The figures of the finished forecasts under their stable names (`summarise`)."""
        return summarise(self.table, self.levels)

    @property
    def block_figures(self) -> dict[int, dict[str, float]]:
        """The figures after each number of steps, the last included."""
        figures = {step: summarise(t, self.levels) for step, t in self.blocks.items()}
        if self.blocks:
            figures[int(self.timings["step"].max())] = self.figures
        return dict(sorted(figures.items()))


@dataclass
class _Clock:
    """Seconds spent waiting for forecasts, a row each."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def timed(self, forecasts: Iterator[Forecast]) -> Iterator[Forecast]:
        batch, started = 0, time.perf_counter()
        for forecast in forecasts:
            seconds = time.perf_counter() - started
            n_events, n_samples = forecast.samples.gap.shape
            self.rows.append(
                {
                    "batch": batch,
                    "step": forecast.step,
                    "events": n_events,
                    "samples": n_events * n_samples,
                    "seconds": seconds,
                }
            )
            batch += forecast.final
            yield forecast
            started = time.perf_counter()


def score_forecasts(
    forecaster: Forecaster,
    sequences: EventSequences,
    n_samples: int,
    settings: ScoreSettings,
    generator: torch.Generator,
    scales: Scales | None = None,
    keep: Callable[[Forecast], None] | None = None,
    law_times: bool = False,
) -> Evaluation:
    """Returns the scores of a forecaster on all targets of `sequences`.

    Memory holds one batch of samples and a row of scores an event.

    Args:
        forecaster: whatever forecasts next events.
        sequences: the events to be forecast.
        n_samples: samples an event.
        settings: which figures are wanted.
        generator: the forecaster's source of randomness, on its device.
        scales: training standard deviations of gap and coordinates (`scales_of`).
        keep: called with each finished forecast, to write its samples away.
        law_times: scores gaps by the law's own cdf too, where it has one.
    """
    # Finished forecasts have their own, so that their scores do not depend on the blocks scored.
    ties = {final: torch.Generator().manual_seed(TIE_SEED) for final in (True, False)}
    clock, scoring = _Clock(), 0.0
    tables: dict[int, list[pd.DataFrame]] = defaultdict(list)
    final: list[pd.DataFrame] = []
    for forecast in clock.timed(forecaster.forecast(sequences, n_samples, generator)):
        started = time.perf_counter()
        tie_breaker = ties[forecast.final]
        table = score_events(forecast.samples, forecast.targets, settings, tie_breaker, scales)
        (final if forecast.final else tables[forecast.step]).append(table)
        if forecast.final and keep:
            keep(forecast)
        scoring += time.perf_counter() - started
    blocks = {step: _whole(parts, sequences) for step, parts in tables.items()}
    table = _whole(final, sequences)
    density = LogDensity(lacking=DRAWS_ALONE)
    if hasattr(forecaster, "log_densities"):  # else it is something of the user's that draws alone
        density = forecaster.log_densities(sequences)
    table = with_densities(table, density)
    if law_times and density.time is not None:
        ties_of_law = torch.Generator().manual_seed(TIE_SEED)
        table = with_law_times(table, forecaster.laws(sequences), ties_of_law)
    timings = pd.DataFrame(clock.rows)
    return Evaluation(table, blocks, timings, scoring, settings.levels, density.lacking)


def evaluate(
    forecaster: Forecaster,
    sequences: EventSequences,
    *,
    n_samples: int = 300,
    seed: int = 0,
    levels: Sequence[float] = LEVELS,
) -> Evaluation:
    """Returns the scores of a forecaster on all targets of `sequences`: every event but the first.

    Equal seeds give equal scores. Memory holds one batch of samples and a row of scores an event.

    Args:
        forecaster: whatever forecasts next events, such as what `smash.load` returns.
        sequences: events in the units the forecaster was fitted in, such as `load_data(…).test`.
        n_samples: draws an event, 2 or more.
        seed: of the draws.
        levels: probabilities in (0, 1), growing, whose intervals and regions are tested.

    Raises:
        DataError: when `sequences` are none or have no targets, or other marks than the forecaster.
        ForecastError: for an impossible number of samples, seed or level.

    >>> import smash
    >>> from smash.baselines import Climatology
    >>> data = smash.load_data("simulated")
    >>> climatology = Climatology.fit(data.train, data.n_marks)
    >>> evaluation = smash.evaluate(climatology, data.test.select(range(5)), n_samples=20)
    >>> list(evaluation.table[["sequence", "event"]].iloc[0])
    [0, 1]
    >>> evaluation.figures["n_events"] == len(evaluation.table)
    True
    """
    check_whole("n_samples", n_samples, 2, MOST_SAMPLES)
    check_whole("seed", seed, 0, MOST_SEED)
    settings = ScoreSettings(levels=checked_levels(levels), original=False)
    _check_sequences(sequences)
    generator = torch.Generator(getattr(forecaster, "device", "cpu")).manual_seed(int(seed))
    return score_forecasts(forecaster, sequences, n_samples, settings, generator, law_times=True)


def _check_sequences(sequences: object) -> None:
    if not isinstance(sequences, EventSequences):
        raise DataError(
            f"a forecaster is tried on sequences of events, given {type(sequences).__name__}; "
            "give one split of a data set, such as smash.load_data('football').test"
        )
    if not sequences.is_target.any():
        raise DataError(
            f"{sequences.name}: no event to be forecast; a sequence needs two events or more"
        )


def _whole(parts: list[pd.DataFrame], sequences: EventSequences) -> pd.DataFrame:
    return with_groups(pd.concat(parts, ignore_index=True), sequences)


def log_scales(scales: Scales) -> dict[str, float]:
    """Returns what nats of time and of place are lower by in units of these scales (`scales_of`).

    A density of t / s is s times that of t, so that raw log losses minus these are the ones of data
    standardised by their training standard deviations. Nothing where a scale is 0.
    """
    if min(scales) <= 0:
        return {}
    time, *place = np.log(scales).tolist()
    return {"time": time} | ({"place": sum(place)} if place else {})


def scales_of(train: EventSequences) -> Scales:
    """Returns the standard deviations of gaps and each coordinate, for the joint energy score."""
    gap = float(train.gap[train.is_target].std())
    return (gap, *train.location.std(axis=0).tolist())
