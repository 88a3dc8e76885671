"""A trained model as a source of next events and futures."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.batching import ScaledSequences
from smash.errors import ForecastError
from smash.forecast.histories import History
from smash.forecast.model_forecaster import ModelForecaster
from smash.forecast.paths import Paths
from smash.forecast.reach import check_reach, numbers
from smash.forecast.rollout import OnProgress, roll_out
from smash.law.samples import Samples
from smash.model.smash import Smash
from smash.sampling import to_samples
from smash.sampling.waiting import draw_after
from smash.settings import SamplingSettings

FORECAST = SamplingSettings(sampler="inverse_cdf", denoise="posterior", location_steps=60)
"""How people's forecasts are drawn unless asked otherwise: posterior draws are neither too wide
nor too narrow (see `smash.sampling.denoising`)."""


@dataclass(frozen=True)
class ModelSource:
    """Draws from a model; implements `smash.forecast.event_forecaster.Source`.

    Times and marks are drawn by inverting the model's law whatever `sampling.sampler` says, as
    this is quick and can be conditioned on no event having come since the last one.
    """

    model: Smash
    sampling: SamplingSettings = FORECAST

    @property
    def n_marks(self) -> int:
        return self.model.n_marks

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def forecaster(self) -> ModelForecaster:
        """What draws the events of whole sequences, each after those before it."""
        return ModelForecaster(self.model, self.sampling)

    @property
    def region(self) -> NDArray[np.float64]:
        """(2, 2) least and greatest coordinates of the training data."""
        return np.array([self.model.scaler.location_low, self.model.scaler.location_high])

    @torch.inference_mode()
    def draw(self, history: History, n_samples: int, generator: torch.Generator) -> Samples:
        """Returns samples (1, S) of the event after `history`; none comes before its `now`.

        Raises:
            ForecastError: when the history is empty, or so far from the training data that no
                number comes of it.
        """
        settings = replace(self.sampling, total_samples=n_samples)
        network, sigma = self.model.network, self.model.noise_scale()
        context, after = self.context(history), self.after(history)
        chains = draw_after(network, context, sigma, settings, generator, after)
        samples = to_samples(chains, self.model.scaler)
        # Scaling there and back rounds.
        return numbers(replace(samples, gap=np.maximum(samples.gap, history.elapsed)))

    def simulate(
        self,
        history: History,
        horizon: float,
        n_paths: int,
        generator: torch.Generator,
        max_events: int,
        on_progress: OnProgress = lambda share: None,
    ) -> Paths:
        """Returns futures until `horizon` beyond the history's `now` (`smash.forecast.rollout`).

        Raises:
            ForecastError: as `draw`, or when a path has more than `max_events` events.
        """
        self._check(history, horizon)
        return roll_out(
            self.model,
            history,
            self.after(history),
            horizon,
            n_paths,
            self.sampling,
            generator,
            max_events,
            on_progress,
        )

    @torch.inference_mode()
    def context(self, history: History) -> Tensor:
        """Returns the context (1, C) after the history's last event."""
        self._check(history)
        sequences = ScaledSequences(history.events, self.model.scaler, str(self.model.device))
        return self.model.encoder(sequences.batch([0]))[:, -1]

    def after(self, history: History) -> Tensor | None:
        """Returns z (1, 1) of how long no event has come; None right after an event."""
        if history.elapsed <= 0:
            return None
        u = self.model.scaler.scale_gap(np.array([[history.elapsed]]), position=0.0)
        return torch.from_numpy(2 * u - 1).to(self.model.device, torch.float32)

    def _check(self, history: History, horizon: float = 0.0) -> None:
        if not len(history):
            raise ForecastError(
                "history: no events, and the model has no start token; give one event or more"
            )
        check_reach(history, self.model.about, self.model.scaler, horizon)
