"""Gaps as mixtures of log-normals with an atom at zero, all in closed form.

After Shchur, Biloš, Günnemann (ICLR 2020, arXiv 1909.12127).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from smash.blocks import event_blocks
from smash.law.draws import chosen_places, numpy_generator
from smash.law.log_density import log_sum_exp
from smash.law.next_event_law import LateTimes, TimePart

Floats = NDArray[np.float64]

_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
COMPONENTS = 512
"""Most components of a kernel density of gaps."""
ZEROS = 1e-3
"""Zeros and other gaps are each counted so much more often than they occur."""
NARROWEST = 1e-3
"""Bandwidth, of the gap's logarithm, where all gaps are equal."""


@dataclass(frozen=True)
class LogNormalTimes(TimePart):
    """Zero with probability exp(`log_zero`), else exp of a mixture of M normals.

    `log_zero` (N,); `log_weight` (N, M), normalised over the components; `mean` and `scale` (N, M)
    of the gap's logarithm. Laws that are all the same may have N = 1 with `n_events` given.
    """

    log_zero: Floats
    log_weight: Floats
    mean: Floats
    scale: Floats
    n_events: int | None = None

    def __len__(self) -> int:
        return len(self.mean) if self.n_events is None else self.n_events

    def log_density(self, gap: Floats) -> Floats:
        return self._by_rows(gap.shape, lambda law, rows: law._log_density(gap[rows]))

    def log_survival(self, gap: Floats) -> Floats:
        return self._by_rows(gap.shape, lambda law, rows: law._log_survival(gap[rows]))

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        return self.drawn_after(np.zeros(len(self)), n_samples, generator)

    def after(self, elapsed: Floats) -> TimePart:
        return LateLogNormals(self, elapsed)

    def of(self, rows: NDArray[np.int64] | slice) -> "LogNormalTimes":
        """Returns the laws `rows` (N,), which may repeat."""
        return LogNormalTimes(
            self.log_zero[rows], self.log_weight[rows], self.mean[rows], self.scale[rows]
        )

    def drawn_after(self, elapsed: Floats, n_samples: int, generator: torch.Generator) -> Floats:
        """Returns draws (N, S) longer than `elapsed` (N,), where that is above 0."""
        numbers = numpy_generator(generator)

        def drawn(law: LogNormalTimes, rows: slice) -> Floats:
            return law._drawn_after(elapsed[rows], n_samples, numbers)

        return self._by_rows((len(self), n_samples), drawn)

    def _by_rows(
        self, shape: tuple[int, ...], values: Callable[["LogNormalTimes", slice], Floats]
    ) -> Floats:
        """Returns (N, Q) `values` of laws and their rows, found in blocks that fit in memory."""
        found = np.empty(shape)
        for rows in event_blocks(shape[0], shape[1] * self.mean.shape[1]):
            found[rows] = values(self if len(self.mean) == 1 else self.of(rows), rows)
        return found

    def _log_density(self, gap: Floats) -> Floats:
        z = np.log(np.where(gap > 0, gap, 1.0))
        standard = (z[..., None] - self.mean[:, None]) / self.scale[:, None]
        parts = (self.log_weight - np.log(self.scale))[:, None] - 0.5 * standard**2
        positive = self._log_positive()[:, None] + log_sum_exp(parts) - _HALF_LOG_TWO_PI - z
        return np.where(gap > 0, positive, self.log_zero[:, None])

    def _log_survival(self, gap: Floats) -> Floats:
        z = np.log(np.where(gap > 0, gap, 1.0))
        tail = log_ndtr((self.mean[:, None] - z[..., None]) / self.scale[:, None])
        beyond = log_sum_exp(self.log_weight[:, None] + tail)
        # No event within a gap of zero, its end included, has what the atom leaves.
        return self._log_positive()[:, None] + np.where(gap > 0, beyond, 0.0)

    def _drawn_after(self, elapsed: Floats, n_samples: int, numbers: np.random.Generator) -> Floats:
        shape = (len(elapsed), n_samples)
        waited = elapsed[:, None] > 0
        bound = np.where(waited, np.log(np.where(waited, elapsed[:, None], 1.0)), -np.inf)
        zero = np.where(waited, -np.inf, self.log_zero[:, None])
        later = self._log_positive()[:, None] + self.log_weight
        later = later + log_ndtr((self.mean - bound) / self.scale)
        every = np.concatenate(
            [zero, np.broadcast_to(later, (len(elapsed), later.shape[1]))], axis=1
        )
        weight = np.exp(every - every.max(axis=1, keepdims=True))
        component = chosen_places(weight, numbers.random(shape)) - 1
        mean, scale = (_of(value, component) for value in (self.mean, self.scale))
        # A normal beyond a bound, by its tail: exact however far out the bound lies.
        tail = log_ndtr((mean - bound) / scale) - numbers.exponential(size=shape)
        drawn = np.exp(mean - scale * ndtri_exp(tail))
        return np.where(component < 0, 0.0, np.maximum(drawn, elapsed[:, None]))

    def _log_positive(self) -> Floats:
        """Returns (N,) the log probability of a gap above 0."""
        with np.errstate(divide="ignore"):
            return np.log(-np.expm1(self.log_zero))


