"""What a forecaster knows on many paths, each a sequence that grows event by event."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.law.next_event_law import NextEventLaw

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class State(ABC):
    """What is known after the last event of each of P paths."""

    @abstractmethod
    def law(self) -> NextEventLaw:
        """Returns the laws of the next event of each path."""

    @abstractmethod
    def append(
        self,
        gap: Floats,
        location: Floats,
        mark: Integers | None,
        magnitude: Floats | None = None,
    ) -> None:
        """Adds one event to each path: gaps (P,) since the last, places (P, D), marks (P,).

        And magnitudes (P,), where events have them.
        """

    @abstractmethod
    def keep(self, rows: Integers) -> None:
        """Goes on with the paths `rows` alone."""


@dataclass
class KnownEvents(State):
    """All events of each path, and what gives the laws after them."""

    law_after: Callable[[EventSequences], NextEventLaw]
    paths: EventSequences

    def law(self) -> NextEventLaw:
        return self.law_after(self.paths)

    def append(
        self,
        gap: Floats,
        location: Floats,
        mark: Integers | None,
        magnitude: Floats | None = None,
    ) -> None:
        paths, end = self.paths, self.paths.offsets[1:]
        time, some = paths.window[:, 0] + gap, paths.lengths > 0
        time[some] = paths.time[end[some] - 1] + gap[some]
        self.paths = replace(
            paths,
            time=np.insert(paths.time, end, time),
            location=np.insert(paths.location, end, location, axis=0),
            mark=None if paths.mark is None or mark is None else np.insert(paths.mark, end, mark),
            magnitude=None
            if paths.magnitude is None or magnitude is None
            else np.insert(paths.magnitude, end, magnitude),
            offsets=paths.offsets + np.arange(len(paths) + 1),
            window=np.stack([paths.window[:, 0], np.maximum(paths.window[:, 1], time)], axis=1),
        )

    def keep(self, rows: Integers) -> None:
        self.paths = self.paths.select(rows)
