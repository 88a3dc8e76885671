"""A forecaster tried on sequences: samples kept, every event scored, every block timed."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pandas as pd
import torch

from smash.data.events import EventSequences
from smash.law.samples import Density, Forecast, Forecaster
from smash.scores import score_events, summarise, with_densities, with_groups
from smash.settings import ScoreSettings

TIE_SEED = 7_919
"""Seeds the generator that breaks ties of ranks, so that scoring repeats."""


@dataclass(frozen=True)
class Evaluation:
    """What a forecaster scored.

    `table` has a row an event (`smash.scores.event_scores`); `blocks` the same after each number of
    sampling steps short of the last; `timings` a row a batch and block.
    """

    table: pd.DataFrame
    blocks: dict[int, pd.DataFrame]
    timings: pd.DataFrame
    scoring_seconds: float

    def figures(self, settings: ScoreSettings) -> dict[str, float]:
        """Returns the figures of the finished forecasts under their stable names."""
        return summarise(self.table, settings.levels)

    def block_figures(self, settings: ScoreSettings) -> dict[int, dict[str, float]]:
        """Returns the figures after each number of steps, the last included."""
        figures = {step: summarise(t, settings.levels) for step, t in self.blocks.items()}
        if self.blocks:
            figures[int(self.timings["step"].max())] = self.figures(settings)
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


def evaluate(
    forecaster: Forecaster,
    sequences: EventSequences,
    n_samples: int,
    settings: ScoreSettings,
    generator: torch.Generator,
    scales: tuple[float, float, float] | None = None,
    keep: Callable[[Forecast], None] | None = None,
) -> Evaluation:
    """Returns the scores of a forecaster on all targets of `sequences`.

    Memory holds one batch of samples and a row of scores an event.

    Args:
        forecaster: whatever forecasts next events.
        sequences: the events to be forecast.
        n_samples: samples an event.
        settings: which figures are wanted.
        generator: the forecaster's source of randomness, on its device.
        scales: training standard deviations of gap and both coordinates (`scales_of`).
        keep: called with each finished forecast, to write its samples away.
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
    if isinstance(forecaster, Density):
        table = with_densities(table, forecaster.log_densities(sequences))
    return Evaluation(table, blocks, pd.DataFrame(clock.rows), scoring)


def _whole(parts: list[pd.DataFrame], sequences: EventSequences) -> pd.DataFrame:
    return with_groups(pd.concat(parts, ignore_index=True), sequences)


def scales_of(train: EventSequences) -> tuple[float, float, float]:
    """Returns the standard deviations of gap and both coordinates, for the joint energy score."""
    x, y = train.location.std(axis=0)
    return float(train.gap[train.is_target].std()), float(x), float(y)
