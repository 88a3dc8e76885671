"""Poisson: a constant rate times a density of places, everyone's zero for earthquakes."""

from dataclasses import dataclass

import numpy as np

from smash.baselines.memoryless import Memoryless
from smash.data.events import EventSequences
from smash.data.region import Region
from smash.data.resolution import NO_CELLS, GapCells, tie_cells
from smash.law.clocked_times import clocked
from smash.law.fixed_marks import FixedMarks, training_shares
from smash.law.kernel_places import KernelDensity, KernelPlaces
from smash.law.next_event_law import Floats, NextEventLaw
from smash.law.place_densities import KernelFit, PlaceDensity, UniformPlaces
from smash.settings import Count, Level
from smash.simulate.self_exciting_law import SelfExcitingTimes


@dataclass(frozen=True)
class PoissonSettings:
    """`neighbours`: the one that a kernel's width reaches to; `wide_share`: of the wide part."""

    neighbours: Count = 5
    wide_share: Level = 0.05


@dataclass(frozen=True)
class Poisson(Memoryless):
    """Gaps of one `rate`, places of one density, marks of fixed shares (K,), whatever the past.

    Where training data have ties, `cells` are those of the clock that made them.
    """

    rate: float
    places: PlaceDensity
    mark_probability: Floats | None = None
    cells: GapCells = NO_CELLS

    @classmethod
    def fit(
        cls,
        train: EventSequences,
        n_marks: int,
        settings: PoissonSettings = PoissonSettings(),
        region: Region | None = None,
        even: bool = False,
    ) -> "Poisson":
        """Returns the rate of the targets of `train` and a kernel density of their places.

        `even` spreads places over the region instead.
        """
        targets = train.targets()
        begin = train.time[train.offsets[:-1] + train.n_history - 1]
        duration = float((train.window[:, 1] - begin).sum())
        places: PlaceDensity
        if not train.n_axes:
            places = KernelDensity.of(targets.location)
        elif even and region is not None:
            places = UniformPlaces(region)
        else:
            kernels = KernelFit(targets.location, settings.neighbours, region)
            places = kernels.density(np.ones(len(targets)), settings.wide_share)
        cells = tie_cells(targets.gap)
        return cls(len(targets) / duration, places, training_shares(train, n_marks), cells)

    def law(self, n_events: int) -> NextEventLaw:
        times = SelfExcitingTimes(np.array([self.rate]), np.zeros((n_events, 1)), 1.0)
        n_axes = self.places.n_axes if isinstance(self.places, KernelDensity) else 2
        place = KernelPlaces((self.places,), np.zeros((n_events, n_axes)))
        marks = FixedMarks.of(self.mark_probability, n_events)
        return NextEventLaw(clocked(times, self.cells), place, marks)
