"""Log densities of next events by parts, and how those of several forecasters become one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FARTHEST = -700.0
"""Least exponent in a sum whose largest is 0: e^FARTHEST is nothing beside 1 in float64."""


@dataclass(frozen=True)
class LogDensity:
    """Log densities of N events by parts, in raw units; None where `lacking` says why.

    `time` (N,): of the gap. `mark` (N,): log p(mark | gap), None for unmarked laws too. `place`
    (N,): given gap and mark. `unmarked` (N,): of gap and place, the mark summed out, so that
    marked and unmarked laws meet on one scale. `magnitude` (N,): of a number that
    events carry, in no sum, as few laws know it. Where gaps are cells or have an atom, a gap counts
    with the logarithm of its cell's mean density, a gap of zero with that of its probability.
    """

    time: Floats | None = None
    mark: Floats | None = None
    place: Floats | None = None
    unmarked: Floats | None = None
    lacking: str = ""
    magnitude: Floats | None = None

    @property
    def time_mark(self) -> Floats | None:
        """Returns (N,) that of gap and mark; None where the time's is lacking."""
        return self.time if self.time is None or self.mark is None else self.time + self.mark

    @property
    def event(self) -> Floats | None:
        """Returns (N,) the sum of all parts; None where one is lacking."""
        both = self.time_mark
        return None if both is None or self.place is None else both + self.place


def joined(parts: Sequence[LogDensity]) -> LogDensity:
    """Returns the log densities of several groups of events as one, in their order."""

    def together(name: str) -> Floats | None:
        found = [getattr(part, name) for part in parts]
        return None if any(value is None for value in found) else np.concatenate(found)

    lacking = next((part.lacking for part in parts if part.lacking), "")
    time, mark, place, unmarked = map(together, ("time", "mark", "place", "unmarked"))
    return LogDensity(time, mark, place, unmarked, lacking, together("magnitude"))


def mixed_densities(parts: Sequence[LogDensity], shares: Floats) -> LogDensity:
    """Returns the log densities of the same events under M laws mixed in `shares` (M,).

    The mixture is one of whole events; its parts are the conditional laws that follow.
    """

    def mean(of: Callable[[LogDensity], Floats | None]) -> Floats | None:
        found = [value for part in parts if (value := of(part)) is not None]
        if len(found) < len(parts):
            return None
        with np.errstate(divide="ignore"):
            return log_sum_exp(np.stack(found, axis=-1) + np.log(shares))

    time, both, event = (mean(attrgetter(name)) for name in ("time", "time_mark", "event"))
    marked = all(part.mark is not None for part in parts)
    lacking = next((part.lacking for part in parts if part.lacking), "")
    return LogDensity(
        time,
        both - time if marked and both is not None and time is not None else None,
        event - both if event is not None and both is not None else None,
        mean(attrgetter("unmarked")),
        lacking,
    )


def log_sum_exp(values: Floats) -> Floats:
    """Returns (...) log Σ exp of values (..., M), which are overwritten; -inf where all are.

    Several times as fast as SciPy's, which matters for kernel densities of many points.
    """
    most = values.max(axis=-1)
    finite = np.where(np.isfinite(most), most, 0.0)
    values -= finite[..., None]
    # Numbers too small for float64 take ten times as long.
    np.exp(np.maximum(values, FARTHEST, out=values), out=values)
    return np.where(most == -np.inf, most, np.log(values.sum(axis=-1)) + finite)
