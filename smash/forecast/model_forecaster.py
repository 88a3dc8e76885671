"""Forecasts of a trained model: contexts of all targets, sampled and brought to raw units."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.blocks import slices
from smash.data.batching import Batch, ScaledSequences, first_rates
from smash.data.events import EventSequences, Targets
from smash.data.rates import Rates
from smash.forecast.model_law import ModelLaw
from smash.law.forecaster import Forecaster
from smash.law.next_event_law import NextEventLaw
from smash.law.samples import Forecast
from smash.law.state import State
from smash.model.encoder_memory import GrowingHistories
from smash.model.first_events import check_known, laws_after
from smash.model.location_head import GrowingTerms
from smash.model.smash import Smash
from smash.sampling import sample_blocks, to_samples
from smash.scores.recalibration import way_of
from smash.settings import SamplingSettings
from smash.sizes import sampling_sizes

BLOCK_EVENTS = 128
"""Events whose laws are given together."""
FORECAST = SamplingSettings(sampler="inverse_cdf", denoise="posterior", location_steps=60)
"""How people's forecasts are drawn unless asked otherwise: posterior draws are neither too wide
nor too narrow (see `smash.sampling.denoising`)."""


@dataclass(frozen=True)
class ModelForecaster(Forecaster):
    """A model with a sampler.

    Memory is bounded by `test_batch_size` sequences, whatever the size of the test set.
    """

    model: Smash
    settings: SamplingSettings = FORECAST
    on_steps: Callable[[int], None] | None = None

    @property
    def n_marks(self) -> int:
        return self.model.n_marks

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def drawn_by(self) -> str:
        return way_of(self.settings)

    @property
    def steps_a_draw(self) -> int:
        return self.settings.sampling_steps

    def reporting(self, on_steps: Callable[[int], None]) -> "ModelForecaster":
        return replace(self, on_steps=on_steps)

    @torch.no_grad()
    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets by the sampler of `settings`, after each block of steps.

        All blocks of a batch of sequences come before the next batch; `final` marks its last.
        """
        settings = self.settings.with_draws(n_samples)
        for targets, batch in self._batches(sequences):
            context = self.model.contexts(batch)
            for block in sample_blocks(self.model, context, settings, generator, self.on_steps):
                samples = to_samples(block.chains, self.model.scaler)
                yield Forecast(targets, samples, block.step, block.final)

    @torch.no_grad()
    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for targets, batch in self._batches(sequences):
            context = self.model.contexts(batch)
            for rows in slices(len(context), BLOCK_EVENTS):
                yield targets[rows], ModelLaw.after(self.model, context[rows], self.settings)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return laws_after(histories, self.model.first, self._law_after)

    @torch.no_grad()
    def _law_after(self, histories: EventSequences) -> NextEventLaw:
        """Returns the laws of the event after each of M histories that have begun."""
        self.model.eval()
        scaled = ScaledSequences(histories, self.model.scaler, str(self.model.device))
        batch = scaled.batch(list(range(len(histories))))
        context = batch.last_of(self.model.encoder(batch))
        return ModelLaw.after(self.model, context, self.settings)

    def start(self, history: EventSequences, n_paths: int) -> State:
        if not history.n_events:
            check_known(self.model.first, history)
        return ModelState(self.model.eval(), self.settings, history, n_paths)

    def _batches(self, sequences: EventSequences) -> Iterator[tuple[Targets, Batch]]:
        """Yields targets and scaled events of `test_batch_size` sequences at a time."""
        self.model.eval()
        scaled = ScaledSequences(sequences, self.model.scaler, str(self.model.device))
        sizes = sampling_sizes(self.settings, self.model.settings.num_units, self.device)
        for rows in slices(len(sequences), sizes.test_batch_size):
            indices = list(range(rows.start, rows.stop))
            targets = sequences.select(indices).targets()
            yield replace(targets, sequence=targets.sequence + rows.start), scaled.batch(indices)


