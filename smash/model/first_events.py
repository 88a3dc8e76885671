"""The law of a first event, when nothing of a history is known yet but where its window starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smash.data.events import EventSequences
from smash.errors import CheckpointError, ForecastError
from smash.law.fixed_marks import FixedMarks, frequencies
from smash.law.joined_laws import joined_laws
from smash.law.kernel_places import KernelDensity, KernelPlaces
from smash.law.log_normal_times import COMPONENTS, kernel_times
from smash.law.magnitudes import MagnitudePart
from smash.law.next_event_law import NextEventLaw

Floats = NDArray[np.float64]

FEWEST = 30
"""Windows that start before their first events from which on these tell how long one waits."""
MOST_PLACES = 1000
SMOOTHING = 0.5
"""Events added to each mark's count, so that no mark is impossible."""


class FirstEvents(nn.Module):
    """A kernel density of waits and one of places, and shares of marks, all of training data.

    `wait` (W,) from a window's start to its first event, `place` (P, D) and `mark_share` (K,), in
    raw units and float64. Empty until `fit` or a checkpoint fills them; checkpoints of before have
    none.
    """

    growing = ("wait", "place", "mark_share")
    """Tables whose number of rows is the training data's."""
    wait: Tensor
    place: Tensor
    mark_share: Tensor

    def __init__(self, n_axes: int = 2, magnitude: MagnitudePart | None = None) -> None:
        """Takes D, the coordinates of a place, and the law of magnitudes, if they are told."""
        super().__init__()
        self.magnitude = magnitude
        self.register_buffer("wait", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("place", torch.zeros(0, n_axes, dtype=torch.float64))
        self.register_buffer("mark_share", torch.zeros(0, dtype=torch.float64))

    @property
    def known(self) -> bool:
        return len(self.wait) > 0

    def fit(self, train: EventSequences, n_marks: int) -> None:
        """Fills the tables from `train`, whose events are of K marks."""
        share = np.ones(1)
        if n_marks > 1 and train.mark is not None:
            share = frequencies(train.mark, n_marks, SMOOTHING)
        place = _spread(train.location, MOST_PLACES)
        for name, table in (("wait", waits(train)), ("place", place), ("mark_share", share)):
            like = getattr(self, name)
            setattr(self, name, torch.from_numpy(np.array(table)).to(like))

    def law(self, n_events: int) -> NextEventLaw:
        """Returns the laws of `n_events` first events; gaps count from their windows' starts."""
        wait, place, share = (table.cpu().numpy() for table in self.buffers())
        marks = FixedMarks(np.tile(share, (n_events, 1))) if len(share) > 1 else None
        places = KernelPlaces((KernelDensity.of(place),), np.zeros((n_events, place.shape[1])))
        return NextEventLaw(kernel_times(wait, n_events), places, marks, self.magnitude)

    def check(self, n_marks: int, path: Path) -> None:
        """Checks tables that came from a file of a model of K marks.

        Raises:
            CheckpointError: when they can be no training data's.
        """
        empty = not any(len(table) for table in self.buffers())
        fits = len(self.mark_share) == n_marks and len(self.place) > 0
        sound = bool((self.wait >= 0).all() and (self.wait > 0).any())
        shares = bool((self.mark_share > 0).all()) and abs(float(self.mark_share.sum()) - 1) < 1e-6
        if not (empty or (fits and sound and shares)):
            raise CheckpointError(
                f"{path}: the tables of first events are no training data's (waits from 0 on, "
                f"places, shares of {n_marks} marks); get the weights again, or train anew"
            )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Makes room for the tables of a checkpoint; one of before leaves them as they are."""
        for name, table in list(self.named_buffers()):
            saved = state_dict.setdefault(prefix + name, table)
            setattr(self, name, table.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def laws_after(
    histories: EventSequences,
    first: FirstEvents,
    law_after: Callable[[EventSequences], NextEventLaw],
) -> NextEventLaw:
    """Returns the laws of the event after each history, those without events by `first`.

    `law_after` gives those of histories that have begun.

    Raises:
        ForecastError: for an empty history where first events have no law.
    """
    empty = histories.lengths == 0
    if not empty.any():
        return law_after(histories)
    check_known(first, histories)
    alike = np.split(np.arange(len(empty)), np.flatnonzero(np.diff(empty)) + 1)
    return joined_laws(
        [
            first.law(len(rows)) if empty[rows[0]] else law_after(histories.select(rows))
            for rows in alike
        ]
    )


def check_known(first: FirstEvents, histories: EventSequences) -> None:
    """Checks that first events have a law.

    Raises:
        ForecastError: when they have none.
    """
    if not first.known:
        raise ForecastError(
            f"{histories.name}: no events, and the model knows no law of a first event, as none "
            "trained before models kept one does; give one event or more, or train it anew"
        )


def waits(train: EventSequences) -> Floats:
    """Returns (W,) waits for a first event, at least one of them above 0.

    From the windows' starts; where hardly any window starts before its first event, from moments
    spread over the windows, as if these had started then.
    """
    from_start = train.gap[~train.is_target]
    if (from_start > 0).sum() >= FEWEST:
        return _spread(np.sort(from_start), COMPONENTS)
    count = -(-COMPONENTS // len(train))
    share = (np.arange(count) + 0.5) / count
    found = []
    for i in range(len(train)):
        time = train.time[train.offsets[i] : train.offsets[i + 1]]
        moment = train.window[i, 0] + share * (time[-1] - train.window[i, 0])
        found.append(time[np.searchsorted(time, moment)] - moment)
    return _spread(np.sort(np.concatenate(found)), COMPONENTS)


def _spread(values: Floats, most: int) -> Floats:
    """Returns at most so many of `values` (V, ...), evenly spread."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)]
