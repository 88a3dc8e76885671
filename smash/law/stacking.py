"""Shares of a pool learnt from events: those under which the mixture's log score is best."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.law.forecaster import Forecaster
from smash.law.log_density import LogDensity
from smash.law.mixed_law import PartShares

Floats = NDArray[np.float64]

ROUNDS, SETTLED = 10_000, 1e-10
"""Most steps that shares are learnt in, and their change that ends it."""
SCORED = {"event": "the whole event", "time_mark": "time and mark"}
"""Log densities that shares are learnt by, the first that all members have."""
PARTS = ("time", "mark", "place")
"""What is mixed apart."""


@dataclass(frozen=True)
class Stacking:
    """The shares `weight` (M,) of a pool's members, 1 in all.

    `learnt_by` says in words by the log score of what, empty where they are equal because members
    have no densities to learn by; `lacking` says which members lack what, and why. `parts`: those
    of times, marks and places, where these are mixed apart.
    """

    weight: tuple[float, ...]
    n_events: int
    learnt_by: str = ""
    lacking: str = ""
    parts: PartShares | None = None


def stacked(members: Mapping[str, Forecaster], sequences: EventSequences) -> Stacking:
    """Returns the shares in which the members' mixture has the best log score of all targets.

    By the density of the whole event; where a member has none of the place, by that of time and
    mark; where one has none of the time either, the shares are equal. Take events that neither
    trained nor chose the members.

    Args:
        members: forecasters of any kind by name, all with the same marks.
        sequences: the events whose targets are scored.

    Raises:
        DataError: as `Forecaster.laws`.
    """
    known = _Known.of(members, sequences)
    for part, words in SCORED.items():
        if (weight := known.weight(part)) is not None:
            return Stacking(weight, known.n_events, words, known.lacking)
    return Stacking(known.equal, known.n_events, "", known.lacking)


def stacked_by_part(members: Mapping[str, Forecaster], sequences: EventSequences) -> Stacking:
    """Returns shares for times, marks and places apart, each with its part's best log score.

    A part that a member has no density of is shared equally (that of the mark, where there are no
    marks, too); where all are, nothing is learnt. Arguments and errors as of `stacked`.
    """
    known = _Known.of(members, sequences)
    found = {part: known.weight(part) for part in PARTS}
    learnt = ", ".join(part for part, weight in found.items() if weight is not None)
    shares = PartShares(**{part: weight or known.equal for part, weight in found.items()})
    by = f"{learnt}, each apart" if learnt else ""
    return Stacking(known.equal, known.n_events, by, known.lacking, shares)


@dataclass(frozen=True)
class _Known:
    """The log densities of the same events under M members, and what these lack."""

    found: tuple[LogDensity, ...]
    n_events: int
    lacking: str

    @classmethod
    def of(cls, members: Mapping[str, Forecaster], sequences: EventSequences) -> "_Known":
        found = {name: member.log_densities(sequences) for name, member in members.items()}
        lacking = "; ".join(f"{name}: {one.lacking}" for name, one in found.items() if one.lacking)
        return cls(tuple(found.values()), int(sequences.is_target.sum()), lacking)

    @property
    def equal(self) -> tuple[float, ...]:
        """The shares (M,) of members of which nothing is learnt."""
        return (1 / len(self.found),) * len(self.found)

    def weight(self, part: str) -> tuple[float, ...] | None:
        """Returns the shares (M,) by the log score of a part; None where a member has none."""
        known = [value for one in self.found if (value := getattr(one, part)) is not None]
        if len(known) < len(self.found):
            return None
        return tuple(stacking_weights(np.stack(known, axis=1)).tolist())


def stacking_weights(log_density: Floats) -> Floats:
    """Returns the shares (M,) in which M laws have the best mean log density of N events.

    Args:
        log_density: (N, M) of each event under each law; an event that is impossible under all of
            them says nothing.

    The mean is concave in the shares and found by expectation-maximisation from equal ones
    (stacking of predictive distributions: Yao, Vehtari, Simpson, Gelman, Bayesian Analysis 13
    (2018) 917-1007).
    """
    weight = np.full(log_density.shape[1], 1 / log_density.shape[1])
    log_density = log_density[np.isfinite(log_density.max(axis=1))]
    if len(log_density) == 0:
        return weight
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    for _ in range(ROUNDS):
        share = density * weight
        better = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
        settled = np.abs(better - weight).max() < SETTLED
        weight = better
        if settled:
            break
    return weight / weight.sum()
