"""A Hawkes process, fitted or known, as a source of next events and futures."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.baselines.branching import simulate_futures
from smash.baselines.hawkes import Hawkes
from smash.forecast.histories import History
from smash.forecast.paths import Paths
from smash.forecast.rollout import OnProgress
from smash.law.next_event_law import numpy_generator
from smash.law.samples import Samples
from smash.simulate.process import Events, HawkesProcess


@dataclass(frozen=True)
class HawkesSource:
    """Draws from a process; implements `smash.forecast.event_forecaster.Source`.

    `region` (2, 2): least and greatest coordinates of the training data.
    """

    hawkes: Hawkes
    region: NDArray[np.float64]

    @classmethod
    def exact(cls, process: HawkesProcess) -> "HawkesSource":
        """Returns the source that knows a process of raw units, such as the simulator's."""
        reach = 4 * process.background_spread
        region = np.array([[-reach, -reach], [reach, reach]]) + process.center
        return cls(Hawkes(process, np.zeros(2), np.ones(2), process.n_marks > 1), region)

    @property
    def n_marks(self) -> int:
        return self.hawkes.process.n_marks if self.hawkes.marked else 1

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def forecaster(self) -> Hawkes:
        """What draws the events of whole sequences."""
        return self.hawkes

    def draw(self, history: History, n_samples: int, generator: torch.Generator) -> Samples:
        """Returns samples (1, S) of the event after `history`; none comes before its `now`."""
        events, process = self._events(history), self.hawkes.process
        drawn = process.next_event(events, n_samples, numpy_generator(generator))
        samples = Samples(history.elapsed + drawn.gap[None], self._raw(drawn.location)[None])
        if self.n_marks == 1:
            return samples
        law = process.mark_probability(events, drawn.gap)
        return replace(
            samples,
            mark=drawn.mark[None],
            mark_mode=law.argmax(axis=1)[None],
            mark_probability=law.mean(axis=0)[None],
        )

    def simulate(
        self,
        history: History,
        horizon: float,
        n_paths: int,
        generator: torch.Generator,
        max_events: int,
        on_progress: OnProgress = lambda share: None,
    ) -> Paths:
        """Returns futures until `horizon` beyond the history's `now`.

        Raises:
            ForecastError: when a path has more than `max_events` events.
        """
        numbers = numpy_generator(generator)
        paths = simulate_futures(
            self.hawkes.process, self._events(history), horizon, n_paths, numbers, max_events
        )
        on_progress(1.0)
        mark = paths.mark if self.n_marks > 1 else None
        return replace(paths, location=self._raw(paths.location), mark=mark)

    def _events(self, history: History) -> Events:
        """Returns the history in the process's units, unmarked events with mark 0."""
        events = history.events
        mark = np.zeros(len(history), dtype=np.int64) if events.mark is None else events.mark
        location = (events.location - self.hawkes.center) / self.hawkes.scale
        return Events(events.time, location, mark, history.start, history.now)

    def _raw(self, location: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.hawkes.center + self.hawkes.scale * location
