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

from smash.data.dataset import Dataset, build_dataset
from smash.data.events import EventSequences, Targets, build_sequences
from smash.errors import DataError, SpecError
from smash.law.forecaster import Forecaster
from smash.law.next_event_law import NextEventLaw
from smash.law.paths import MOST_EVENTS, Paths
from smash.law.roll_out import OnProgress
from smash.settings import SimulatorSettings
from smash.simulate.branching import simulate_futures
from smash.simulate.process import Events, HawkesProcess
from smash.simulate.self_exciting_law import law_after, laws_of_targets

__all__ = ["Events", "HawkesProcess", "Oracle", "simulate_dataset"]


@dataclass(frozen=True)
class Oracle(Forecaster):
    """The forecaster that knows the process: what no forecast of its events can beat."""

    process: HawkesProcess

    @property
    def n_marks(self) -> int:
        return self.process.n_marks

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        self._check(sequences)
        yield from laws_of_targets(self.process, sequences, marked=True)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        self._check(histories)
        return law_after(self.process, histories, marked=True)

    def simulate(
        self,
        history: EventSequences,
        now: float,
        horizon: float,
        n_paths: int,
        generator: torch.Generator,
        max_events: int = MOST_EVENTS,
        on_progress: OnProgress = lambda share: None,
    ) -> Paths:
        """Returns futures, generation by generation (`smash.simulate.branching`)."""
        self._check(history)
        paths = simulate_futures(
            self.process, history, now, horizon, n_paths, generator, max_events
        )
        on_progress(1.0)
        return paths

    def _check(self, sequences: EventSequences) -> None:
        if sequences.n_axes != self.process.n_axes:
            raise DataError(
                f"{sequences.name}: places of {sequences.n_axes} coordinates, and the process has "
                f"{self.process.n_axes}; load the data as the oracle knows them"
            )
        unknown = sequences.mark is None or (sequences.mark >= self.process.n_marks).any()
        if unknown:
            raise DataError(
                f"{sequences.name}: the law of the next event needs the {self.process.n_marks} "
                "marks of the simulated process; load the data with their marks"
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
