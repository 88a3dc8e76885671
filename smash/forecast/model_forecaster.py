"""Forecasts of a trained model: contexts of all targets, sampled and brought to raw units."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences
from smash.law.forecaster import Forecaster
from smash.law.log_density import LogDensity
from smash.law.samples import Forecast
from smash.model.likelihood import log_density
from smash.model.smash import Smash
from smash.sampling import sample_blocks, to_samples
from smash.settings import SamplingSettings

NO_DENSITY = (
    "score matching knows no density of the data, only one of data with noise; train with "
    "objective.kind=likelihood"
)
NO_PLACE = "the place is known by its score alone; train with model.location_law=history or mixture"


@dataclass(frozen=True)
class ModelForecaster(Forecaster):
    """A model with a sampler.

    Memory is bounded by `test_batch_size` sequences, whatever the size of the test set.
    """

    model: Smash
    settings: SamplingSettings
    on_steps: Callable[[int], None] | None = None

    @torch.no_grad()
    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets, a batch at a time, after each block of steps.

        All blocks of a batch come before the next batch; `final` marks a batch's last.
        """
        settings = replace(
            self.settings,
            total_samples=n_samples,
            n_samples=min(n_samples, self.settings.n_samples),
        )
        self.model.eval()
        scaled = ScaledSequences(sequences, self.model.scaler, str(self.model.device))
        size = settings.test_batch_size
        for start in range(0, len(sequences), size):
            indices = list(range(start, min(start + size, len(sequences))))
            targets = sequences.select(indices).targets()
            targets = replace(targets, sequence=targets.sequence + start)
            context = self.model.contexts(scaled.batch(indices))
            for block in sample_blocks(self.model, context, settings, generator, self.on_steps):
                samples = to_samples(block.chains, self.model.scaler)
                yield Forecast(targets, samples, block.step, block.final)

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        """Returns log densities, the place's if there is one; none after score matching."""
        if not self.model.law_points:
            return LogDensity(lacking=NO_DENSITY)
        found = log_density(self.model, sequences, self.settings.test_batch_size)
        lacking = "" if found.location is not None else NO_PLACE
        return LogDensity(found.gap, found.mark, found.location, found.unmarked, lacking)

    def work(self, sequences: EventSequences, n_samples: int) -> int:
        """Returns the number of sample steps a forecast takes, for a progress bar."""
        return int(sequences.is_target.sum()) * n_samples * self.settings.sampling_steps
