"""What the mixture sees of events: standardised numbers, and batches of whole sequences."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smash.baselines.past_events import known_marks
from smash.data.events import EventSequences

DAY = {"seconds": 86400.0, "minutes": 1440.0, "hours": 24.0, "days": 1.0}
"""A day in each unit of time in which the phase of day and week is known."""


@dataclass(frozen=True)
class Standardisation:
    """Means and standard deviations of training targets: of the log positive gap and location.

    Those of the location are (D,), none without places. `day` is a day in the unit of time, None
    where that is not known.
    """

    log_gap: tuple[float, float]
    location_mean: tuple[float, ...]
    location_scale: tuple[float, ...]
    day: float | None

    @classmethod
    def of(cls, train: EventSequences, time_unit: str) -> "Standardisation":
        """Returns the numbers of `train`, whose gaps and locations vary."""
        targets = train.targets()
        log_gap = np.log(targets.gap[targets.gap > 0])
        mean, scale = targets.location.mean(axis=0), targets.location.std(axis=0)
        # One positive gap alone has no spread.
        spread = float(log_gap.std()) or 1.0
        return cls(
            (float(log_gap.mean()), spread),
            tuple(mean.tolist()),
            tuple(scale.tolist()),
            DAY.get(time_unit),
        )

    @property
    def n_inputs(self) -> int:
        return 2 + self.n_axes + (0 if self.day is None else 4)

    @property
    def n_axes(self) -> int:
        """D, the coordinates of a place: 2, or 0 for events without places."""
        return len(self.location_mean)

    def scale_gap(self, gap: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns standardised log gaps; 0, the mean, for gaps of zero."""
        mean, spread = self.log_gap
        log_gap = np.log(np.where(gap > 0, gap, np.exp(mean)))
        return (log_gap - mean) / spread

    def unscale_gap(self, z: NDArray) -> NDArray[np.float64]:
        """Returns gaps in raw units."""
        mean, spread = self.log_gap
        return np.exp(mean + spread * np.asarray(z, dtype=np.float64))

    def scale_location(self, location: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns standardised locations (..., D)."""
        return (location - np.asarray(self.location_mean)) / np.asarray(self.location_scale)

    def unscale_location(self, z: NDArray) -> NDArray[np.float64]:
        """Returns locations (..., D) in raw units."""
        mean, scale = np.asarray(self.location_mean), np.asarray(self.location_scale)
        return mean + scale * np.asarray(z, dtype=np.float64)

    def log_jacobians(self, gap: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Returns what turns standardised log densities of gaps (N,) and of locations into raw.

        An atom at zero keeps its probability.
        """
        of_gap = np.where(gap > 0, np.log(np.where(gap > 0, gap, 1.0) * self.log_gap[1]), 0.0)
        return -of_gap, -float(np.log(self.location_scale).sum())

    def phases(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns (E, 4) sines and cosines of the phases of day and week; (E, 0) if unknown."""
        if self.day is None:
            return np.empty((len(time), 0))
        angle = 2 * np.pi * time[:, None] / (self.day * np.array([1.0, 7.0]))
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


@dataclass(frozen=True)
class Batch:
    """B sequences padded to L events, and their E events in a row.

    `inputs` (B, L, F), `mark` (B, L), `mask` (B, L): True where there is an event. Of the events
    in a row: `gap`, `zero`, `location` (E, D), `own_mark`, `is_target`. `left` (B,): standardised
    log time from each last event to the window's end, `censored` (B,) where there is any.
    """

    inputs: Tensor
    mark: Tensor
    mask: Tensor
    gap: Tensor
    zero: Tensor
    location: Tensor
    own_mark: Tensor
    is_target: Tensor
    left: Tensor
    censored: Tensor

    @property
    def n_targets(self) -> int:
        return int(self.is_target.sum())


@dataclass(frozen=True)
class Pieces:
    """P stretches of sequences: the rows `start` to `end` (P,), whose targets begin at `first`.

    `sequence` (P,) is where each belongs; `closing` (P,) whether it has the sequence's last event.
    """

    start: NDArray[np.int64]
    first: NDArray[np.int64]
    end: NDArray[np.int64]
    sequence: NDArray[np.int64]
    closing: NDArray[np.bool_]

    @classmethod
    def whole(cls, sequences: EventSequences) -> "Pieces":
        """Returns each sequence in one piece."""
        return cls.cut(sequences, int(sequences.lengths.max()), 1)

    @classmethod
    def cut(cls, sequences: EventSequences, most: int, warm_up: int) -> "Pieces":
        """Returns pieces with at most `most` events of their own, after `warm_up` earlier ones.

        A recurrent network's time goes with the longest piece, so long sequences train sooner cut;
        the earlier events only give the first targets of a piece their history. Stretches of
        history alone, such as all that came before a test, are no pieces: they have no loss.
        """
        counts = -(-sequences.lengths // most)
        sequence = np.repeat(np.arange(len(sequences)), counts)
        number = np.arange(len(sequence)) - np.repeat(np.cumsum(counts) - counts, counts)
        offset = sequences.offsets[sequence]
        first = offset + number * most
        end = np.minimum(first + most, sequences.offsets[sequence + 1])
        closing = end == sequences.offsets[sequence + 1]
        start = np.maximum(first - warm_up, offset)
        kept = closing | (end > offset + sequences.n_history[sequence])
        return cls(*(part[kept] for part in (start, first, end, sequence, closing)))


class MixtureData:
    """Pieces of sequences standardised once and kept on a device, from which batches are cut."""

    def __init__(
        self,
        sequences: EventSequences,
        standardisation: Standardisation,
        n_marks: int,
        device: str = "cpu",
        pieces: Pieces | None = None,
    ) -> None:
        mark = np.zeros(sequences.n_events, dtype=np.int64)
        if n_marks > 1:
            mark = known_marks(sequences, n_marks)
        # The time before a sequence's first event is no gap between events.
        gap = np.where(sequences.is_target, standardisation.scale_gap(sequences.gap), 0.0)
        zero = sequences.is_target & (sequences.gap == 0)
        location = standardisation.scale_location(sequences.location)
        phases = standardisation.phases(sequences.time)
        self._pieces = pieces or Pieces.whole(sequences)
        self.lengths = self._pieces.end - self._pieces.start
        left = sequences.window[:, 1] - sequences.time[sequences.offsets[1:] - 1]
        left = left[self._pieces.sequence]
        censored = self._pieces.closing & (left > 0)

        def tensor(array: NDArray) -> Tensor:
            kept = array.astype(np.float32) if array.dtype == np.float64 else array
            return torch.from_numpy(np.ascontiguousarray(kept)).to(device)

        self._inputs = tensor(np.column_stack([gap, zero.astype(float), location, phases]))
        self._gap, self._zero, self._location = tensor(gap), tensor(zero), tensor(location)
        self._mark, self._is_target = tensor(mark), tensor(sequences.is_target)
        self._left, self._censored = tensor(standardisation.scale_gap(left)), tensor(censored)

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, indices: list[int]) -> Batch:
        """Returns the pieces `indices` as one batch."""
        lengths, device = self.lengths[indices], self._inputs.device
        places = np.arange(lengths.max())
        mask = places < lengths[:, None]
        padded = self._pieces.start[indices][:, None] + np.where(mask, places, 0)
        own = (padded >= self._pieces.first[indices][:, None])[mask]
        rows = torch.from_numpy(padded[mask]).to(device)
        padded_rows = torch.from_numpy(padded).to(device)
        chosen = torch.as_tensor(indices, device=device)
        return Batch(
            inputs=self._inputs[padded_rows],
            mark=self._mark[padded_rows],
            mask=torch.from_numpy(mask).to(device),
            gap=self._gap[rows],
            zero=self._zero[rows],
            location=self._location[rows],
            own_mark=self._mark[rows],
            is_target=self._is_target[rows] & torch.from_numpy(own).to(device),
            left=self._left[chosen],
            censored=self._censored[chosen],
        )
