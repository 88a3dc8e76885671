"""Padded batches of scaled sequences; padding is by length, never by value."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.data.events import EventSequences
from smash.data.rates import Rates, rate_features
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
    sequence that are no targets; 1 unless given. `until` (B, L): scaled time from the event before
    to the window's end, which a gap cannot be longer than, NaN where that is not known. `rates`
    (B, L, F) and `magnitude` (B, L), scaled: of recent events, where the model is told of them.

    `length`, `history` and `left` lie on the CPU, which so knows what to ask of a GPU without
    waiting for it.
    """

    time: Tensor
    u: Tensor
    mark: Tensor | None
    length: Tensor
    target: Tensor | None = None
    left: Tensor | None = None
    start: Tensor | None = None
    history: Tensor | None = None
    until: Tensor | None = None
    rates: Tensor | None = None
    magnitude: Tensor | None = None

    @cached_property
    def mask(self) -> Tensor:
        """(B, L) True where there is an event."""
        return moved(self._mask, self.time.device)

    @cached_property
    def _mask(self) -> Tensor:
        return torch.arange(self.time.shape[1]) < self.length[:, None]

    @cached_property
    def is_target(self) -> Tensor:
        """(B, L - 1) True where event l + 1 is forecast from the context after event l."""
        if self.history is None:
            return self._mask[:, 1:]
        event = torch.arange(1, self.time.shape[1])
        return self._mask[:, 1:] & (event >= self.history[:, None])

    @cached_property
    def _target_rows(self) -> Tensor:
        """(N,) places of the targets among the B times L - 1 events after the first."""
        return moved(self.is_target.flatten().nonzero().squeeze(1), self.time.device)

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
                None if self.until is None else self.until[rows, events],
                None if self.rates is None else self.rates[rows, events],
                None if self.magnitude is None else self.magnitude[rows, events],
            )

    def targets(self) -> tuple[Tensor, Tensor | None]:
        """Returns the targets' z (N, 1 + D) on [-1, 1] and marks (N,), in order of the contexts."""
        u = self.u if self.target is None else self.target
        z = 2 * self._of_targets(u[:, 1:]) - 1
        return z, None if self.mark is None else self._of_targets(self.mark[:, 1:])

    def longest_gaps(self) -> Tensor:
        """Returns z (N,) of how long the targets' gaps could have been, NaN where not known."""
        if self.until is None:
            return torch.full_like(self._of_targets(self.u[:, 1:, 0]), torch.nan)
        return 2 * self._of_targets(self.until[:, 1:]) - 1

    def contexts(self, encoding: Tensor) -> Tensor:
        """Returns the contexts (N, C) of the targets from an encoding (B, L, C)."""
        return self._of_targets(encoding[:, :-1])

    def _of_targets(self, events: Tensor) -> Tensor:
        """Returns what is told (N, ...) of the targets alone, of all (B, L - 1, ...)."""
        return events.flatten(0, 1)[self._target_rows]

    def event_free_ends(self, encoding: Tensor) -> tuple[Tensor, Tensor]:
        """Returns contexts (M, C) after last events and z (M,) of how long no event came then.

        M counts the sequences whose window is known to last beyond their last event.
        """
        if self.left is None:
            return encoding[:0, 0], encoding[:0, 0, 0]
        known = (~self.left.isnan()).nonzero().squeeze(1)
        last = known * encoding.shape[1] + self.length[known] - 1
        left = moved(2 * self.left[known] - 1, encoding.device)
        return encoding.flatten(0, 1)[moved(last, encoding.device)], left

    def last_of(self, encoding: Tensor, before: int = 0) -> Tensor:
        """Returns the encoding (B, C) after the last event, or so many events before it."""
        last = torch.arange(len(self.length)) * encoding.shape[1] + self.length - 1 - before
        return encoding.flatten(0, 1)[moved(last, encoding.device)]


class ScaledSequences:
    """Sequences scaled once and kept on a device, from which batches are cut.

    A DataError says that a model is told of magnitudes and the sequences have none.

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
        self._left = torch.from_numpy(left.astype(np.float32))
        until = np.where(np.isnan(left)[sequences.sequence], np.nan, _longest(sequences, scaler))
        self._until = _padded(until.astype(np.float32)).to(device)
        self._history = None
        if sequences.history is not None:
            self._history = torch.from_numpy(sequences.n_history)
        self._start = torch.from_numpy(sequences.window[:, 0].copy())
        self.lengths = sequences.lengths
        self._offsets = sequences.offsets
        self._time = _padded(sequences.relative_time.astype(np.float32)).to(device)
        self._u = _padded(u.astype(np.float32)).to(device)
        self._mark = None if sequences.mark is None else _padded(sequences.mark).to(device)
        size = scaler.magnitudes(sequences)
        self._magnitude = None if size is None else _padded(size.astype(np.float32)).to(device)
        self._rates: Tensor | None = None
        if scaler.mean_gap:
            age, gap = sequences.relative_time, sequences.gap
            rates = rate_features(gap, age, sequences.lengths, size, scaler.mean_gap)
            self._rates = _padded(rates.astype(np.float32)).to(device)

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
        self._target = _padded(u.astype(np.float32)).to(self._u.device)

    def batch(self, indices: list[int]) -> Batch:
        """Returns the sequences `indices` as one padded batch."""
        device, lengths = self._time.device, self.lengths[indices]
        event = np.arange(lengths.max(initial=0))
        rows = np.where(
            event < lengths[:, None],
            self._offsets[indices][:, None] + event,
            self._sequences.n_events,
        )
        places = moved(torch.from_numpy(rows), device)
        chosen = torch.tensor(indices, dtype=torch.long)
        return Batch(
            time=self._time[places],
            u=self._u[places],
            mark=None if self._mark is None else self._mark[places],
            length=torch.from_numpy(lengths),
            target=None if self._target is None else self._target[places],
            left=self._left[chosen],
            start=moved(self._start[chosen], device),
            history=None if self._history is None else self._history[chosen],
            until=self._until[places],
            rates=None if self._rates is None else self._rates[places],
            magnitude=None if self._magnitude is None else self._magnitude[places],
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


def first_rates(history: EventSequences, scaler: Scaler, n: int) -> Rates | None:
    """Returns what `n` paths that go on from one history, which may be empty, carry of its rates.

    None where no model is told of rates.
    """
    if not scaler.mean_gap:
        return None
    if not history.n_events:
        return Rates.at_start(scaler.mean_gap, n, 2 if scaler.tells_magnitudes else 1)
    return Rates.of_history(scaler.mean_gap, history.time, scaler.magnitudes(history), n)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a CPU's tensor on a device, without waiting for what a GPU is doing."""
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _padded(values: NDArray) -> Tensor:
    """Returns values of E events (E, ...) with zeros at the end, for the places of padding."""
    nothing = np.zeros((1, *values.shape[1:]), dtype=values.dtype)
    return torch.from_numpy(np.concatenate([values, nothing]))


def _longest(sequences: EventSequences, scaler: Scaler) -> NDArray[np.float64]:
    """Returns u (E,) of how long each event's gap could have been within its window."""
    before = sequences.time - sequences.gap
    longest = sequences.window[sequences.sequence, 1] - before
    return scaler.scale_gap(np.maximum(longest, 0), position=0.0)


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
