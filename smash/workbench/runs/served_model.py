"""The logged model or pool: histories in, a summary of each next event out. MLflow loads this file.

It is logged as code ("models from code"), so nothing is pickled, and needs only `smash` and what
that imports. A request that cannot be answered is refused with the reason and status 400, and the
server goes on. MLflow's server answers 504 after a while and lets the computing go on for nobody;
here it stops by itself a little before.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from smash.argument_checks import MOST_SEED, check_whole
from smash.baselines.kept_pools import asks_magnitudes, load_pool, model_among
from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences
from smash.data.rows import read_sequences
from smash.data.tables import Table
from smash.errors import DataError, ForecastError, SmashError
from smash.forecast.histories import COLUMNS, History, read_history
from smash.forecast.next_event import mark_names
from smash.forecast.reach import check_reach, numbers
from smash.law.forecaster import Forecaster
from smash.law.samples import Samples, concatenated
from smash.model.smash import Smash
from smash.sampling import sample_blocks, to_samples
from smash.scores.recalibration import Recalibration, way_of
from smash.settings import SamplingSettings
from smash.sizes import sampling_sizes

PERCENT = {"low_90": 5, "low_50": 25, "median": 50, "high_50": 75, "high_90": 95}
MOST_EVENTS, MOST_SEQUENCES, MOST_SAMPLES, MOST_STEPS = 200_000, 10_000, 20_000, 1_000_000
"""Events and sequences of a request, samples of each, and steps of each sample."""
MOST_WORK = 100_000_000
"""Sequences × samples × steps of a request: some minutes on a CPU."""
MOST_PADDED, MOST_DRAWS = 200_000, 20_000
"""Events, padding counted, and samples of the sequences that are forecast at a time."""
MAGNITUDE = "magnitude"
"""The column of magnitudes, for a model that is told of them."""
POOL = "pool"
"""What an artifact is called that is a pool."""
OTHER_STEPS = 10
"""What drawing time and mark costs, in steps of a location's chain."""
STEPS_AT_A_TIME = 50
"""Steps of a chain after which it is looked whether there is time left."""
SHARE = 0.9
"""Of the server's time for an answer: reading and writing take some, too."""
_end: ContextVar[float] = ContextVar("end", default=math.inf)
"""When the computing of this thread's request has to stop, by the monotonic clock."""


