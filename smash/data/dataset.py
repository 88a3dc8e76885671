"""A data set: three splits of event sequences and what is known about them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from smash.data.events import EventSequences, check_variation
from smash.data.geography import LENGTHS, Geography
from smash.data.region import Region
from smash.data.sharing import Shared, shared_targets
from smash.data.tally import LeftOut, Tally
from smash.errors import DataError
from smash.settings import MOST_MARKS, Columns

MANY_MARKS = 50
"""Marks above which it is looked whether most of them occur."""


NO_PLACES: dict[str, Any] = {
    "location_unit": "",
    "location_names": (),
    "written_names": (),
    "geography": LENGTHS,
    "region": None,
}
"""What is said of places where events have none."""


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test sequences in raw units, with names and units.

    `n_marks` is K (1 for unmarked data). `time_origin` is the timestamp (ISO 8601, UTC) that times
    count from, empty where they are plain numbers; `mark_edges` (K - 1,) are the values at which a
    number such as a magnitude was cut into marks, empty where it was not. Locations lie on the
    plane of `geography`, which says how people write them; `location_names` are those of the plane,
    `written_names` people's own, both empty where events have no places. `warnings` are what
    reading the data said (`notices`: all that is to be said); `published` is True when every file
    has its published checksum. `columns` are those of the user's own table. `completeness` is the
    magnitude from which on events are complete, where it is known; `region` the polygon of the
    plane in which they were looked for, None for everywhere. `tally` says what became of the table
    that windows were cut from.
    """

    name: str
    train: EventSequences
    validation: EventSequences
    test: EventSequences
    n_marks: int
    mark_names: tuple[str, ...]
    time_unit: str = "time units"
    location_unit: str = "length units"
    location_names: tuple[str, ...] = ("x", "y")
    time_origin: str = ""
    mark_edges: tuple[float, ...] = ()
    geography: Geography = LENGTHS
    columns: Columns = field(default_factory=Columns)
    written_names: tuple[str, ...] | None = None
    source: str = ""
    published: bool = False
    warnings: tuple[str, ...] = ()
    tally: Tally | None = None
    completeness: float | None = None
    region: Region | None = None

    @property
    def marked(self) -> bool:
        return self.train.mark is not None

    @property
    def n_axes(self) -> int:
        """D, the coordinates of a place: 2, or 0 for events without places."""
        return self.train.n_axes

    def splits(self) -> Iterator[tuple[str, EventSequences]]:
        yield "train", self.train
        yield "validation", self.validation
        yield "test", self.test

    @cached_property
    def shared(self) -> tuple[Shared, ...]:
        """What every two splits share; takes a second on large data."""
        return shared_targets(dict(self.splits()))

    @property
    def notices(self) -> tuple[str, ...]:
        """`warnings`, and what splits share; said and tagged by whoever runs the data."""
        return (*self.warnings, *filter(None, [self._sharing()]))

    def _sharing(self) -> str:
        shared = [pair for pair in self.shared if pair.distinct_targets]
        if not shared:
            return ""
        if any((pair.first, pair.second) == ("train", "test") for pair in shared):
            effect = "scores on the test are those of events known from training"
        else:
            effect = "what is chosen by one is not independent of the other"
        return f"events shared between splits: {'; '.join(map(str, shared))}: {effect}"

    @cached_property
    def rows(self) -> Tally:
        """What became of the rows that were read: `tally`, or what loading the splits dropped."""
        if self.tally is not None:
            return self.tally
        kept = sum(part.n_events for _, part in self.splits())
        sequences = sum(part.dropped for _, part in self.splits())
        rows = sum(part.dropped_events for _, part in self.splits())
        short = LeftOut("sequences of fewer than two events", sequences, rows)
        return Tally(kept + rows, kept, (short,) if sequences else ())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every event of every split, whatever file they came from."""
        digest = hashlib.sha256()
        for split, sequences in self.splits():
            digest.update(split.encode())
            columns = (sequences.mark, sequences.magnitude, sequences.history)
            more = [column for column in columns if column is not None]
            for array in (sequences.time, sequences.location, sequences.offsets, *more):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def without_marks(self) -> "Dataset":
        """Returns the same data with the marks left out (the original's `--dim 2`)."""
        return replace(
            self,
            train=self.train.without_marks(),
            validation=self.validation.without_marks(),
            test=self.test.without_marks(),
            n_marks=1,
            mark_names=(),
            mark_edges=(),
        )

    def without_places(self) -> "Dataset":
        """Returns the same data with the places left out."""
        return replace(
            self,
            train=self.train.without_places(),
            validation=self.validation.without_places(),
            test=self.test.without_places(),
            **NO_PLACES,
            columns=self.columns.without_places(),
        )

    def summary(self) -> pd.DataFrame:
        """A row a split: sequences, events, targets, lengths, gaps and what was dropped."""
        rows = []
        for split, sequences in self.splits():
            gap = sequences.gap[sequences.is_target]
            rows.append(
                {
                    "split": split,
                    "sequences": len(sequences),
                    "events": sequences.n_events,
                    "targets": len(gap),
                    "shortest": sequences.lengths.min(),
                    "longest": sequences.lengths.max(),
                    "median_gap": np.median(gap),
                    "zero_gaps": np.mean(gap == 0),
                    "dropped_sequences": sequences.dropped,
                }
            )
        return pd.DataFrame(rows).set_index("split")


def build_dataset(
    name: str,
    train: EventSequences,
    validation: EventSequences,
    test: EventSequences,
    **about: Any,
) -> Dataset:
    """Returns a data set whose splits were checked against each other.

    K is one more than the largest mark of any split, so that every event has a place, and no less
    than the number of `mark_names` given.

    Raises:
        DataError: when splits with and without marks, or places, are mixed, there are more marks
            than names or than `MOST_MARKS`, or training data do not vary.
    """
    splits = (train, validation, test)
    with_marks = _all_or_none(name, "marks", splits, [s.mark is not None for s in splits])
    with_places = _all_or_none(name, "places", splits, [s.n_axes > 0 for s in splits])
    if not with_places:
        about |= NO_PLACES | {"columns": about.get("columns", Columns()).without_places()}
    check_variation(train, about.get("time_unit", "time units"))
    given = tuple(about.pop("mark_names", None) or ())
    n_marks, names = (
        _marks(name, splits, given, len(about.get("mark_edges") or ())) if with_marks else (1, ())
    )
    about["warnings"] = (*about.get("warnings", ()), *_unseen_marks(train, n_marks))
    return Dataset(name, train, validation, test, n_marks, names, **about)


def _all_or_none(
    name: str, what: str, splits: Sequence[EventSequences], having: Sequence[bool]
) -> bool:
    """Returns whether the splits have marks, or places; a DataError where only some have."""
    if any(having) and not all(having):
        some, none = (splits[having.index(has)].name for has in (True, False))
        raise DataError(f"{name}: {some} has {what} and {none} has none; give all or none")
    return all(having)


def _marks(
    name: str, splits: tuple[EventSequences, ...], given: tuple[str, ...], n_edges: int
) -> tuple[int, tuple[str, ...]]:
    """Returns the number of marks and their names: those given, else their numbers."""
    seen = 1 + max(n_edges, *(int(s.mark.max()) for s in splits if s.mark is not None))
    if given and seen > len(given):
        raise DataError(
            f"{name}: mark {seen - 1} has no name among {', '.join(given)}; name all marks from 0 "
            "in data.mark_names, or none"
        )
    names = given or tuple(str(k) for k in range(seen))
    if len(names) > MOST_MARKS:
        raise DataError(
            f"{name}: {len(names)} marks, and each is forecast a probability; {MOST_MARKS} at "
            "most, so name a column of kinds, or cut a number into a few"
        )
    return len(names), names


def _unseen_marks(train: EventSequences, n_marks: int) -> tuple[str, ...]:
    """Returns a warning where most of many marks never occur, as where marks are identifiers."""
    occur = 0 if train.mark is None else len(np.unique(train.mark))
    if n_marks <= MANY_MARKS or 2 * occur > n_marks:
        return ()
    return (
        f"{train.name}: {occur} of {n_marks} marks occur in the training data, and the others are "
        "forecast all the same; if marks are identifiers, number the kinds one after another",
    )
