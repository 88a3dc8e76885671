"""Forecasts for people: tables of events in, next events and futures out, in the data's words."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smash.argument_checks import MOST_SAMPLES, MOST_SEED, check_level, check_whole
from smash.data.events import EventSequences, Targets
from smash.data.geography import wrapped
from smash.data.tables import Table
from smash.errors import CheckpointError, DataError, ForecastError
from smash.forecast.futures import Futures
from smash.forecast.histories import History, Time, read_history, read_moments
from smash.forecast.intensity_map import IntensityMap, intensity_map
from smash.forecast.model_forecaster import FORECAST, ModelForecaster
from smash.forecast.next_event import Levels, NextEvent, next_event
from smash.forecast.reach import check_reach, numbers
from smash.law.ensemble import Ensemble
from smash.law.forecaster import Forecaster
from smash.law.log_density import LogDensity
from smash.law.next_event_law import NextEventLaw
from smash.law.paths import MOST_EVENTS, MOST_IN_ALL
from smash.law.roll_out import OnProgress
from smash.law.samples import Forecast
from smash.model.smash import About, Smash
from smash.scores.recalibration import Recalibration, way_of
from smash.settings import Columns, SamplingSettings

LEVELS = (0.5, 0.9)


class Extrapolation(UserWarning):
    """A forecast reaches beyond what its model was trained on."""


@dataclass(frozen=True)
class EventForecaster:
    """A trained forecaster with what it knows of its data: names, units, windows.

    Equal seeds give equal forecasts. `region` (2, 2): least and greatest coordinates of the
    training data, on their plane; (2, 0) without places. Whole sequences are forecast in the units
    it was trained in.
    """

    forecaster: Forecaster
    about: About
    region: NDArray[np.float64]
    recalibration: Levels | None = None

    @classmethod
    def of_model(
        cls,
        model: Smash,
        sampling: SamplingSettings = FORECAST,
        recalibration: Levels | None = None,
    ) -> "EventForecaster":
        """Returns the forecaster for people of a trained model."""
        forecaster = ModelForecaster(model, sampling)
        return cls(forecaster, model.about, model.scaler.region, recalibration)

    def next(
        self,
        history: pd.DataFrame | Table,
        *,
        levels: Sequence[float] = LEVELS,
        n_samples: int = 300,
        recalibrated: bool = False,
        columns: Columns | None = None,
        sequence: str | None = None,
        start: Time | None = None,
        now: Time | None = None,
        seed: int = 0,
    ) -> NextEvent:
        """Returns the forecast of the event after a history.

        Args:
            history: a row an event: `time`, `x`, `y` and, for a marked forecaster, `mark`, or
                the training table's own columns (see `smash.forecast.histories.read_history`, also
                for `columns`, `start` and `now`).
            levels: probabilities that intervals and regions are to hold, in (0, 1).
            n_samples: draws behind the forecast.
            recalibrated: corrects levels and mark probabilities by what validation data said.
            columns: the history's column names; by default those of the training table where
                the history has them.
            sequence: which one of the sequences in the history's sequence column.
            start: start of the observed window.
            now: until when no further event came; by default the last event.
            seed: of the draws.

        Raises:
            DataError: naming the event and what is wrong with it.
            ForecastError: for impossible levels or numbers of samples, or a history without
                events where the forecaster needs one.
        """
        _check_request(levels, n_samples)
        known = self._read(history, columns, start, now, sequence)
        notes = self._notes(known)
        law = self.forecaster.law_after(known.events)
        if known.elapsed > 0:
            law = law.given_no_event_until(np.array([known.elapsed]))
        samples = numbers(law.sample(n_samples, self._generator(seed)))
        return next_event(samples, known, self.about, levels, self._corrected(recalibrated), notes)

    def simulate(
        self,
        history: pd.DataFrame | Table,
        *,
        horizon: float | str,
        n_paths: int = 1000,
        max_events: int = MOST_EVENTS,
        columns: Columns | None = None,
        sequence: str | None = None,
        start: Time | None = None,
        now: Time | None = None,
        seed: int = 0,
        on_progress: OnProgress = lambda share: None,
    ) -> Futures:
        """Returns futures of a history until a horizon, given no event between its last and `now`.

        Args:
            history: as in `next`, which also explains `columns`, `sequence`, `start`, `now` and
                `seed`.
            horizon: how far beyond `now`: in the data's unit of time, or text such as `1d`.
            n_paths: how many futures.
            max_events: most events of a path; more are taken for an explosion.
            columns: the history's column names; by default those of the training table where
                the history has them.
            sequence: which one of the sequences in the history's sequence column.
            start: start of the observed window.
            now: until when no further event came; by default the last event.
            seed: of the draws.
            on_progress: called with the share of the work that was done since the last call.

        Raises:
            DataError: naming the event and what is wrong with it.
            ForecastError: for an impossible request, or when a path has too many events.
        """
        span = self.about.clock.duration(horizon)
        check_whole("n_paths", n_paths, 1, MOST_SAMPLES)
        check_whole("max_events", max_events, 1, MOST_IN_ALL)
        known = self._read(history, columns, start, now, sequence, span)
        notes = self._notes(known, span)
        paths = self.forecaster.simulate(
            known.events, known.now, span, n_paths, self._generator(seed), max_events, on_progress
        )
        return Futures(paths, known, self.about, self.forecaster.n_marks, self.region, notes)

    def intensity(
        self,
        history: pd.DataFrame | Table,
        times: Sequence[Time],
        *,
        cells: int = 30,
        region: NDArray[np.float64] | None = None,
        columns: Columns | None = None,
        sequence: str | None = None,
        start: Time | None = None,
        now: Time | None = None,
    ) -> IntensityMap:
        """Returns the intensity λ(t, x, k | history) on a grid of places, at `times`.

        At each time given the events before it and none since, so that a history that goes on with
        a path of `simulate` has the intensity along that path.

        Args:
            history: as in `next`, which also explains `columns`, `sequence`, `start` and `now`.
            times: numbers, or timestamps where the training data's times were, after `start`.
            cells: to a side of the grid.
            region: (2, 2) least and greatest coordinates as people write them, of longitudes the
                western end first; by default the training data's.
            columns: the history's column names; by default those of the training table where
                the history has them.
            sequence: which one of the sequences in the history's sequence column.
            start: start of the observed window.
            now: until when no further event came; by default the last event.

        Raises:
            DataError: naming the event, or the time, and what is wrong with it.
            ForecastError: for an impossible request, events without places, or a forecaster whose
                law of the time or the place has no density.
        """
        if not self.region.shape[1]:
            raise ForecastError("a map of the intensity is one of places; these events have none")
        wanted = read_moments(times, self.about, "times")
        known = self._read(history, columns, start, now, sequence)
        span = max(float(wanted.max(initial=known.now)) - known.now, 0.0)
        if span > 0:
            known = self._read(history, columns, start, now, sequence, span)
        notes = self._notes(known, span)
        box = self.about.geography.box(self.region) if region is None else region
        return intensity_map(self.forecaster, known, wanted, self.about, box, cells, notes)

    @property
    def device(self) -> torch.device:
        """Where the generator of its draws lives."""
        return self.forecaster.device

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets of `sequences`, a few sequences at a time.

        Raises:
            DataError: when marks are missing, or beyond those of the training data.
        """
        known = self._with_its_marks(sequences)
        yield from self.forecaster.forecast(known, n_samples, generator)

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        """Yields all targets of `sequences` in order, some at a time, with their laws.

        Raises:
            DataError: as `forecast`.
        """
        yield from self.forecaster.laws(self._with_its_marks(sequences))

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        """Returns log densities of all targets, by parts, and what is lacking.

        Raises:
            DataError: as `forecast`.
        """
        return self.forecaster.log_densities(self._with_its_marks(sequences))

    def _with_its_marks(self, sequences: EventSequences) -> EventSequences:
        n_marks = self.forecaster.n_marks
        if n_marks == 1:
            return sequences.without_marks()
        if sequences.mark is None:
            raise DataError(
                f"{sequences.name}: no marks, and the forecaster was trained on {n_marks}: "
                f"{', '.join(self.about.mark_names)}; give events with their marks"
            )
        if len(sequences.mark) and sequences.mark.max() >= n_marks:
            raise DataError(
                f"{sequences.name}: mark {sequences.mark.max()}, and the forecaster was trained on "
                f"{n_marks} marks, 0 to {n_marks - 1}; give data of the kind it was trained on"
            )
        return sequences

    def _read(
        self,
        table: pd.DataFrame | Table,
        columns: Columns | None,
        start: Time | None,
        now: Time | None,
        sequence: str | None,
        horizon: float = 0.0,
    ) -> History:
        n_marks = self.forecaster.n_marks
        history = read_history(
            table, self.about, n_marks, columns, start, now, horizon, sequence=sequence
        )
        check_reach(history, self.about, self.region, horizon)
        return history

    def _generator(self, seed: int) -> torch.Generator:
        check_whole("seed", seed, 0, MOST_SEED)
        return torch.Generator(self.device).manual_seed(int(seed))

    def _corrected(self, recalibrated: bool) -> Levels | None:
        if recalibrated and self.recalibration is None:
            raise ForecastError(
                "the model has no recalibration.json beside its weights, or one for samples drawn "
                "otherwise; leave recalibrated out, or take the model of a run tested with "
                "sampling.sampler=inverse_cdf and sampling.denoise=posterior"
            )
        return self.recalibration if recalibrated else None

    def _notes(self, history: History, horizon: float = 0.0) -> tuple[str, ...]:
        """Returns how the history was read, and what is extrapolated, which is warned of."""
        low, high = self.region
        said = f".{history.decimals}f"
        location = history.events.location
        outside = ((location < low) | (location > high)).any(axis=1)
        notes = []
        if outside.any():
            geography = self.about.geography
            box = geography.box(np.stack([low, high]))
            (west, south), (east, north) = wrapped(box) if geography.geographic else box
            first = np.round(geography.written(location[outside][0]), 9)
            notes.append(
                f"{outside.sum()} of {len(history)} events lie outside of the region of the "
                f"training data ({west:{said}} to {east:{said}}, {south:{said}} to "
                f"{north:{said}}), the first at {tuple(first.tolist())}: the forecast extrapolates"
            )
        longest, reach = self.about.window_length, history.now + horizon - history.start
        if longest is not None and reach > longest * (1 + 1e-9):
            unit = self.about.time_unit
            notes.append(
                f"history and horizon span {reach:g} {unit}, training windows no more than "
                f"{longest:g}: the forecast extrapolates"
            )
        for note in notes:
            warnings.warn(note, Extrapolation, stacklevel=4)
        return (*history.notes, *notes)


