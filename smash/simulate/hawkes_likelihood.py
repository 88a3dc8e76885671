r"""The likelihood of the simulator's family of self-exciting processes (`smash.simulate.process`).

A sequence is taken from the last event of its history on, its first one where it has no more, which
is given, to the end of its window:

    log L = Σ_{i > 1} log λ_{k_i}(t_i, x_i) − μ (T − t_1) − Σ_i R_i (1 − exp(−β (T − t_i))),

R_i = Σ_k A[k_i, k], T the window's end: the last sum is the whole excitation's integral, in one
pass. Locations enter λ one by one, so it needs pairs of events: only the last `history` events are
taken as possible parents there. Where older ones still matter, λ is too small and the fitted decay
errs on the fast side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.events import EventSequences

_LOG_TWO_PI = float(np.log(2 * np.pi))
BLOCK_PAIRS = 2**17
"""Pairs held at a time, so that the intermediate values of a block stay in cache."""


@dataclass(frozen=True)
class Parameters:
    """The process as tensors: `background` (K,), `excitation` (K, K), `decay`, `spread` (), and
    `center`, `scale` (D,), the background's mean and spread along each axis.

    Distances are measured after division by `scale`, the offspring's (`spread`) too.
    """

    background: Tensor
    excitation: Tensor
    decay: Tensor
    spread: Tensor
    center: Tensor
    scale: Tensor

    @classmethod
    def unpack(cls, theta: Tensor, n_marks: int) -> "Parameters":
        """Returns the parameters in a vector: their logarithms, but the center as it is."""
        n_axes = (len(theta) - n_marks - n_marks**2 - 2) // 2
        sizes = [n_marks, n_marks**2, 1, 1, n_axes, n_axes]
        background, excitation, decay, spread, center, scale = theta.split(sizes)
        return cls(
            background.exp(),
            excitation.exp().view(n_marks, n_marks),
            decay.exp()[0],
            spread.exp()[0],
            center,
            scale.exp(),
        )

    def pack(self) -> Tensor:
        """Returns the vector that `unpack` reads."""
        logs = [self.background, self.excitation.flatten(), self.decay[None], self.spread[None]]
        return torch.cat([*(part.log() for part in logs), self.center, self.scale.log()])


@dataclass(frozen=True)
class _Block:
    """Targets (n,) and their possible parents: pairs (P,) by target, `child` from 0 to n - 1."""

    mark: Tensor
    location: Tensor
    child: Tensor
    cell: Tensor
    age: Tensor
    square: Tensor


class Likelihood:
    """Log likelihood of all targets of `sequences` as a function of the parameters' vector.

    Args:
        sequences: events in whatever units; the parameters are in the same.
        n_marks: K; for unmarked events 1.
        history: most events before a target that may be its parent.
    """

    def __init__(self, sequences: EventSequences, n_marks: int, history: int) -> None:
        mark = np.zeros(sequences.n_events, np.int64) if sequences.mark is None else sequences.mark
        self.n_marks = n_marks
        self.n_targets = int(sequences.is_target.sum())
        self._sequences, self._marks, self._history = sequences, mark, history
        end = sequences.window[:, 1]
        begin = sequences.time[sequences.offsets[:-1] + sequences.n_history - 1]
        self._duration = float((end - begin).sum())
        self._gone = torch.from_numpy(np.maximum(begin[sequences.sequence] - sequences.time, 0.0))
        self._mark = torch.from_numpy(mark)
        self._left = torch.from_numpy(end[sequences.sequence] - sequences.time)
        self._blocks = list(self._cut())

    def __call__(self, theta: Tensor) -> Tensor:
        """Returns the log likelihood, a number that can be differentiated."""
        parts = [self._log_intensity(block, theta).sum() for block in self._blocks]
        return torch.stack(parts).sum() - self._compensator(theta)

    def value_and_gradient(self, theta: NDArray) -> tuple[float, NDArray[np.float64]]:
        """Returns the log likelihood and its gradient, block by block to bound memory."""
        leaf = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
        value = -self._compensator(leaf)
        value.backward()
        total = float(value.detach())
        for block in self._blocks:
            value = self._log_intensity(block, leaf).sum()
            value.backward()
            total += float(value.detach())
        assert leaf.grad is not None
        return total, leaf.grad.numpy()

    def log_intensity(self, theta: Tensor) -> Tensor:
        """Returns (N,) log λ of each target at its own mark, time and location."""
        return torch.cat([self._log_intensity(block, theta) for block in self._blocks])

    def _log_intensity(self, block: _Block, theta: Tensor) -> Tensor:
        p = Parameters.unpack(theta, self.n_marks)
        n_axes, log_area = len(p.scale), p.scale.log().sum()
        constant = n_axes / 2 * _LOG_TWO_PI
        z = (block.location - p.center) / p.scale
        background = p.background.log()[block.mark] - 0.5 * (z**2).sum(1) - constant - log_area
        precision = 0.5 / (p.spread * p.scale) ** 2
        log_weight = (
            p.excitation.log().flatten()[block.cell]
            - p.decay * block.age
            - block.square @ precision
        )
        excitation = torch.zeros_like(background).index_add(0, block.child, log_weight.exp())
        log_height = p.decay.log() - n_axes * p.spread.log() - constant - log_area
        # No parent near enough to be seen in floating point: the background alone, with no NaN
        # in the gradient.
        tiny = torch.finfo(excitation.dtype).tiny
        return torch.logaddexp(background, log_height + excitation.clamp_min(tiny).log())

    def _compensator(self, theta: Tensor) -> Tensor:
        p = Parameters.unpack(theta, self.n_marks)
        offspring = p.excitation.sum(1)[self._mark]
        faded = (-p.decay * self._gone).exp() - (-p.decay * self._left).exp()
        excited = (offspring * faded).sum()
        return p.background.sum() * self._duration + excited

    def _cut(self) -> Iterator[_Block]:
        """Yields the targets in blocks of about `BLOCK_PAIRS` pairs."""
        rows = np.flatnonzero(self._sequences.is_target)
        place = rows - self._sequences.offsets[self._sequences.sequence[rows]]
        n_parents = np.minimum(place, self._history)
        block = np.cumsum(n_parents) // BLOCK_PAIRS
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(block)) + 1):
            yield self._block(rows[part], n_parents[part])

    def _block(self, rows: NDArray[np.int64], n_parents: NDArray[np.int64]) -> _Block:
        time, location = self._sequences.time, self._sequences.location
        child = np.repeat(np.arange(len(rows)), n_parents)
        # Pairs of a target count 1, 2, … events back.
        back = np.arange(len(child)) - np.repeat(np.cumsum(n_parents) - n_parents, n_parents) + 1
        own = rows[child]
        parent = own - back
        return _Block(
            mark=self._mark[rows],
            location=torch.from_numpy(location[rows]),
            child=torch.from_numpy(child),
            cell=torch.from_numpy(self._marks[parent] * self.n_marks + self._marks[own]),
            age=torch.from_numpy(time[own] - time[parent]),
            square=torch.from_numpy((location[own] - location[parent]) ** 2),
        )
