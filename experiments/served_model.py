"""The logged model: histories in, a summary of each next event out. MLflow loads this file.

It is logged as code ("models from code"), so nothing is pickled, and needs only `smash` and what
that imports. Times of a history count from the start of its window, as in the training data.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.pyfunc import PythonModel, PythonModelContext

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences, build_sequences
from smash.errors import DataError
from smash.model import Smash
from smash.samples import Samples
from smash.sampling import sample_blocks, to_samples
from smash.scores.recalibration import Recalibration, way_of
from smash.settings import SamplingSettings

PERCENT = {"low_90": 5, "low_50": 25, "median": 50, "high_50": 75, "high_90": 95}


class NextEvent(PythonModel):
    """Summaries of samples of the event after each history."""

    def load_context(self, context: PythonModelContext) -> None:
        """Reads the model and how it is sampled from the logged artifacts."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = Smash.load(context.artifacts["checkpoint"], device)
        sampling = json.loads(Path(context.artifacts["sampling"]).read_text())
        self.settings = SamplingSettings(**sampling)
        self.recalibration = Recalibration.load(Path(context.artifacts["checkpoint"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Returns a row a sequence: gap quantiles, mean location, mark probabilities.

        `model_input` has a row an event, in order of time within its `sequence`: `time`, `x`, `y`
        and, for a marked model, `mark` from 0. `gap_…` count from the last event;
        `gap_low_90` and `gap_high_90` hold 90 % of the samples between them; with the parameter
        `recalibrated` of 1 they and the probabilities are corrected by validation data.
        """
        chosen = params or {}
        total = int(chosen.get("n_samples", self.settings.total_samples))
        steps = int(chosen.get("sampling_steps", self.settings.sampling_steps))
        settings = replace(
            self.settings,
            total_samples=total,
            n_samples=min(total, self.settings.n_samples),
            sampling_steps=steps,
            per_step=steps,
        )
        generator = torch.Generator(self.model.device).manual_seed(int(chosen.get("seed", 0)))
        correct = self._correction(bool(chosen.get("recalibrated", 0)))
        names, histories = _histories(model_input, self.model)
        summaries = [
            _summary(correct(self._samples(histories, indices, settings, generator)))
            for indices in _groups(len(histories), settings.test_batch_size)
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
        rows = torch.arange(len(indices), device=self.model.device)
        contexts = self.model.encoder(batch)[rows, batch.length - 2]
        *_, last = sample_blocks(self.model, contexts, settings, generator)
        return to_samples(last.chains, self.model.scaler)


def _histories(table: pd.DataFrame, model: Smash) -> tuple[np.ndarray, EventSequences]:
    """Returns the sequences' names and their events, each with a row more for the event to come.

    That row repeats the last event; no context looks at it.
    """
    if len(table) == 0:
        raise DataError("histories: no rows; give a row an event")
    columns = ["time", "x", "y"] + ["mark"] * model.marked
    if missing := [name for name in ["sequence", *columns] if name not in table]:
        raise DataError(f"histories: no column {', '.join(missing)}; give a row an event")
    groups = [group for _, group in table.groupby("sequence", sort=False)]
    rows = pd.concat([pd.concat([group, group.tail(1)]) for group in groups])
    mark = rows["mark"].to_numpy() if model.marked else None
    if mark is not None and (unknown := mark[mark >= model.n_marks]).size:
        raise DataError(f"histories: mark {unknown[0]}; the model knows 0 to {model.n_marks - 1}")
    lengths = [len(group) + 1 for group in groups]
    name = np.array([group["sequence"].iloc[0] for group in groups])
    location = rows[["x", "y"]].to_numpy()
    return name, build_sequences(rows["time"].to_numpy(), location, mark, lengths, "histories")


def _groups(n: int, size: int) -> list[list[int]]:
    return [list(range(start, min(start + size, n))) for start in range(0, n, size)]


def _summary(samples: Samples) -> pd.DataFrame:
    quantiles = np.percentile(samples.gap, list(PERCENT.values()), axis=1)
    columns = {f"gap_{name}": row for name, row in zip(PERCENT, quantiles, strict=True)}
    columns["x_mean"], columns["y_mean"] = samples.location.mean(axis=1).T
    if samples.mark_probability is not None:
        for k, probability in enumerate(samples.mark_probability.T):
            columns[f"mark_{k}"] = probability
    return pd.DataFrame(columns)


mlflow.models.set_model(NextEvent())
