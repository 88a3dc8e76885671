"""The embedded data set, drawn from a process with a known law, and the forecaster that knows it.

Simulated sequences end with a number of events drawn beforehand, not at a fixed time. A fixed end
would cut off long gaps: the gaps seen before it are shorter than the law of the next gap says, so
even the exact law would not score as calibrated. With a given number of events each gap is a draw
from its law, and the probability integral transform of the exact law is exactly uniform.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from smash.data.dataset import Dataset, build_dataset
from smash.data.events import EventSequences, build_sequences
from smash.errors import DataError, SpecError
from smash.law.samples import Forecast, LogDensities, Samples
from smash.settings import SimulatorSettings
from smash.simulate.process import Events, HawkesProcess

__all__ = ["Events", "HawkesProcess", "Oracle", "simulate_dataset"]


@dataclass(frozen=True)
class Oracle:
    """The forecaster that knows the process: what no forecast of its events can beat."""

    process: HawkesProcess

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets of `sequences`, one sequence at a time.

        Raises:
            DataError: when the marks are left out or more than the process has.
        """
        self._check(sequences)
        seed = torch.randint(2**62, (1,), generator=generator, device=generator.device)
        numbers = np.random.default_rng(int(seed))
        for i in range(len(sequences)):
            one = sequences.select([i])
            targets = one.targets()
            samples = self._samples(one, targets.event, n_samples, numbers)
            yield Forecast(replace(targets, sequence=np.full(len(targets), i)), samples)

    def log_densities(self, sequences: EventSequences) -> LogDensities:
        """Returns the log densities of all targets, each given its whole history.

        Raises:
            DataError: as `forecast`.
        """
        self._check(sequences)
        parts = [self._log_densities(sequences.select([i])) for i in range(len(sequences))]
        time_mark, event = np.concatenate(parts, axis=1)
        return LogDensities(time_mark, event)

    def _log_densities(self, one: EventSequences) -> NDArray[np.float64]:
        """Returns (2, N) log densities of one sequence's targets, without and with location."""
        assert one.mark is not None
        events = Events(one.time, one.location, one.mark, start=float(one.window[0, 0]))
        found = np.empty((2, len(events) - 1))
        for event in range(1, len(events)):
            history, this = events.before(event), slice(event, event + 1)
            gap, mark = one.gap[this], one.mark[this]
            found[0, event - 1] = self.process.log_density_time_mark(history, gap, mark)[0]
            place = one.location[this]
            found[1, event - 1] = self.process.log_density(history, gap, mark, place)[0]
        return found

    def _check(self, sequences: EventSequences) -> None:
        if sequences.mark is None or sequences.mark.max() >= self.process.n_marks:
            raise DataError(
                f"{sequences.name}: the law of the next event needs the {self.process.n_marks} "
                "marks of the simulated process; load the data with their marks"
            )

    def _samples(
        self,
        sequence: EventSequences,
        targets: NDArray[np.int64],
        n_samples: int,
        numbers: Generator,
    ) -> Samples:
        assert sequence.mark is not None
        events = Events(
            sequence.time, sequence.location, sequence.mark, start=float(sequence.window[0, 0])
        )
        histories = [events.before(int(event)) for event in targets]
        draws = [self.process.next_event(history, n_samples, numbers) for history in histories]
        laws = np.stack(
            [
                self.process.mark_probability(history, draw.gap)
                for history, draw in zip(histories, draws, strict=True)
            ]
        )  # (N, S, K)
        return Samples(
            gap=np.stack([draw.gap for draw in draws]),
            location=np.stack([draw.location for draw in draws]),
            mark=np.stack([draw.mark for draw in draws]),
            mark_mode=laws.argmax(axis=2),
            mark_probability=laws.mean(axis=1),
        )


def simulate_dataset(settings: SimulatorSettings) -> Dataset:
    """Returns training, validation and test sequences drawn from the seed, in days and km.

    Raises:
        SpecError: when `settings.events` is not (fewest, most).
    """
    fewest, most = settings.events
    if most < fewest:
        raise SpecError(
            f"data.simulator.events: ({fewest}, {most}) has more events at least than at most; "
            "give the smaller number first"
        )
    process = HawkesProcess.from_settings(settings)
    splits = {
        split: _simulate_split(process, count, (fewest, most), f"simulated {split}", generator)
        for split, count, generator in zip(
            ("train", "validation", "test"),
            settings.sequences,
            np.random.default_rng(settings.seed).spawn(3),
            strict=True,
        )
    }
    dataset = build_dataset(
        "simulated",
        **splits,
        time_unit="days",
        location_unit="km",
        source=f"simulated from seed {settings.seed}",
    )
    # A rare mark may not have occurred; the process has it all the same.
    names = tuple(str(k) for k in range(process.n_marks))
    return replace(dataset, n_marks=process.n_marks, mark_names=names)


def _simulate_split(
    process: HawkesProcess,
    n_sequences: int,
    n_events: tuple[int, int],
    name: str,
    generator: Generator,
) -> EventSequences:
    lengths = generator.integers(*n_events, size=n_sequences, endpoint=True)
    drawn = [process.simulate(int(length), generator) for length in lengths]
    return build_sequences(
        np.concatenate([events.time for events in drawn]),
        np.concatenate([events.location for events in drawn]),
        np.concatenate([events.mark for events in drawn]),
        lengths,
        name,
    )
