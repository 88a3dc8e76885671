"""Padded batches of scaled sequences; padding is by length, never by value."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.events import EventSequences
from smash.data.scaling import Scaler
from smash.data.variation.folding import folded
from smash.data.variation.mirroring import mirrored
from smash.data.variation.recency import drawn_by_recency
from smash.data.variation.thinning import thinned
from smash.settings import Variation


@dataclass(frozen=True)
class Batch:
    """B sequences padded to L events.

    `time` (B, L): raw time since the window's start, float32. `u` (B, L, 1 + D): scaled gap
    and location. `mark` (B, L): from 0, or None. `length` (B,): events a sequence. `target`, as u:
    where the values are spread over their cells, `u` itself unless given. `left` (B,): scaled
    time from the last event to the window's end, NaN where that is not later. `start` (B,): raw
    time of the window's start, float64; 0 unless given. `history` (B,): events at the start of each
    sequence that are no targets; 1 unless given.
    """

    time: Tensor
    u: Tensor
    mark: Tensor | None
    length: Tensor
    target: Tensor | None = None
    left: Tensor | None = None
    start: Tensor | None = None
    history: Tensor | None = None

    @cached_property
    def mask(self) -> Tensor:
        """(B, L) True where there is an event."""
        return torch.arange(self.time.shape[1], device=self.time.device) < self.length[:, None]

    @cached_property
    def is_target(self) -> Tensor:
        """(B, L - 1) True where event l + 1 is forecast from the context after event l."""
        if self.history is None:
            return self.mask[:, 1:]
        event = torch.arange(1, self.time.shape[1], device=self.time.device)
        return self.mask[:, 1:] & (event >= self.history[:, None])

    @property
    def n_targets(self) -> int:
        return int(self.is_target.sum())

    def parts(self, size: int) -> Iterator["Batch"]:
        """Yields `size` sequences at a time, padded to the longest of them."""
        for start in range(0, len(self.length), size):
            rows = slice(start, start + size)
            events = slice(int(self.length[rows].max()))
            yield Batch(
                self.time[rows, events],
                self.u[rows, events],
                None if self.mark is None else self.mark[rows, events],
                self.length[rows],
                None if self.target is None else self.target[rows, events],
                None if self.left is None else self.left[rows],
                None if self.start is None else self.start[rows],
                None if self.history is None else self.history[rows],
            )

    def targets(self) -> tuple[Tensor, Tensor | None]:
        """Returns the targets' z (N, 1 + D) on [-1, 1] and marks (N,), in order of the contexts."""
        u = self.u if self.target is None else self.target
        z = 2 * u[:, 1:][self.is_target] - 1
        return z, None if self.mark is None else self.mark[:, 1:][self.is_target]

    def contexts(self, encoding: Tensor) -> Tensor:
        """Returns the contexts (N, C) of the targets from an encoding (B, L, C)."""
        return encoding[:, :-1][self.is_target]

    def event_free_ends(self, encoding: Tensor) -> tuple[Tensor, Tensor]:
        """Returns contexts (M, C) after last events and z (M,) of how long no event came then.

        M counts the sequences whose window is known to last beyond their last event.
        """
        rows = torch.arange(len(self.length), device=self.length.device)
        contexts = encoding[rows, self.length - 1]
        if self.left is None:
            return contexts[:0], contexts[:0, 0]
        known = ~self.left.isnan()
        return contexts[known], 2 * self.left[known] - 1


