"""Ladders: simulated data that differ in one thing alone, from none of it to much.

The law of every rung is known, so that a forecaster's distance from what could be known is seen to
grow, or not, with that thing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from smash.data.dataset import Dataset, build_dataset
from smash.data.events import EventSequences, Targets, build_sequences
from smash.errors import SpecError
from smash.law.forecaster import Forecaster
from smash.law.magnitudes import GutenbergRichter
from smash.law.next_event_law import NextEventLaw
from smash.law.place_densities import NormalPlaces
from smash.settings import SimulatorSettings
from smash.simulate.etas_law import EtasLaws
from smash.simulate.etas_process import EtasParameters
from smash.simulate.etas_simulation import EtasProcess
from smash.simulate.process import HawkesProcess
from smash.simulate.rung_law import RungOracle
from smash.simulate.rung_process import RungProcess
from smash.simulate.simulator import Oracle, simulate_dataset

MAGNITUDES = GutenbergRichter(1.0, 0.0)
ETAS = EtasParameters(0.6, 1.0, 0.6, 0.05, 1.2, 0.05, 0.3, 1.8)
LONGEST = 1e4
"""Days up to which events of the ETAS ladder set off others by the law of Omori and Utsu."""


@dataclass(frozen=True)
class Rung:
    """Data of one rung and the forecaster that knows their law; `value` of what is climbed by."""

    value: float
    dataset: Dataset
    oracle: Forecaster


@dataclass(frozen=True)
class Ladder:
    """What is climbed by, in words, its values from the lowest rung on, and how a rung is made.

    `marked` where it is the marks that there is more to be known of.
    """

    meaning: str
    values: tuple[float, ...]
    make: Callable[[float, SimulatorSettings], tuple[Dataset, Forecaster]]
    marked: bool = False


def rung(name: str, number: int, settings: SimulatorSettings) -> Rung:
    """Returns a rung of a ladder, from 0 on; what it does not climb by is as in `settings`.

    Raises:
        SpecError: when there is no such ladder or rung.
    """
    if name not in LADDERS:
        raise SpecError(f"no ladder is called {name!r}; known are {', '.join(LADDERS)}")
    ladder = LADDERS[name]
    if not 0 <= number < len(ladder.values):
        raise SpecError(f"the ladder {name} has rungs from 0 to {len(ladder.values) - 1}")
    value = ladder.values[number]
    dataset, oracle = ladder.make(value, settings)
    return Rung(value, replace(dataset, name=f"{name} {value:g}"), oracle)


def drawn_sequences(
    oracle: Forecaster, lengths: NDArray[np.int64], generator: torch.Generator, name: str
) -> EventSequences:
    """Returns sequences of given numbers of events, each drawn from its law given those before.

    All begin at 0 with nothing having happened. `smash.simulate.simulator` says why they end with a
    number rather than a time.
    """
    nothing = np.empty(0)
    empty = EventSequences(
        nothing, np.empty((0, 2)), None, np.zeros(2, np.int64), np.zeros((1, 2)), magnitude=nothing
    )
    state, time = oracle.start(empty, len(lengths)), np.zeros(len(lengths))
    times, places, sizes = [], [], []
    for _ in range(int(lengths.max())):
        drawn = state.law().sample(1, generator)
        magnitude = None if drawn.magnitude is None else drawn.magnitude[:, 0]
        time = time + drawn.gap[:, 0]
        times.append(time)
        places.append(drawn.location[:, 0])
        sizes.append(np.zeros(len(lengths)) if magnitude is None else magnitude)
        state.append(drawn.gap[:, 0], drawn.location[:, 0], None, sizes[-1])
    within = np.arange(len(times)) < lengths[:, None]
    with_sizes = drawn.magnitude is not None
    return build_sequences(
        np.stack(times, axis=1)[within],
        np.stack(places, axis=1)[within],
        None,
        lengths,
        name,
        magnitude=np.stack(sizes, axis=1)[within] if with_sizes else None,
    )


def _drawn(oracle: Forecaster, settings: SimulatorSettings) -> tuple[Dataset, Forecaster]:
    """Returns a data set of a law, with as many sequences and events as `settings` say."""
    numbers = np.random.default_rng(settings.seed)
    splits = {}
    for split, count in zip(("train", "validation", "test"), settings.sequences, strict=True):
        lengths = numbers.integers(*settings.events, size=count, endpoint=True)
        generator = torch.Generator().manual_seed(int(numbers.integers(2**62)))
        splits[split] = drawn_sequences(oracle, lengths, generator, f"simulated {split}")
    source = f"simulated from seed {settings.seed}"
    return build_dataset(
        "ladder", **splits, time_unit="days", location_unit="km", source=source
    ), oracle


@dataclass(frozen=True)
class EtasOracle(Forecaster):
    """The forecaster that knows an ETAS process."""

    process: EtasProcess

    @property
    def n_marks(self) -> int:
        return 1

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for targets, times, places in EtasLaws(self.process, LONGEST).of_targets(sequences):
            yield targets, NextEventLaw(times, places, magnitude=self.process.magnitudes)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        times, places = EtasLaws(self.process, LONGEST).after(histories)
        return NextEventLaw(times, places, magnitude=self.process.magnitudes)


def _etas(ratio: float, settings: SimulatorSettings) -> tuple[Dataset, Forecaster]:
    """Returns ETAS with that branching ratio, all else as in `ETAS`."""
    productivity = ratio / ETAS.branching_ratio(MAGNITUDES.b, LONGEST)
    parameters = replace(ETAS, mu=settings.background, productivity=productivity)
    places = NormalPlaces(np.zeros(2), settings.background_spread * np.eye(2))
    return _drawn(EtasOracle(EtasProcess(parameters, places, MAGNITUDES)), settings)


def _by(thing: str, **fixed: float) -> Callable[..., tuple[Dataset, Forecaster]]:
    def make(value: float, settings: SimulatorSettings) -> tuple[Dataset, Forecaster]:
        process = RungProcess.of(settings, **{thing: value}, **fixed)
        return _drawn(RungOracle(process), settings)

    return make


def _setting(name: str) -> Callable[..., tuple[Dataset, Forecaster]]:
    def make(value: float, settings: SimulatorSettings) -> tuple[Dataset, Forecaster]:
        change: dict[str, Any] = {name: value}
        climbed = replace(settings, **change)
        process = HawkesProcess.from_settings(climbed)
        return simulate_dataset(climbed), Oracle(process)

    return make


LADDERS: dict[str, Ladder] = {
    "marks": Ladder(
        "what a mark says of its offspring",
        (0.0, 0.25, 0.5, 0.75, 1.0),
        _setting("mark_influence"),
        marked=True,
    ),
    "excitation": Ladder(
        "offspring of an event", (0.05, 0.25, 0.45, 0.65, 0.85), _setting("branching")
    ),
    "entanglement": Ladder(
        "spread of offspring with their delay", (0.0, 3.0, 10.0, 30.0, 100.0), _by("entanglement")
    ),
    "heterogeneity": Ladder(
        "clusters of spontaneous places",
        (0.0, 0.25, 0.5, 0.75, 1.0),
        _by("heterogeneity", offspring=0.0),
    ),
    "seasonality": Ladder(
        "swing of a week", (0.0, 0.25, 0.5, 0.75, 1.0), _by("season", offspring=0.0)
    ),
    "inhibition": Ladder(
        "what the last event holds back",
        (0.0, 0.25, 0.5, 0.75, 1.0),
        _by("inhibition", offspring=0.0),
    ),
    "etas": Ladder("branching ratio of ETAS", (0.05, 0.25, 0.45, 0.65, 0.85), _etas),
}
"""By name: each climbs from hardly anything of what it is named after to much of it."""
