"""Scaling of gaps and locations to [0, 1], fitted on given sequences, with an exact inverse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.data.resolution import gap_cells, location_cell
from smash.errors import DataError
from smash.settings import ScalingSettings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaler:
    """Affine maps to [0, 1] of the (log) gap and of both coordinates, none without places.

    Values outside the fitted limits map outside [0, 1]; nothing is clamped. The one exception is
    the floor of the published log scaling: a gap below `floor` has no finite logarithm worth
    keeping and is scaled as `floor` (every zero gap is).

    With `gap_cell` > 0 a gap is a cell (see `smash.data.resolution.GapCells`), spread where a
    `position` in [0, 1) says, and its log is counted from one cell: log(gap + gap_cell). Each
    coordinate with a `location_cell` > 0 is spread over the cell around it. Unscaling rounds back.

    With `mean_gap` > 0 recent rates are told (`smash.data.rates`), with `magnitude_mean` > 0
    magnitudes: how far above `magnitude_low`, in units of what that is in the mean.
    """

    log_normalization: bool
    floor: float
    gap_low: float
    gap_high: float
    location_low: tuple[float, ...]
    location_high: tuple[float, ...]
    gap_cell: float = 0.0
    gap_lattice: bool = False
    location_cell: tuple[float, ...] = (0.0, 0.0)
    mean_gap: float = 0.0
    magnitude_low: float = 0.0
    magnitude_mean: float = 0.0

    def told_of(self, train: EventSequences, rates: bool, magnitudes: bool) -> "Scaler":
        """Returns the scaler for a model that is told of recent `rates`, of `magnitudes`, or both.

        Raises:
            DataError: when magnitudes are to be told and `train` has none that differ.
        """
        scaler = self
        if rates:
            scaler = replace(scaler, mean_gap=float(train.gap[train.is_target].mean()))
        if magnitudes:
            size = checked_magnitudes(train)
            low = float(size.min())
            scaler = replace(scaler, magnitude_low=low, magnitude_mean=float(size.mean()) - low)
            if not scaler.magnitude_mean > 0:
                raise DataError(
                    f"{train.name}: all magnitudes are {low:g}, so they tell nothing; set "
                    "model.magnitudes to false"
                )
        return scaler

    @property
    def has_cells(self) -> bool:
        """True where values are spread over cells, so that their position matters."""
        return self.gap_cell > 0 or any(cell > 0 for cell in self.location_cell)

    @property
    def n_axes(self) -> int:
        """D, the coordinates of a place: 2, or 0 for events without places."""
        return len(self.location_low)

    @property
    def region(self) -> Floats:
        """(2, D) least and greatest coordinates."""
        return np.array([self.location_low, self.location_high])

    @property
    def gap_growth(self) -> float:
        """c, where raw gaps (with their cell) grow with z in [-1, 1] as exp(c z); 0: as z."""
        return (self.gap_high - self.gap_low) / 2 if self.log_normalization else 0.0

    def scale_gap(self, gap: NDArray, position: float | Floats = 0.5) -> Floats:
        """Returns gaps (...) in raw units as u, at a `position` (...) in their cells."""
        return (self.gap_value(gap, position) - self.gap_low) / (self.gap_high - self.gap_low)

    def gap_value(self, gap: NDArray, position: float | Floats = 0.5) -> Floats:
        """Returns the (log) gaps (...) whose extremes are the limits."""
        gap = np.asarray(gap, dtype=np.float64)
        if self.gap_cell:
            if self.gap_lattice:
                gap = (np.round(gap / self.gap_cell) + position) * self.gap_cell
            else:
                gap = np.where(gap < self.gap_cell, position * self.gap_cell, gap)
            return np.log(gap + self.gap_cell) if self.log_normalization else gap
        return np.log(np.maximum(gap, self.floor)) if self.log_normalization else gap

    @property
    def tells_magnitudes(self) -> bool:
        """True where a model is told of magnitudes."""
        return self.magnitude_mean > 0

    def magnitudes(self, sequences: EventSequences) -> Floats | None:
        """Returns the scaled magnitudes (E,) of events; None where a model is not told of them.

        Raises:
            DataError: where it is, and there are none.
        """
        if not self.tells_magnitudes:
            return None
        return self.scale_magnitude(checked_magnitudes(sequences))

    def scale_magnitude(self, magnitude: NDArray) -> Floats:
        """Returns magnitudes (...) above the least, in units of their mean; not below 0."""
        above = np.asarray(magnitude, dtype=np.float64) - self.magnitude_low
        return np.maximum(above, 0) / self.magnitude_mean

    def unscale_gap(self, u: NDArray) -> Floats:
        """Returns u (...) as gaps in raw units, rounded down to their cells."""
        value = np.asarray(u, dtype=np.float64) * (self.gap_high - self.gap_low) + self.gap_low
        gap = np.exp(value) if self.log_normalization else value
        if not self.gap_cell:
            return gap
        if self.log_normalization:
            gap = gap - self.gap_cell
        if self.gap_lattice:
            # A position of exactly 0 must not fall into the cell below.
            return np.maximum(np.floor(gap / self.gap_cell + 1e-9), 0.0) * self.gap_cell
        return np.where(gap < self.gap_cell, 0.0, gap)

    def scale_location(self, location: NDArray, position: float | Floats = 0.5) -> Floats:
        """Returns locations (..., D) in raw units as u, at a `position` (..., D) in their cells."""
        low, high = np.asarray(self.location_low), np.asarray(self.location_high)
        offset = (np.asarray(position) - 0.5) * np.asarray(self.location_cell)
        return (np.asarray(location, dtype=np.float64) + offset - low) / (high - low)

    def unscale_location(self, u: NDArray) -> Floats:
        """Returns u (..., D) as locations in raw units, rounded to their cells' middles."""
        low, high = np.asarray(self.location_low), np.asarray(self.location_high)
        location = np.asarray(u, dtype=np.float64) * (high - low) + low
        if not any(self.location_cell):
            return location
        cell = np.asarray(self.location_cell)
        first, width = low + cell / 2, np.where(cell > 0, cell, 1.0)
        rounded = first + np.round((location - first) / width) * width
        return np.where(cell > 0, rounded, location)

    def log_gap_slope(self, gap: NDArray) -> Floats:
        """Returns log dz/dgap (...) at gaps between cells, which turns densities of z into raw."""
        gap = np.asarray(gap, dtype=np.float64)
        slope = np.full(gap.shape, np.log(2 / (self.gap_high - self.gap_low)))
        return slope - np.log(gap + self.gap_cell) if self.log_normalization else slope

    def log_location_slope(self) -> float:
        """Returns the log of what turns densities of a location's z into raw ones."""
        widths = np.subtract(self.location_high, self.location_low)
        return float(np.log(2 / widths).sum())


