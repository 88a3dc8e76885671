"""The few forecasts of a test that are drawn: picked while the samples stream by."""

from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

from smash.data.dataset import Dataset
from smash.data.events import EventSequences, Targets
from smash.law.samples import Forecast, Samples
from smash.plots import diagnostics

DRAWN_EVENTS = 4
HISTORY = 20
"""Earlier events shown beside a forecast."""

Record = TypeVar("Record", Targets, Samples)


class ShownForecasts:
    """Keeps the forecasts of a few events, spread over the test set, to draw them."""

    def __init__(self, sequences: EventSequences) -> None:
        n_targets = int(sequences.is_target.sum())
        picks = np.linspace(0, n_targets - 1, DRAWN_EVENTS + 2)[1:-1]
        self._rows = np.unique(picks.round().astype(np.int64))
        self._sequences, self._seen = sequences, 0
        self._kept: list[Forecast] = []

    def add(self, forecast: Forecast) -> None:
        """Keeps those of the picked events that are among the forecast's."""
        here = self._rows[
            (self._rows >= self._seen) & (self._rows < self._seen + len(forecast.targets))
        ]
        rows = here - self._seen
        self._seen += len(forecast.targets)
        if len(rows):
            self._kept.append(Forecast(forecast.targets[rows], forecast.samples[rows]))

    def draw(self, dataset: Dataset) -> Figure:
        """Returns the figure of the kept forecasts."""
        targets = _concatenate([forecast.targets for forecast in self._kept])
        samples = _concatenate([forecast.samples for forecast in self._kept])
        history = [
            self._history(sequence, event)
            for sequence, event in zip(targets.sequence, targets.event, strict=True)
        ]
        return diagnostics.forecast_densities(
            samples,
            targets,
            range(len(targets)),
            history=history,
            time_unit=dataset.time_unit,
            location_unit=dataset.location_unit,
            location_names=dataset.location_names,
        )

    def _history(self, sequence: int, event: int) -> np.ndarray:
        start = self._sequences.offsets[sequence]
        return self._sequences.location[max(start, start + event - HISTORY) : start + event]


def _concatenate(parts: list[Record]) -> Record:
    """Returns one record of arrays from several of the same kind."""
    columns: dict[str, Any] = {}
    for field in fields(parts[0]):
        values = [getattr(part, field.name) for part in parts]
        columns[field.name] = None if values[0] is None else np.concatenate(values)
    return type(parts[0])(**columns)
