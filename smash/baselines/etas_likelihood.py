r"""The likelihood of ETAS (`smash.simulate.etas_process`) on a catalogue of any length.

A sequence is taken from the last event of its history on, which is given, to the end of its window:

    log L = Σ_i log λ(t_i, x_i) − μ (T − S) ∫ b − Σ_j κ_j G_j ∫_{max(S, t_j)}^T (t − t_j + c)^−p dt,

S the time of that last event, T the window's end, G_j the share of an event's offspring that lies
within the region (1 without one): its integral around the polygon is exact but for quadrature.

Every pair of a target and an event before it counts. Where these are too many to differentiate
over and over, a target's sum over its parents is carried by those at equally spaced quantiles of
their shares under an `anchor`, each with the weight that makes the sum exact there: near the anchor
the likelihood and its derivatives are those of all pairs, and the fit moves the anchor until it
stays (`smash.baselines.etas`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.blocks import slices
from smash.data.events import EventSequences
from smash.simulate.etas_process import LN10, EtasParameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIZE = 8
"""How many parameters are fitted."""
BLOCK = 2**18
"""Pairs of the pass over all of them that are held at a time."""
_LOG_PI = float(np.log(np.pi))


def pack(parameters: EtasParameters) -> Floats:
    """Returns the vector of `unpack`: logarithms but for α, p and γ; q is counted from 1."""
    o = parameters
    return np.array(
        [
            np.log(o.mu),
            np.log(o.productivity),
            o.alpha,
            np.log(o.c),
            o.p,
            np.log(o.d),
            o.gamma,
            np.log(o.q - 1),
        ]
    )


def unpack(theta: Floats, reference: float) -> EtasParameters:
    """Returns the parameters in a vector (8,)."""
    mu, productivity, alpha, c, p, d, gamma, q = theta
    logs = (np.exp(float(v)) for v in (mu, productivity, c, d, q))
    mu, productivity, c, d, q = logs
    return EtasParameters(
        mu, productivity, float(alpha), c, float(p), d, float(gamma), 1 + q, reference
    )


@dataclass(frozen=True)
class Pairs:
    """P pairs of a target and a possible parent.

    `child` (P,) numbers targets from 0; `age` (P,), `square` (P,) squared distance and `excess`
    (P,) of the parent's magnitude over m₀; `log_weight` (P,) what a pair stands for.
    """

    child: Tensor
    age: Tensor
    square: Tensor
    excess: Tensor
    log_weight: Tensor


def log_rate(theta: Tensor, age: Tensor, square: Tensor, excess: Tensor) -> Tensor:
    """Returns (...) the log intensity that parents give at ages and squared distances (...)."""
    _, productivity, alpha, log_c, p, log_d, gamma, log_q = theta
    log_area = 2 * log_d + (gamma * LN10) * excess
    rest = log_q.exp()
    return (
        productivity
        + log_q
        - _LOG_PI
        + (alpha * LN10) * excess
        - p * torch.log(age + log_c.exp())
        + rest * log_area
        - (1 + rest) * torch.log(square + log_area.exp())
    )


class EtasLikelihood:
    """Log likelihood of the targets of `sequences`, whose magnitudes are counted from m₀.

    Args:
        sequences: events with magnitudes.
        reference: m₀.
        nodes: (E, V), (E, V) squared distances and angle shares around the region for each event
            (`smash.data.region.Region.rays`); None without a region.
    """

    def __init__(
        self,
        sequences: EventSequences,
        reference: float,
        nodes: tuple[Floats, Floats] | None = None,
    ) -> None:
        assert sequences.magnitude is not None
        self.sequences, self.reference = sequences, reference
        self.rows = np.flatnonzero(sequences.is_target)
        self._time, self._place = map(torch.tensor, (sequences.time, sequences.location))
        self._excess = torch.from_numpy(sequences.magnitude - reference)
        self._first = sequences.offsets[sequences.sequence]
        begin = sequences.time[sequences.offsets[:-1] + sequences.n_history - 1]
        end = sequences.window[:, 1]
        self.duration = float((end - begin).sum())
        own = sequences.sequence
        self._from = torch.from_numpy(np.maximum(begin[own] - sequences.time, 0.0))
        self._to = torch.from_numpy(end[own] - sequences.time)
        self._nodes = None if nodes is None else tuple(map(torch.tensor, nodes))

    @property
    def n_pairs(self) -> int:
        """How many pairs of a target and an event before it there are."""
        return int((self.rows - self._first[self.rows]).sum())

    def compensator(self, theta: Tensor) -> Tensor:
        """Returns the expected number of events."""
        _, productivity, alpha, log_c, p, log_d, gamma, log_q = theta
        c, rest = log_c.exp(), 1 - p
        rest = torch.where(rest.abs() < 1e-7, torch.full_like(rest, 1e-7), rest)
        low, high = torch.log(self._from + c), torch.log(self._to + c)
        in_time = (rest * low).exp() * torch.expm1(rest * (high - low)) / rest
        offspring = (productivity + alpha * LN10 * self._excess).exp() * in_time
        if self._nodes is not None:
            square, angle = self._nodes
            area = (2 * log_d + gamma * LN10 * self._excess).exp()[:, None]
            beyond = (-log_q.exp() * torch.log1p(square / area)).exp()
            offspring = offspring * (angle * (1 - beyond)).sum(dim=1)
        return theta[0].exp() * self.duration + offspring.sum()

    def excited(self, theta: Tensor, pairs: Pairs) -> Tensor:
        """Returns (N,) the intensity at each target that the events before it give."""
        each = log_rate(theta, pairs.age, pairs.square, pairs.excess) + pairs.log_weight
        nothing = torch.zeros(len(self.rows), dtype=torch.float64)
        return nothing.index_add(0, pairs.child, each.exp())

    def value(self, theta: Tensor, pairs: Pairs, log_background: Tensor) -> Tensor:
        """Returns the log likelihood; `log_background` (N,) is log b at the targets."""
        excited = self.excited(theta, pairs)
        # A target without parents near enough for floating point has the background alone.
        tiny = torch.finfo(torch.float64).tiny
        log_lambda = torch.logaddexp(theta[0] + log_background, excited.clamp_min(tiny).log())
        return log_lambda.sum() - self.compensator(theta)

    def every_pair(self) -> Pairs:
        """Returns all pairs."""
        parts = []
        for rows in self._blocks():
            column, before = self._columns(rows)
            child, parent = torch.nonzero(before, as_tuple=True)
            parts.append((child + rows.start, column[parent]))
        return self._pairs(parts, [torch.zeros(len(child)).double() for child, _ in parts])

    def drawn_pairs(self, anchor: Floats, most: int) -> Pairs:
        """Returns `most` pairs or fewer a target, whose sum is that of all pairs at the `anchor`.

        Always the same for one anchor, so that a fit repeats and settles.
        """
        theta, parts, weights = torch.from_numpy(anchor), [], []
        shift = torch.from_numpy(np.random.default_rng(0).random((len(self.rows), 1)))
        steps = torch.arange(most, dtype=torch.float64)
        for rows in self._blocks():
            rate = self._rates(theta, rows)
            below = rate.cumsum(dim=1)
            total = below[:, -1:].contiguous()
            level = (steps + shift[rows]) / most * total
            parent = torch.searchsorted(below, level).clamp_max(rate.shape[1] - 1)
            child = torch.arange(len(rate))[:, None].expand_as(parent)
            kept = (total > 0).expand_as(parent)
            # A parent at several quantiles is one pair with the weight of all.
            pair, count = torch.unique(
                (child * rate.shape[1] + parent)[kept], return_counts=True, sorted=True
            )
            child, parent = pair // rate.shape[1], pair % rate.shape[1]
            column, _ = self._columns(rows)
            parts.append((child + rows.start, column[parent]))
            weights.append((count * total[child, 0] / most / rate[child, parent]).log())
        return self._pairs(parts, weights)

    def _blocks(self) -> Iterator[slice]:
        """Yields slices of targets of one sequence each, with few enough pairs."""
        bounds = np.searchsorted(self.rows, self.sequences.offsets)
        for start, end, first in zip(
            bounds[:-1], bounds[1:], self.sequences.offsets[:-1], strict=True
        ):
            size = max(1, BLOCK // max(1, int(self.rows[end - 1] - first) if end > start else 1))
            for part in slices(end - start, size):
                yield slice(start + part.start, start + part.stop)

    def _columns(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Returns (L,) the events before the last target of a block, and (B, L) who is before."""
        own = torch.from_numpy(self.rows[rows])
        column = torch.arange(int(self._first[self.rows[rows.start]]), int(own[-1]))
        return column, column < own[:, None]

    def _rates(self, theta: Tensor, rows: slice) -> Tensor:
        """Returns (B, L) the intensity at the targets of a block from each event before."""
        column, before = self._columns(rows)
        own, past = self.rows[rows], slice(int(column[0]), int(column[-1]) + 1)
        age = (self._time[own][:, None] - self._time[past]).clamp_min_(0.0)
        place, other = self._place[own], self._place[past]
        square = (place[:, None, 0] - other[:, 0]) ** 2 + (place[:, None, 1] - other[:, 1]) ** 2
        # Differences are exact; to weigh pairs the rest needs no more digits, and half the time.
        single = (part.float() for part in (theta, age, square, self._excess[past]))
        return log_rate(*single).exp_().double().mul_(before)

    def _pairs(self, parts: list[tuple[Tensor, Tensor]], log_weights: list[Tensor]) -> Pairs:
        child = torch.cat([child for child, _ in parts])
        parent = torch.cat([parent for _, parent in parts])
        own = torch.from_numpy(self.rows)[child]
        age = self._time[own] - self._time[parent]
        square = ((self._place[own] - self._place[parent]) ** 2).sum(dim=1)
        return Pairs(child, age, square, self._excess[parent], torch.cat(log_weights))
