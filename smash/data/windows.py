"""A catalogue or sequences cut into windows, each for training, validation or the test."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smash.data.catalogues import Catalogue
from smash.data.cutting import Cut, cut_catalogue, cut_sequences
from smash.data.splitting import SPLITS, date_words, parse_split
from smash.data.tally import Tally, count, with_left_out
from smash.errors import DataError
from smash.settings import Columns

Floats = NDArray[np.float64]

FEWEST_WINDOWS = 10

WINDOW_COLUMNS = Columns(
    mark="mark",
    magnitude="magnitude",
    history="history",
    sequence="sequence",
    split="split",
    window_start="window_start",
    window_end="window_end",
)
"""The columns of `window_table` unless named otherwise; what events have not has none."""


@dataclass(frozen=True)
class Windows:
    """Windows over a catalogue: `rows` of their events, `bounds` (W, 2), `split` of each (W,).

    The first `history` (W,) of them are history alone; None: the first one. `tally` says what
    became of the catalogue's rows, and how the windows were split.
    """

    rows: list[NDArray[np.int64]]
    bounds: Floats
    split: NDArray[np.str_]
    tally: Tally
    history: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rows)


def cut_windows(
    catalogue: Catalogue,
    length: float | None = None,
    stride: float | None = None,
    split: str | None = None,
    seed: int | None = None,
    midnight: bool = False,
) -> Windows:
    """Returns windows with two events or more, in order of time, and their splits.

    One long catalogue is cut every `stride` (by default the length, so that windows share no
    events; half the length has every event twice) into windows of `length` (by default with room
    for `default_length` events), the last one ending with the last event. The first begins with the
    first event, or at the `midnight` (UTC) before it, and all others then at midnights, as a
    catalogue is observed by whole days. A catalogue of sequences keeps them, each observed from
    its first to its last event.

    `split`, by default what suits the data:

    - `time`, for a catalogue: the first 70 % of the windows train, the next 15 % validate; windows
      that reach into the next split are left out. For sequences on one clock: dates before which
      70 % and 85 % of the events lie. A sequence that goes on over a date is cut there, so that no
      event of training comes after one of validation, nor one of validation after one of the test.
    - two dates, such as `2016-01-01,2017-01-01`: validation begins at the first, the test at the
      second; windows and sequences are cut there.
    - `random`, for sequences with clocks of their own: dealt by `seed` (by default 0).

    Raises:
        DataError: when there are too few windows, or `split` does not suit the data.
    """
    asked = None if split is None else parse_split(split, catalogue.clock)
    if catalogue.sequence is None:
        length = length or _default_length(catalogue, midnight)
        cut, how = cut_catalogue(catalogue, length, stride, asked, seed, midnight)
    elif midnight:
        raise DataError(
            "--midnight cuts one long catalogue, and --sequence keeps the table's own sequences; "
            "leave one of them out"
        )
    elif length is None and stride is None:
        cut, how = cut_sequences(catalogue, asked, seed)
    else:
        raise DataError(
            "--window and --stride cut one long catalogue, and --sequence keeps the table's own "
            "sequences; leave --sequence out, or both of the others"
        )
    _check_enough(cut, catalogue)
    tally = with_left_out(count(len(catalogue), cut.rows, cut.left_out), catalogue.left_out)
    bounds = np.array(cut.bounds, dtype=np.float64)
    return Windows(cut.rows, bounds, np.array(cut.split), replace(tally, split=how))


def default_length(catalogue: Catalogue) -> float:
    """Returns a round length of windows: 10 to 200 events each, 20 windows where there are few.

    Raises:
        DataError: when all events have one time.
    """
    if np.ptp(catalogue.time) == 0:
        when = date_words(catalogue.time[0], catalogue.clock)
        raise DataError(f"all {len(catalogue)} events have the time {when}; check the time column")
    events = np.clip(len(catalogue) / 20, 10, 200)
    length = events * np.ptp(catalogue.time) / len(catalogue)
    scale = 10 ** np.floor(np.log10(length))
    return float(scale * max(step for step in (1, 2, 5) if step * scale <= length * (1 + 1e-9)))


def _default_length(catalogue: Catalogue, midnight: bool) -> float:
    """Returns `default_length`, in whole days where windows begin at midnights."""
    length = default_length(catalogue)
    if not midnight:
        return length
    day = catalogue.clock.duration("1d")
    return max(1, round(length / day)) * day


def window_table(
    catalogue: Catalogue, windows: Windows, columns: Columns = WINDOW_COLUMNS
) -> pd.DataFrame:
    """Returns a row an event and window, with the columns that `columns` names."""
    rows = np.concatenate(windows.rows)
    lengths = [len(of_window) for of_window in windows.rows]
    values: dict[str | None, NDArray] = {
        columns.sequence: np.repeat(np.arange(len(windows)), lengths),
        columns.split: np.repeat(windows.split, lengths),
        columns.time: catalogue.time[rows],
        **dict(zip(columns.axes, catalogue.location[rows].T, strict=False)),
        columns.window_start: np.repeat(windows.bounds[:, 0], lengths),
        columns.window_end: np.repeat(windows.bounds[:, 1], lengths),
    }
    if catalogue.mark is not None:
        values[columns.mark] = catalogue.mark[rows]
    if catalogue.magnitude is not None:
        values[columns.magnitude] = catalogue.magnitude[rows]
    if windows.history is not None:
        place = np.concatenate([np.arange(n) for n in lengths])
        values[columns.history] = place < np.repeat(windows.history, lengths)
    return pd.DataFrame(values)


def _check_enough(cut: Cut, catalogue: Catalogue) -> None:
    begin, end = (date_words(float(t), catalogue.clock) for t in _span(catalogue))
    if len(cut.rows) < FEWEST_WINDOWS:
        raise DataError(
            f"{len(cut.rows)} windows with two events or more, and {FEWEST_WINDOWS} are needed to "
            "train, choose and test; take shorter windows (--window), or more data. The events go "
            f"from {begin} to {end}: are the first and the last time right?"
        )
    for name in SPLITS:
        if name not in cut.split:
            raise DataError(
                f"no window with two events or more is left for {name}; the events go from "
                f"{begin} to {end}: split them at other dates (--split), or take shorter windows"
            )


def _span(catalogue: Catalogue) -> tuple[float, float]:
    return float(catalogue.time.min()), float(catalogue.time.max())
