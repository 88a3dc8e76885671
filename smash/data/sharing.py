"""Events that stand in two splits: how much of a test was seen in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from smash.data.events import EventSequences
from smash.data.groups import joined, lay_out


@dataclass(frozen=True)
class Shared:
    """What split `second` has of split `first`: targets in both.

    `distinct_targets` counts the different ones; `share` is that of the targets of `second`, each
    time that one stands in it, that `first` holds too.
    """

    first: str
    second: str
    distinct_targets: int
    share: float

    def __str__(self) -> str:
        return (
            f"{100 * self.share:.3g} % of the {self.second} targets stand in {self.first} too "
            f"({self.distinct_targets} distinct)"
        )


def shared_targets(splits: Mapping[str, EventSequences]) -> tuple[Shared, ...]:
    """Returns what every two splits share (`smash.data.groups`: how events are recognised)."""
    events = lay_out(joined(list(splits.values()))).event
    ends = np.cumsum([part.n_events for part in splits.values()])[:-1]
    targets = {
        split: numbers[part.is_target]
        for (split, part), numbers in zip(splits.items(), np.split(events, ends), strict=True)
    }
    found = []
    for first, second in combinations(splits, 2):
        both = np.isin(targets[second], targets[first])
        distinct = len(np.unique(targets[second][both]))
        found.append(Shared(first, second, distinct, float(np.mean(both))))
    return tuple(found)
