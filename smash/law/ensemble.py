"""Several forecasters as one: their laws mixed, in equal shares or in those that data ask for.

Whole events are mixed, each drawn of one member (`Ensemble`), or times, marks and places apart
(`PartPool`).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from smash.blocks import slices
from smash.data.events import EventSequences, Targets
from smash.errors import SpecError
from smash.law.forecaster import Forecaster
from smash.law.joined_laws import joined_laws
from smash.law.log_density import LogDensity, mixed_densities
from smash.law.mixed_law import MixedLaw, PartShares, pooled_by_part
from smash.law.next_event_law import NextEventLaw
from smash.law.samples import Forecast, Samples, concatenated
from smash.law.state import State
from smash.settings import SamplingSettings
from smash.sizes import sampling_sizes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixedForecaster(Forecaster):
    """Forecasters of any kind whose laws are mixed; all of them know the same marks."""

    members: tuple[Forecaster, ...]

    @abstractmethod
    def mixed(self, laws: Sequence[NextEventLaw]) -> NextEventLaw:
        """Returns the mixture of the members' laws of the same events."""

    @property
    def n_marks(self) -> int:
        return self.members[0].n_marks

    @property
    def device(self) -> torch.device:
        """That of a member on a GPU, where there is one."""
        devices = [member.device for member in self.members]
        return next((one for one in devices if one.type != "cpu"), devices[0])

    @property
    def _at_once(self) -> int:
        """Sequences whose laws are mixed together: members that are models draw in such batches."""
        return sampling_sizes(SamplingSettings(), 1, self.device).test_batch_size

    def laws(self, sequences: EventSequences) -> Iterator[tuple[Targets, NextEventLaw]]:
        for rows in slices(len(sequences), self._at_once):
            some = sequences.select(range(rows.start, rows.stop))
            targets = some.targets()
            laws = [joined_laws([law for _, law in m.laws(some)]) for m in self.members]
            yield replace(targets, sequence=targets.sequence + rows.start), self.mixed(laws)

    def law_after(self, histories: EventSequences) -> NextEventLaw:
        return self.mixed([member.law_after(histories) for member in self.members])

    def start(self, history: EventSequences, n_paths: int) -> State:
        states = [member.start(history, n_paths) for member in self.members]
        return _States(states, self.mixed)


@dataclass(frozen=True)
class Ensemble(MixedForecaster):
    """Forecasters whose laws are mixed, in the shares `weight` (M,) or, without it, equal ones.

    Models that differ in their seeds alone err apart, and the mixture is as wide as their
    disagreement asks for (deep ensembles: Lakshminarayanan, Pritzel, Blundell, NeurIPS 2017).
    """

    weight: tuple[float, ...] | None = None

    @property
    def shares(self) -> Floats:
        """(M,) the shares of the members, 1 in all."""
        return np.asarray(self.weight or [1 / len(self.members)] * len(self.members))

    def mixed(self, laws: Sequence[NextEventLaw]) -> NextEventLaw:
        return MixedLaw.of(laws, self.shares)

    def forecast(
        self, sequences: EventSequences, n_samples: int, generator: torch.Generator
    ) -> Iterator[Forecast]:
        """Yields forecasts of all targets, `n_samples` draws shared out among the members.

        Raises:
            SpecError: when there are fewer draws than members.
        """
        if n_samples < len(self.members):
            raise SpecError(
                f"sampling.total_samples: {n_samples} is too few for {len(self.members)} "
                "forecasters, each of which gives its share; ask for more"
            )
        counts = shared_out(n_samples, self.shares)
        for rows in slices(len(sequences), self._at_once):
            some = sequences.select(range(rows.start, rows.stop))
            parts = [
                _whole(list(member.forecast(some, int(count), generator)))
                for member, count in zip(self.members, counts, strict=True)
                if count
            ]
            targets = some.targets()
            yield Forecast(replace(targets, sequence=targets.sequence + rows.start), pooled(parts))

    def log_densities(self, sequences: EventSequences) -> LogDensity:
        """Returns the log densities of all targets under the mixture, where all members have them.

        In the very shares, though few draws are shared out about so alone.
        """
        found = [member.log_densities(sequences) for member in self.members]
        return mixed_densities(found, self.shares)


@dataclass(frozen=True)
class PartPool(MixedForecaster):
    """Forecasters mixed part by part, in shares of their own for times, marks and places.

    The law of the whole event is the product of the mixed parts, so that one member's times may
    stand beside another's places (linear opinion pools of each conditional law; for the pool see
    Stone, Annals of Mathematical Statistics 32 (1961) 1339-1342).

        PartPool((model, mixture), PartShares(time=(0.4, 0.6), mark=(0.5, 0.5), place=(1.0, 0.0)))
    """

    shares: PartShares

    def mixed(self, laws: Sequence[NextEventLaw]) -> NextEventLaw:
        return pooled_by_part(laws, self.shares)


@dataclass
class _States(State):
    """What all members know on the same paths."""

    states: list[State]
    mixed: Callable[[Sequence[NextEventLaw]], NextEventLaw]

    def law(self) -> NextEventLaw:
        return self.mixed([state.law() for state in self.states])

    def append(
        self,
        gap: Floats,
        location: Floats,
        mark: NDArray[np.int64] | None,
        magnitude: Floats | None = None,
    ) -> None:
        for state in self.states:
            state.append(gap, location, mark, magnitude)

    def keep(self, rows: NDArray[np.int64]) -> None:
        for state in self.states:
            state.keep(rows)


def shared_out(n: int, shares: Floats) -> NDArray[np.int64]:
    """Returns (M,) how many of `n` draws go to each share, as equal as whole numbers can be."""
    edges = np.floor(n * np.cumsum([0.0, *shares]) + 1e-9)
    edges[-1] = n
    return np.diff(edges).astype(np.int64)


def _whole(forecasts: Sequence[Forecast]) -> Samples:
    """Returns the finished samples of one member's forecasts, in order."""
    return concatenated([forecast.samples for forecast in forecasts if forecast.final], axis=0)


def pooled(parts: Sequence[Samples]) -> Samples:
    """Returns the draws (N, S_i) of several forecasts of the same N events as one (N, Σ S_i)."""
    probability: Floats | None = None
    if all(part.mark_probability is not None for part in parts):
        weight = [part.gap.shape[1] for part in parts]
        probability = np.average([part.mark_probability for part in parts], 0, weights=weight)
    return replace(concatenated(parts, axis=1), mark_probability=probability)