class NextEvent(PythonModel):
    """Summaries of samples of the event after each history."""

    def load_context(self, context: PythonModelContext) -> None:
        """Reads the model and how it is sampled from the logged artifacts."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        sampling = json.loads(Path(context.artifacts["sampling"]).read_text())
        self.settings = SamplingSettings(**sampling)
        self.pool: Forecaster | None = None
        self.recalibration: Recalibration | None = None
        if POOL in context.artifacts:
            kept = load_pool(Path(context.artifacts[POOL]), device)
            self.pool, self.model = kept.forecaster, model_among(kept)
            self.sized = asks_magnitudes(kept)
        else:
            self.model = Smash.load(context.artifacts["checkpoint"], device)
            self.sized = self.model.scaler.tells_magnitudes
            self.recalibration = Recalibration.load(Path(context.artifacts["checkpoint"]))
        for module in self.model.encoder.modules():
            module.register_forward_pre_hook(_check_time)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Returns a row a sequence: gap quantiles, mean location, mark probabilities.

        `model_input` has a row an event of its `sequence`: `time` (a number, or a timestamp where
        the training data had these), `x`, `y` (longitude and latitude where the training data had
        these; of events with places), for a marked model `mark`, by name, and for one that is told
        of them, or a pool of earthquakes' forecasters, `magnitude`. `gap_…`
        count from the last event; `gap_low_90` and `gap_high_90` hold 90 % of the samples between
        them; with the parameter `recalibrated` of 1 they and the probabilities are corrected by
        validation data.

        Raises:
            MlflowException: with the reason, for a request that cannot be answered.
        """
        end = _end.set(time.monotonic() + SHARE * server_timeout())
        try:
            return self._summaries(model_input, params or {})
        except SmashError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        finally:
            _end.reset(end)

    def _summaries(self, model_input: pd.DataFrame, chosen: dict[str, Any]) -> pd.DataFrame:
        total = chosen.get("n_samples", self.settings.total_samples)
        steps = chosen.get("sampling_steps", self.settings.sampling_steps)
        seed = chosen.get("seed", 0)
        check_whole("n_samples", total, 2, MOST_SAMPLES)
        check_whole("sampling_steps", steps, 1, MOST_STEPS)
        check_whole("seed", seed, 0, MOST_SEED)
        settings = replace(
            self.settings.with_draws(int(total)),
            sampling_steps=int(steps),
            per_step=min(int(steps), STEPS_AT_A_TIME),
        )
        _check_size(model_input, settings)
        generator = torch.Generator(self.model.device).manual_seed(int(seed))
        correct = self._correction(bool(chosen.get("recalibrated", 0)))
        names, histories = _histories(model_input, self.model, self.sized)
        for name, history in zip(names, histories, strict=True):
            _check_history(name, history, self.model)
        with_next = _with_next(histories)

        def drawn(indices: list[int]) -> Samples:
            if self.pool is None:
                return self._samples(with_next, indices, settings, generator)
            events = [histories[i].events for i in indices]
            return _pooled(self.pool, events, settings.total_samples, generator)

        summaries = [
            _summary(
                numbers(
                    correct(drawn(indices)),
                    tuple(names[indices]),
                ),
                [histories[i] for i in indices],
                self.model,
            )
            for indices in _groups(with_next.lengths, settings)
        ]
        return pd.concat(summaries, ignore_index=True).assign(sequence=names)[
            ["sequence", *summaries[0].columns]
        ]

    def _correction(self, recalibrated: bool) -> Callable[[Samples], Samples]:
        """Returns what is done to samples before they are summed up."""
        if not recalibrated:
            return lambda samples: samples
        if self.recalibration is None or self.recalibration.drawn_by != way_of(self.settings):
            raise DataError(
                "recalibrated: this model was logged without a recalibration of its samples; "
                "leave it out, or take a run that was tested with validation data to recalibrate by"
            )
        return self.recalibration.corrected

    @torch.no_grad()
    def _samples(
        self,
        histories: EventSequences,
        indices: list[int],
        settings: SamplingSettings,
        generator: torch.Generator,
    ) -> Samples:
        scaled = ScaledSequences(histories, self.model.scaler, str(self.model.device))
        batch = scaled.batch(indices)
        # The last row stands for the event to come; the context before it is the history's.
        contexts = batch.last_of(self.model.encoder(batch), before=1)
        *_, last = sample_blocks(self.model, contexts, settings, generator, _check_time)
        return to_samples(last.chains, self.model.scaler)


def _pooled(
    pool: Forecaster, histories: list[EventSequences], n_samples: int, generator: torch.Generator
) -> Samples:
    """Returns draws by the pool's law, history by history, before each of which time is told."""
    drawn = []
    for history in histories:
        _check_time()
        drawn.append(pool.law_after(history).sample(n_samples, generator))
    return concatenated(drawn)


def server_timeout() -> float:
    """Returns the seconds after which MLflow's server answers 504; infinite without a server.

    The server sets the variable for its own process.
    """
    variable = MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
    return float(variable.get()) if variable.is_set() else math.inf


def _check_time(*_: object) -> None:
    """Checks that there is time left; called before each layer and after each block of draws."""
    if time.monotonic() > _end.get():
        raise ForecastError(
            f"the answer takes longer than the {server_timeout():g} s that the server gives it "
            "(MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT); ask for fewer samples (n_samples) or steps "
            "(sampling_steps), or send fewer sequences at a time"
        )


def _check_size(table: pd.DataFrame, settings: SamplingSettings) -> None:
    if len(table) > MOST_EVENTS:
        raise ForecastError(f"{len(table)} events in one request; send {MOST_EVENTS} at most")
    n_sequences = table["sequence"].nunique() if "sequence" in table else 1
    if n_sequences > MOST_SEQUENCES:
        raise ForecastError(
            f"{n_sequences} sequences in one request; send {MOST_SEQUENCES} at most"
        )
    langevin, samples = settings.sampler == "langevin", settings.total_samples
    steps = settings.sampling_steps if langevin else settings.location_steps + OTHER_STEPS
    if n_sequences * samples * steps > MOST_WORK:
        raise ForecastError(
            f"{n_sequences} sequences x {samples} samples x {steps} steps are too many for one "
            f"request; {MOST_WORK:.0e} at most"
        )