def load_forecaster(
    paths: Sequence[Path | str], device: str = "cpu", sampling: SamplingSettings = FORECAST
) -> EventForecaster:
    """Returns the forecaster whose checkpoint lies in a folder, or the ensemble of several.

    One has the recalibration beside the model if that was fitted to samples drawn as here; what
    members need is not what their mixture needs, so an ensemble has none.

    Raises:
        CheckpointError: when none is named, a file is missing, damaged or of another format, or
            models of different data are to be mixed.
    """
    if not paths:
        raise CheckpointError("no model is named; name the folder of one, or of several")
    models = [Smash.load(path, device) for path in paths]
    if len(models) > 1:
        return _ensemble(paths, models, sampling)
    beside = Recalibration.load(Path(paths[0]))
    fits = beside is not None and beside.drawn_by == way_of(sampling)
    return EventForecaster.of_model(models[0], sampling, beside if fits else None)


def _ensemble(
    paths: Sequence[Path | str], models: Sequence[Smash], sampling: SamplingSettings
) -> EventForecaster:
    first = models[0]
    for path, model in zip(paths, models, strict=True):
        if (model.about, model.n_marks) != (first.about, first.n_marks):
            raise CheckpointError(
                f"{path}: trained on other events, or other units or marks, than {paths[0]}; mix "
                "models that were trained on the same data"
            )
    mixed = Ensemble(tuple(ModelForecaster(model, sampling) for model in models))
    return EventForecaster(mixed, first.about, first.scaler.region)


def _check_request(levels: Sequence[float], n_samples: int) -> None:
    for level in levels:
        check_level(level)
    check_whole("n_samples", n_samples, 2, MOST_SAMPLES)
