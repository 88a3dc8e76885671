"""An ETAS-type Hawkes process in the simulator's family, fitted by maximum likelihood.

Marks excite marks, delays are exponential with one decay for all, offspring lie at Gaussian
distances from their parent and the background is one Gaussian (Ogata, Annals of the Institute of
Statistical Mathematics 50 (1998) 379-402, whose kernels are power laws).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smash.baselines.past_events import known_marks
from smash.data.events import EventSequences, Targets
from smash.data.resolution import NO_CELLS, GapCells, tie_cells
from smash.law.clocked_times import clocked
from smash.law.forecaster import Forecaster
from smash.law.moved_places import MovedPlaces
from smash.law.next_event_law import NextEventLaw
from smash.law.paths import MOST_EVENTS, Paths
from smash.law.roll_out import OnProgress
from smash.simulate.branching import simulate_futures
from smash.simulate.hawkes_fit import PLAIN, HawkesSettings, fit_process
from smash.simulate.process import HawkesProcess
from smash.simulate.self_exciting_law import law_after, laws_of_targets


@dataclass(frozen=True)
class Hawkes(Forecaster):
    """A fitted process; its next-event law is exact.

    `process` has raw time and locations (x - center) / scale; `center` and `scale` (D,) are raw.
    Where training data have ties, `cells` are those of the clock that made them.
    """

    process: HawkesProcess
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    marked: bool
    cells: GapCells = NO_CELLS

    @property
    def n_marks(self) -> int:
        return self.process.n_marks if self.marked else 1

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        every = sequences.targets()
        start = 0
        scaled = self._scaled(sequences)
        for part, law in laws_of_targets(self.process, scaled, self.marked):
            targets = every[slice(start, start := start + len(part))]
            yield targets, self._raw(law)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self._raw(law_after(self.process, self._scaled(histories), self.marked))

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
        paths = simulate_futures(
            self.process, self._scaled(history), now, horizon, n_paths, generator, max_events
        )
        on_progress(1.0)
        location = self.center + self.scale * paths.location
        return replace(paths, location=location, mark=paths.mark if self.marked else None)

    def description(self) -> dict[str, Any]:
        """Returns the fitted parameters as plain lists and numbers; lengths in raw units."""
        return {
            "background": self.process.background.tolist(),
            "excitation": self.process.excitation.tolist(),
            "decay": self.process.decay,
            "offspring_spread": (self.process.spread * self.scale).tolist(),
            "background_center": self.center.tolist(),
            "background_spread": self.scale.tolist(),
        }

    def _raw(self, law: NextEventLaw) -> NextEventLaw:
        """Returns the law with places in raw units and gaps as the clock records them."""
        place = MovedPlaces(law.place, self.center, self.scale)
        return replace(law, time=clocked(law.time, self.cells), place=place)

    def _scaled(self, sequences: EventSequences) -> EventSequences:
        """Returns the events in the process's units, unmarked ones with mark 0."""
        mark = np.zeros(sequences.n_events, dtype=np.int64)
        if self.marked:
            mark = known_marks(sequences, self.process.n_marks)
        location = (sequences.location - self.center) / self.scale
        return replace(sequences, location=location, mark=mark)


def fit_hawkes(train: EventSequences, n_marks: int, settings: HawkesSettings = PLAIN) -> Hawkes:
    """Returns the process under which the targets of `train` are likeliest.

    Raises:
        TrainingError: when the likelihood is not finite.
    """
    fitted = fit_process(train, n_marks, settings)
    cells = tie_cells(train.gap[train.is_target])
    return Hawkes(fitted.process, fitted.center, fitted.scale, train.mark is not None, cells)
