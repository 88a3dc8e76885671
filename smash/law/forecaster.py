"""What forecasts next events: a model, a baseline, a mixture of them, the law that is known."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smash.data.events import EventSequences, Targets
from smash.files import replacing_folder, write_json
from smash.law.log_density import LogDensity, joined
from smash.law.next_event_law import NextEventLaw
from smash.law.paths import MOST_EVENTS, Paths
from smash.law.roll_out import OnProgress, roll_out
from smash.law.samples import Forecast
from smash.law.state import KnownEvents, State

PARAMETERS = "parameters.json"
"""The file in which a forecaster with parameters to be read saves them."""


class Forecaster(ABC):
    """Gives the law of the next event after any history; all else follows from it."""

    @property
    @abstractmethod
    def n_marks(self) -> int:
        """K, 1 for an unmarked forecaster, which looks at no marks."""

    @property
    def device(self) -> torch.device:
        """Where the generators of its draws live."""
        return torch.device("cpu")

    @property
    def drawn_by(self) -> str:
        """How it is drawn, in a word or two, where that is a matter of choice."""
        return ""

    @property
    def steps_a_draw(self) -> int:
        """Steps of a sampler that a draw takes, for a progress bar."""
        return 1

    def reporting(self, on_steps: Callable[[int], None]) -> "Forecaster":
        """Returns the forecaster that calls `on_steps` with the steps done, where it can."""
        return self

    def description(self) -> dict[str, Any]:
        """Returns the fitted parameters, ready for JSON; nothing where none are worth reading."""
        return {}

    def save(self, folder: Path) -> None:
        """Writes what was fitted to `folder`, whole or not at all: by default the parameters.

        Where there are none no folder is made.

        Raises:
            OutputError: when it cannot be written, or the folder holds more than was saved before.
        """
        if described := self.description():
            with replacing_folder(folder, (PARAMETERS,)) as beside:
                write_json(beside / PARAMETERS, described)

    @abstractmethod
    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        """Yields all targets of `sequences` in order, some at a time, with their laws.

        Raises:
            DataError: when marks were fitted and `sequences` has none, or unknown ones.
        """

    @abstractmethod
    def law_after(self, histories: EventSequences) -> NextEventLaw:
        """Returns the laws of the event after each of M whole `histories`, which may be empty.

        Raises:
            DataError: as `laws`.
            ForecastError: for an empty history, where a forecaster of before knows no first event.
        """

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields S draws of all targets of `sequences` in order, some at a time.

        Raises:
            DataError: as `laws`.
        """
        for targets, law in self.laws(sequences):
            yield Forecast(targets, law.sample(n_samples, generator))

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        """Returns the log densities of all targets, in their order; what is lacking is said."""
        return joined([law.log_prob(targets) for targets, law in self.laws(sequences)])

    def start(self, history: EventSequences, n_paths: int) -> State:
        """Returns what is known on each of `n_paths` paths that go on from one history.

        By default the events themselves, after all of which the law is asked for anew; a forecaster
        with a memory of its own has a state that costs less.
        """
        return KnownEvents(self.law_after, history.select(np.zeros(n_paths, dtype=np.int64)))

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
        """Returns futures in (now, now + horizon] of one history, given no event from it to `now`.

        Raises:
            DataError, ForecastError: as `law_after`, or when a path has more than `max_events`
                events.
        """
        last = float(history.time[-1] if history.n_events else history.window[0, 0])
        return roll_out(
            lambda paths: self.start(history, paths),
            last,
            now,
            horizon,
            n_paths,
            generator,
            max_events,
            on_progress,
        )