def fit_scaler(
    splits: Sequence[EventSequences], settings: ScalingSettings, first_gaps: bool = False
) -> Scaler:
    """Returns the scaler whose limits are the extremes over `splits`.

    `first_gaps` lets the time before each sequence's first event enter the limits, as the original
    does, though it is never a target. Cells lie inside the limits as a whole.
    """
    gaps = np.concatenate([s.gap if first_gaps else s.gap[s.is_target] for s in splits])
    location = np.concatenate([s.location for s in splits])
    width, lattice = gap_cells(gaps, settings.resolution)
    cell = np.array([location_cell(x, settings.location_resolution) for x in location.T])
    low, high = location.min(axis=0) - cell / 2, location.max(axis=0) + cell / 2
    unlimited = Scaler(
        log_normalization=settings.log_normalization,
        floor=settings.floor,
        gap_low=0.0,
        gap_high=1.0,
        location_low=tuple(low.tolist()),
        location_high=tuple(high.tolist()),
        gap_cell=width,
        gap_lattice=lattice,
        location_cell=tuple(cell.tolist()),
    )
    return replace(
        unlimited,
        gap_low=float(unlimited.gap_value(gaps, 0.0).min()),
        gap_high=float(unlimited.gap_value(gaps, 1.0).max()),
    )


def checked_magnitudes(sequences: EventSequences) -> Floats:
    """Returns the magnitudes (E,) of events whose model is told of them.

    Raises:
        DataError: where there are none.
    """
    if sequences.magnitude is None:
        raise DataError(
            f"{sequences.name}: the model is told the magnitude of each event and these have none; "
            "give the column of magnitudes (of a spec data.columns.magnitude, of a history the "
            "training table's), or train with model.magnitudes=false"
        )
    return sequences.magnitude