class ScaledSequences:
    """Sequences scaled once and kept on a device, from which batches are cut.

    Where the scaler has cells, histories hold the cells' middles, and targets lie in the middle
    too until `spread` draws other positions.
    """

    def __init__(self, sequences: EventSequences, scaler: Scaler, device: str = "cpu") -> None:
        u = np.column_stack(
            [scaler.scale_gap(sequences.gap), scaler.scale_location(sequences.location)]
        )
        self._sequences, self._scaler = sequences, scaler
        self._target: Tensor | None = None
        left = sequences.window[:, 1] - sequences.time[sequences.offsets[1:] - 1]
        left = np.where(left > 0, scaler.scale_gap(np.maximum(left, 0), position=0.0), np.nan)
        self._left = torch.from_numpy(left.astype(np.float32)).to(device)
        self._history = None
        if sequences.history is not None:
            self._history = torch.from_numpy(sequences.n_history).to(device)
        self._start = torch.from_numpy(sequences.window[:, 0].copy()).to(device)
        self.lengths = sequences.lengths
        self._offsets = sequences.offsets
        self._time = torch.from_numpy(sequences.relative_time.astype(np.float32)).to(device)
        self._u = torch.from_numpy(u.astype(np.float32)).to(device)
        self._mark = None if sequences.mark is None else torch.from_numpy(sequences.mark).to(device)

    def __len__(self) -> int:
        return len(self.lengths)

    def varied(self, variation: Variation, generator: torch.Generator) -> "ScaledSequences":
        """Returns the sequences as an epoch sees them: drawn, folded, thinned, mirrored, as set."""
        sequences, scaler = self._sequences, self._scaler
        if (recent := variation.recency) and recent.half_life:
            sequences = drawn_by_recency(sequences, recent.half_life, generator)
        if (fold := variation.folding) and fold.share:
            sequences = folded(sequences, fold.share, fold.day, generator)
        if (thin := variation.thinning) and thin.depth:
            sequences = thinned(sequences, thin.depth, thin.period, generator)
        if (mirror := variation.mirroring) and mirror.axes != "none":
            ends = scaler.location_low, scaler.location_high
            sequences = mirrored(sequences, mirror.axes, *ends, generator)
        if sequences is self._sequences:
            return self
        return ScaledSequences(sequences, scaler, str(self._time.device))

    def spread(self, generator: torch.Generator) -> None:
        """Draws a new position for every target in its cells; draws nothing where none are."""
        if not self._scaler.has_cells:
            return
        n_axes, device = self._sequences.n_axes, generator.device
        shape = (self._sequences.n_events, 1 + n_axes)
        drawn = torch.rand(shape, generator=generator, device=device, dtype=torch.float64)
        position = drawn.cpu().numpy()
        u = np.column_stack(
            [
                self._scaler.scale_gap(self._sequences.gap, position[:, 0]),
                self._scaler.scale_location(self._sequences.location, position[:, 1:]),
            ]
        )
        self._target = torch.from_numpy(u.astype(np.float32)).to(self._u.device)

    def batch(self, indices: list[int]) -> Batch:
        """Returns the sequences `indices` as one padded batch."""
        rows = [slice(self._offsets[i], self._offsets[i + 1]) for i in indices]
        pad = torch.nn.utils.rnn.pad_sequence
        return Batch(
            time=pad([self._time[r] for r in rows], batch_first=True),
            u=pad([self._u[r] for r in rows], batch_first=True),
            mark=None
            if self._mark is None
            else pad([self._mark[r] for r in rows], batch_first=True),
            length=torch.tensor(self.lengths[indices], device=self._time.device),
            target=None
            if self._target is None
            else pad([self._target[r] for r in rows], batch_first=True),
            left=self._left[indices],
            start=self._start[indices],
            history=None if self._history is None else self._history[indices],
        )

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yields all sequences in order, `batch_size` at a time."""
        for start in range(0, len(self), batch_size):
            yield self.batch(list(range(start, min(start + batch_size, len(self)))))

    def shuffled(
        self, batch_size: int, generator: torch.Generator, pool: int = 1
    ) -> list[list[int]]:
        """Returns a random partition into batches (see `shuffled_by_length`)."""
        return shuffled_by_length(self.lengths, batch_size, generator, pool)


def shuffled_by_length(
    lengths: NDArray[np.int64], batch_size: int, generator: torch.Generator, pool: int = 1
) -> list[list[int]]:
    """Returns a random partition of sequences of `lengths` (M,) into batches, as their indices.

    With `pool` > 1 sequences are sorted by length within random pools of `pool` batches, so that
    batches pad less; the order of the batches stays random.
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    if pool > 1:
        size = pool * batch_size
        pools = [order[i : i + size] for i in range(0, len(order), size)]
        order = [i for p in pools for i in sorted(p, key=lambda i: lengths[i])]
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