class ModelState(State):
    """Paths of one history, encoded event by event (`smash.model.encoder_memory`).

    Of an empty history there is nothing to encode until each path has its first event.
    """

    histories: GrowingHistories | None = None
    terms: GrowingTerms | None = None
    """What the location head keeps of the paths, where it does."""
    rates: Rates | None = None
    """How many events came lately on each path, where the model is told."""

    @torch.inference_mode()
    def __init__(
        self, model: Smash, sampling: SamplingSettings, history: EventSequences, n_paths: int
    ) -> None:
        self.model, self.sampling = model, sampling
        self.window_start = float(history.window[0, 0])
        self.time = np.full(n_paths, history.time[-1] if history.n_events else self.window_start)
        if history.n_events:
            common = ScaledSequences(history, model.scaler, str(model.device)).batch([0])
            self._begin(common)
        self.rates = first_rates(history, model.scaler, n_paths)

    @torch.inference_mode()
    def law(self) -> NextEventLaw:
        if self.histories is None:
            return self.model.first.law(len(self.time))
        if self.terms is None:
            return ModelLaw.after(self.model, self.histories.context, self.sampling)
        encoding = self.histories.encoding
        return ModelLaw.after(self.model, encoding, self.sampling, self.terms.own())

    @torch.inference_mode()
    def append(
        self,
        gap: NDArray[np.float64],
        location: NDArray[np.float64],
        mark: NDArray[np.int64] | None,
        magnitude: NDArray[np.float64] | None = None,
    ) -> None:
        scaler, device = self.model.scaler, self.model.device
        self.time = self.time + gap
        u = np.column_stack([scaler.scale_gap(gap), scaler.scale_location(location)])
        time = torch.from_numpy((self.time - self.window_start).astype(np.float32))
        marks = None if mark is None or not self.model.marked else torch.from_numpy(mark)[:, None]
        size = None
        if scaler.tells_magnitudes and magnitude is not None:
            size = scaler.scale_magnitude(magnitude)
        event = Batch(
            time=time[:, None].to(device),
            u=torch.from_numpy(u.astype(np.float32))[:, None].to(device),
            mark=None if marks is None else marks.to(device),
            length=torch.ones(len(gap), dtype=torch.long),
            start=torch.full((len(gap),), self.window_start, dtype=torch.float64, device=device),
            rates=self._rates_after(gap, size),
            magnitude=None if size is None else _column(size, device)[..., 0],
        )
        if self.histories is None:
            self._begin(event)
            return
        self.histories.append(event)
        if self.terms is not None:
            self.terms.append(self.model.encoder.told(event)[:, 0])

    @torch.inference_mode()
    def keep(self, rows: NDArray[np.int64]) -> None:
        self.time = self.time[rows]
        self.rates = None if self.rates is None else self.rates.keep(rows)
        kept = torch.from_numpy(rows).to(self.model.device)
        for part in (self.histories, self.terms):
            if part is not None:
                part.keep(kept)

    def _rates_after(
        self, gap: NDArray[np.float64], size: NDArray[np.float64] | None
    ) -> Tensor | None:
        """Returns the features (P, 1, F) of recent rates after one event more, where told."""
        if self.rates is None:
            return None
        self.rates = self.rates.after(gap, size)
        return _column(self.rates.features(self.time - self.window_start), self.model.device)

    def _begin(self, events: Batch) -> None:
        """Starts with a history that all paths share, a batch of one, or one of each."""
        encoder, n_paths = self.model.encoder, len(self.time)
        self.histories = GrowingHistories(encoder, events, n_paths)
        self.terms = self.model.network.location.remembered(encoder.told(events), n_paths)


def _column(values: NDArray[np.float64], device: torch.device) -> Tensor:
    """Returns numbers (P, F) or (P,) of one event of each path, as (P, 1, F)."""
    return torch.from_numpy(values.astype(np.float32)).view(len(values), 1, -1).to(device)