@dataclass(frozen=True)
class LateLogNormals(LateTimes):
    """Log-normal gaps longer than `elapsed`, drawn in closed form."""

    law: LogNormalTimes

    def draw(self, n_samples: int, generator: torch.Generator) -> Floats:
        return self.law.drawn_after(self.elapsed, n_samples, generator)


def _of(value: Floats, component: NDArray[np.int64]) -> Floats:
    """Returns (N, S) of values (N, M), or (1, M) for all, those of components (N, S)."""
    every = np.broadcast_to(value, (len(component), value.shape[1]))
    return np.take_along_axis(every, np.maximum(component, 0), axis=1)


def kernel_times(gap: Floats, n_events: int | None = None) -> LogNormalTimes:
    """Returns a kernel density of positive gaps' logarithms, and the share of zeros as its atom.

    Half of Silverman's bandwidth (B. W. Silverman, Density Estimation, 1986), as gaps have more
    than one mode; neighbours are joined where there are more than `COMPONENTS` different gaps.
    Zeros are counted a little more often than they occur, so that none is impossible.

    Args:
        gap: (P,) gaps, at least one of them above 0.
        n_events: N, how many events are to have this law.
    """
    z = np.sort(np.log(gap[gap > 0]))
    spread = min(z.std(), np.subtract(*np.quantile(z, [0.75, 0.25])) / 1.34) or z.std()
    bandwidth = 0.45 * spread * len(z) ** -0.2 or NARROWEST
    place = np.unique(z)
    if len(place) > COMPONENTS:
        place = np.unique(z[np.linspace(0, len(z), COMPONENTS, endpoint=False).astype(np.int64)])
    part = np.searchsorted(place, z, side="right") - 1
    count = np.bincount(part)
    mean = np.bincount(part, z) / count
    variance = np.maximum(np.bincount(part, z**2) / count - mean**2, 0.0)
    share_of_zeros = (len(gap) - len(z) + ZEROS) / (len(gap) + 2 * ZEROS)
    return LogNormalTimes(
        np.log([share_of_zeros]),
        np.log(count / len(z))[None],
        mean[None],
        np.sqrt(variance + bandwidth**2)[None],
        n_events,
    )


def stacked(laws: Sequence[LogNormalTimes]) -> LogNormalTimes:
    """Returns single laws as one of N, those with fewer components filled up by impossible ones."""
    most = max(law.mean.shape[1] for law in laws)

    def rows(name: str, filler: float) -> Floats:
        values = [getattr(law, name)[0] for law in laws]
        return np.stack(
            [np.pad(value, (0, most - len(value)), constant_values=filler) for value in values]
        )

    return LogNormalTimes(
        np.concatenate([law.log_zero for law in laws]),
        rows("log_weight", -np.inf),
        rows("mean", 0.0),
        rows("scale", 1.0),
    )
