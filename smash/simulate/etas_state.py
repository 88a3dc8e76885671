"""What ETAS knows on many paths that go on from one history: what is left of it, and what came."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.law.next_event_law import NextEventLaw
from smash.law.state import State
from smash.simulate.etas_law import EtasLaws, EtasPathPlaces, EtasTimes, Since

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Finished = Callable[[EtasTimes, EtasPathPlaces], NextEventLaw]


class EtasState(State):
    """The history once for all P paths; of each path what is left of it and the events since.

    An event more costs as much as the exponentials of its law, whatever came before.
    """

    def __init__(
        self, laws: EtasLaws, history: EventSequences, n_paths: int, finish: Finished
    ) -> None:
        """`finish` makes the law of the next event of its times and places."""
        self.laws, self.finish, self.past = laws, finish, laws.past(history)
        n_known, n_axes = history.n_events, history.n_axes
        last = history.time[-1] if n_known else history.window[0, 0]
        left = np.zeros((1, len(laws.omori.rate)))
        if n_known:
            left = self.past.amplitude(np.array([n_known - 1]))
        self.now = np.full(n_paths, float(last))
        self.amplitude = np.repeat(left, n_paths, axis=0)
        none = np.empty((n_paths, 0))
        self.since = Since(none, np.empty((n_paths, 0, n_axes)), none, none, none)

    def law(self) -> NextEventLaw:
        process, omori = self.laws.process, self.laws.omori
        times = EtasTimes(process.parameters.mu, self.amplitude, omori.rate)
        return self.finish(times, EtasPathPlaces(process, times, self.past, self.since, self.now))

    def append(
        self,
        gap: Floats,
        location: Floats,
        mark: Integers | None,
        magnitude: Floats | None = None,
    ) -> None:
        assert magnitude is not None
        self.now = self.now + gap
        came, omori = self.laws.parents(self.now, location, magnitude), self.laws.omori
        set_off = (came.offspring * came.within)[:, None] * omori.weight
        self.amplitude = self.amplitude * np.exp(-gap[:, None] * omori.rate) + set_off
        self.since = self.since.with_one(came)

    def keep(self, rows: Integers) -> None:
        self.now, self.amplitude, self.since = (
            self.now[rows],
            self.amplitude[rows],
            self.since.of(rows),
        )
