"""A catalogue cut into windows, and these split so that the future never trains the past."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.own import Catalogue
from smash.errors import DataError
from smash.settings import Columns

Floats = NDArray[np.float64]

SHARES = (0.7, 0.15)
"""Shares of the windows for training and validation; the rest is for the test."""
FEWEST_WINDOWS = 10


WINDOW_COLUMNS = Columns(
    mark="mark",
    sequence="sequence",
    split="split",
    window_start="window_start",
    window_end="window_end",
)
"""The columns of `window_table` unless named otherwise; unmarked events have none for the mark."""


@dataclass(frozen=True)
class Windows:
    """Windows over a catalogue: `rows` of their events, `bounds` (W, 2), `split` of each (W,)."""

    rows: list[NDArray[np.int64]]
    bounds: Floats
    split: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.rows)


def cut_windows(
    catalogue: Catalogue, length: float | None = None, stride: float | None = None
) -> Windows:
    """Returns windows with two events or more, in order of time, and their splits.

    One long catalogue is cut every `stride` (by default the length, so that windows share no
    events; half the length has every event twice) into windows of `length` (by default with room
    for `default_length` events). A catalogue of sequences keeps them, in the order of their first
    events. The first 70 % of the windows train, the next 15 % validate; windows that reach into
    the time of the next split are left out, so that no event is in two splits.

    Raises:
        DataError: when there are too few windows.
    """
    if catalogue.sequence is None:
        rows, bounds = _slide(catalogue, length or default_length(catalogue), stride)
    else:
        rows, bounds = _by_sequence(catalogue)
    full = [i for i, of_window in enumerate(rows) if len(of_window) >= 2]
    rows, bounds = [rows[i] for i in full], bounds[full]
    if len(rows) < FEWEST_WINDOWS:
        raise DataError(
            f"{len(rows)} windows with two events or more, and {FEWEST_WINDOWS} are needed to "
            "train, choose and test; take shorter windows (--window), or more data"
        )
    split = _split(bounds, shared_clock=catalogue.sequence is None)
    kept = np.flatnonzero(split != "")
    return Windows([rows[i] for i in kept], bounds[kept], split[kept])


def default_length(catalogue: Catalogue) -> float:
    """Returns a round length of windows: 10 to 200 events each, 20 windows where there are few."""
    events = np.clip(len(catalogue) / 20, 10, 200)
    length = events * np.ptp(catalogue.time) / len(catalogue)
    scale = 10 ** np.floor(np.log10(length))
    return float(scale * max(step for step in (1, 2, 5) if step * scale <= length * (1 + 1e-9)))


def window_table(
    catalogue: Catalogue, windows: Windows, columns: Columns = WINDOW_COLUMNS
) -> pd.DataFrame:
    """Returns a row an event and window, with the columns that `columns` names."""
    rows = np.concatenate(windows.rows)
    lengths = [len(of_window) for of_window in windows.rows]
    values = {
        columns.sequence: np.repeat(np.arange(len(windows)), lengths),
        columns.split: np.repeat(windows.split, lengths),
        columns.time: catalogue.time[rows],
        columns.x: catalogue.location[rows, 0],
        columns.y: catalogue.location[rows, 1],
        columns.window_start: np.repeat(windows.bounds[:, 0], lengths),
        columns.window_end: np.repeat(windows.bounds[:, 1], lengths),
    }
    if catalogue.mark is not None:
        values[columns.mark] = catalogue.mark[rows]
    return pd.DataFrame(values)


def _slide(
    catalogue: Catalogue, length: float, stride: float | None
) -> tuple[list[NDArray[np.int64]], Floats]:
    stride = stride or length
    if not 0 < stride <= length:
        raise DataError(f"a stride of {stride:g} leaves out events between windows of {length:g}")
    begin, end = catalogue.time[0], catalogue.time[-1]
    starts = begin + stride * np.arange(max(1, int(np.floor((end - begin - length) / stride)) + 1))
    bounds = np.stack([starts, starts + length], axis=1)
    edges = np.searchsorted(catalogue.time, bounds)
    return [np.arange(low, high) for low, high in edges], bounds


def _by_sequence(catalogue: Catalogue) -> tuple[list[NDArray[np.int64]], Floats]:
    assert catalogue.sequence is not None
    ends = np.flatnonzero(np.diff(catalogue.sequence)) + 1
    rows = np.split(np.arange(len(catalogue)), ends)
    rows.sort(key=lambda of_sequence: catalogue.time[of_sequence[0]])
    bounds = np.array([[catalogue.time[r[0]], catalogue.time[r[-1]]] for r in rows])
    return rows, bounds


def _split(bounds: Floats, shared_clock: bool) -> NDArray[np.str_]:
    """Returns (W,) train, validation or test; empty for windows that reach into the next split."""
    n_windows = len(bounds)
    first = [int(np.ceil(sum(SHARES[: i + 1]) * n_windows)) for i in range(2)]
    split = np.full(n_windows, "train", dtype="<U10")
    for start, name in zip(first, ("validation", "test"), strict=True):
        if shared_clock:
            earlier = np.arange(n_windows) < start
            split[earlier & (bounds[:, 1] > bounds[start, 0] + 1e-9)] = ""
        split[start:] = name
    return split
