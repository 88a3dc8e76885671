"""Laws of several groups of events as one law of all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from smash.law.next_event_law import MarkPart, NextEventLaw, PlacePart, TimePart, shared_cell
from smash.law.samples import Samples, concatenated

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def joined_laws(laws: Sequence[NextEventLaw]) -> NextEventLaw:
    """Returns the laws of the events of all `laws`, in their order."""
    if len(laws) == 1:
        return laws[0]
    return _JoinedLaw(
        _JoinedTimes(tuple(law.time for law in laws)),
        _JoinedPlaces(
            tuple(law.place for law in laws), tuple(slices_of([len(law) for law in laws]))
        ),
        _joined_marks(laws),
        laws[0].magnitude,  # of one forecaster
        laws=tuple(laws),
    )


def slices_of(lengths: Sequence[int]) -> list[slice]:
    """Returns the rows of groups of the given lengths, one after another."""
    ends = np.cumsum([0, *lengths]).tolist()
    return [slice(start, end) for start, end in pairwise(ends)]


def _joined_marks(laws: Sequence[NextEventLaw]) -> "MarkPart | None":
    parts = tuple(law.mark for law in laws if law.mark is not None)
    rows = tuple(slices_of([len(law) for law in laws]))
    return _JoinedMarks(parts, rows) if len(parts) == len(laws) else None


@dataclass(frozen=True)
class _JoinedLaw(NextEventLaw):
    laws: tuple[NextEventLaw, ...] = ()

    def sample(self, n_samples: int, generator: torch.Generator) -> Samples:
        return concatenated([law.sample(n_samples, generator) for law in self.laws])

    def given_no_event_until(self, gap: Floats) -> NextEventLaw:
        rows = slices_of([len(law) for law in self.laws])
        return joined_laws(
            [law.given_no_event_until(gap[r]) for law, r in zip(self.laws, rows, strict=True)]
        )


@dataclass(frozen=True)
class _JoinedTimes(TimePart):
    parts: tuple[TimePart, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def lacking(self) -> str:  # type: ignore[override]
        return next((part.lacking for part in self.parts if part.lacking), "")

    @property
    def cell(self) -> float:  # type: ignore[override]
        return shared_cell(self.parts)

    def log_density(self, gap: Floats) -> Floats:
        return self._each(lambda part, rows: part.log_density(gap[rows]))

    def log_survival(self, gap: Floats) -> Floats:
        return self._each(lambda part, rows: part.log_survival(gap[rows]))

    def log_intensity(self, gap: Floats) -> Floats:
        return self._each(lambda part, rows: part.log_intensity(gap[rows]))

    def at_log_survival(self, log_survival: Floats) -> Floats:
        return self._each(lambda part, rows: part.at_log_survival(log_survival[rows]))

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        return self._each(lambda part, rows: part.draw(n_samples, generator))

    def after(self, elapsed: Floats) -> TimePart:
        rows = slices_of(list(map(len, self.parts)))
        return _JoinedTimes(
            tuple(part.after(elapsed[r]) for part, r in zip(self.parts, rows, strict=True))
        )

    def _each(self, values: Callable[[TimePart, slice], Floats]) -> Floats:
        rows = slices_of(list(map(len, self.parts)))
        return np.concatenate([values(part, r) for part, r in zip(self.parts, rows, strict=True)])


@dataclass(frozen=True)
class _JoinedMarks(MarkPart):
    parts: tuple[MarkPart, ...]
    rows: tuple[slice, ...]

    def log_probability(self, gap: Floats) -> Floats:
        found = zip(self.parts, self.rows, strict=True)
        return np.concatenate([part.log_probability(gap[rows]) for part, rows in found])


@dataclass(frozen=True)
class _JoinedPlaces(PlacePart):
    parts: tuple[PlacePart, ...]
    rows: tuple[slice, ...]

    @property
    def lacking(self) -> str:  # type: ignore[override]
        return next((part.lacking for part in self.parts if part.lacking), "")

    def log_density(self, place: Floats, gap: Floats, mark: Integers | None) -> Floats:
        return np.concatenate(
            [
                part.log_density(place[rows], gap[rows], None if mark is None else mark[rows])
                for part, rows in zip(self.parts, self.rows, strict=True)
            ]
        )

    def draw(self, gap: Floats, mark: Integers | None, generator: torch.Generator) -> Floats:
        return np.concatenate(
            [
                part.draw(gap[rows], None if mark is None else mark[rows], generator)
                for part, rows in zip(self.parts, self.rows, strict=True)
            ]
        )