def _check_history(name: object, history: History, model: Smash) -> None:
    try:
        check_reach(history, model.about, model.scaler.region)
    except ForecastError as error:
        raise ForecastError(f"sequence {name}: {error}") from error


def _histories(table: pd.DataFrame, model: Smash, sized: bool) -> tuple[np.ndarray, list[History]]:
    """Returns the sequences' names and their checked events, with magnitudes where `sized`."""
    if len(table) == 0:
        raise DataError("histories: no rows; give a row an event")
    sequence, labels = read_sequences(Table.of(table, "histories"), "sequence")
    rows = [np.flatnonzero(sequence == i) for i in range(len(labels))]
    names = table["sequence"].to_numpy()[[first for first, *_ in rows]]
    columns = COLUMNS if model.scaler.n_axes else COLUMNS.without_places()
    if sized:
        columns = replace(columns, magnitude=MAGNITUDE)
    return names, [
        read_history(
            table.iloc[of_sequence], model.about, model.n_marks, columns=columns, label=label
        )
        for label, of_sequence in zip(labels, rows, strict=True)
    ]


def _with_next(histories: list[History]) -> EventSequences:
    """Returns the histories' events as sequences, each with a row more for the event to come.

    That row repeats the last event; no context looks at it.
    """
    events = [history.events for history in histories]
    rows = [np.append(np.arange(len(one.time)), len(one.time) - 1) for one in events]
    marks = [one.mark[r] for one, r in zip(events, rows, strict=True) if one.mark is not None]
    sizes = [o.magnitude[r] for o, r in zip(events, rows, strict=True) if o.magnitude is not None]
    return EventSequences(
        np.concatenate([one.time[r] for one, r in zip(events, rows, strict=True)]),
        np.concatenate([one.location[r] for one, r in zip(events, rows, strict=True)]),
        np.concatenate(marks) if marks else None,
        np.concatenate([[0], np.cumsum([len(r) for r in rows])]),
        np.concatenate([one.window for one in events]),
        "histories",
        np.concatenate(sizes) if sizes else None,
    )


def _groups(lengths: NDArray[np.int64], settings: SamplingSettings) -> Iterator[list[int]]:
    """Yields the sequences of `lengths` a few at a time, as many as memory should hold."""
    sizes = sampling_sizes(settings, units=1, device="cpu")
    most = max(1, min(sizes.test_batch_size, MOST_DRAWS // settings.total_samples))
    group: list[int] = []
    for i, length in enumerate(lengths):
        longest = max(length, *(lengths[j] for j in group)) if group else length
        if group and (len(group) == most or (len(group) + 1) * longest > MOST_PADDED):
            yield group
            group = []
        group.append(i)
    yield group


def _summary(samples: Samples, histories: list[History], model: Smash) -> pd.DataFrame:
    quantiles = np.percentile(samples.gap, list(PERCENT.values()), axis=1)
    columns = {f"gap_{name}": row for name, row in zip(PERCENT, quantiles, strict=True)}
    last = np.array([history.last for history in histories])
    times = model.about.clock.times(last + columns["gap_median"])
    stamps = isinstance(times, pd.DatetimeIndex)
    columns["time_median"] = np.array([t.isoformat() for t in times]) if stamps else times
    places = model.about.geography.written(samples.location.mean(axis=1))
    columns |= {f"{axis}_mean": mean for axis, mean in zip("xy", places.T, strict=False)}
    if samples.mark_probability is not None:
        names = mark_names(model.about, model.n_marks)
        for name, probability in zip(names, samples.mark_probability.T, strict=True):
            columns[f"mark_{name}"] = probability
    return pd.DataFrame(columns)


mlflow.models.set_model(NextEvent())
