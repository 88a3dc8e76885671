"""Futures against what happened, over windows that roll along held-out sequences.

The number of events is scored as a real number is (rank, coverage, CRPS), the pattern by the
energy score of its counts in cells of space and time: both proper, so that the honest forecast is
the best one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.errors import DataError
from smash.forecast.histories import History
from smash.law.forecaster import Forecaster
from smash.law.paths import MOST_EVENTS, Paths
from smash.scores.calibration import calibration_score, coverage, cs_floor, randomised_pit
from smash.scores.proper import fair_crps, fair_energy_score

Floats = NDArray[np.float64]

CELLS, PERIODS = 6, 4
"""Cells of the pattern to each side of the region, and periods of the horizon."""
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
MOST_WINDOWS = 100_000
"""Windows of a test, each of which is many paths rolled out."""


@dataclass(frozen=True)
class Window:
    """A moment in a sequence: what was known then, and what came until the horizon."""

    sequence: int
    history: History
    happened: Paths


def rolling_windows(
    sequences: EventSequences, horizon: float, stride: float | None = None, fewest: int = 1
) -> Iterator[Window]:
    """Yields windows of `horizon` that lie within their sequence's own window of observation.

    The first begins with the event number `fewest` of a sequence, the next ones `stride` (by
    default the horizon, so that no event counts twice) later. Times are raw.
    """
    for i in range(len(sequences)):
        one = sequences.select([i])
        begins = one.time[fewest - 1] if fewest else one.window[0, 0]
        for start in np.arange(begins, one.window[0, 1] - horizon + 1e-9, stride or horizon):
            known = int(np.searchsorted(one.time, start, side="right"))
            until = int(np.searchsorted(one.time, start + horizon, side="right"))
            happened = _happened(one, slice(known, until), float(start), horizon)
            yield Window(i, _history(one, known, float(start)), happened)


def count_windows(
    sequences: EventSequences, horizon: float, stride: float | None = None, fewest: int = 1
) -> float:
    """Returns how many windows `rolling_windows` yields, which may be more than there is time for.

    For sequences of `fewest` events or more.
    """
    first = sequences.offsets[:-1] + fewest - 1
    begins = sequences.time[first] if fewest else sequences.window[:, 0]
    spans = sequences.window[:, 1] - horizon + 1e-9 - begins
    return float(np.ceil(np.maximum(spans, 0) / (stride or horizon)).sum())


def score_futures(
    forecaster: Forecaster,
    region: Floats,
    sequences: EventSequences,
    horizon: float,
    generator: torch.Generator,
    n_paths: int = 300,
    stride: float | None = None,
    max_events: int = MOST_EVENTS,
    on_window: Callable[[Window, Paths], None] = lambda window, paths: None,
) -> pd.DataFrame:
    """Returns a row a window of `rolling_windows`; `on_window` is told what was drawn of each.

    `region` (2, D): least and greatest coordinates between which patterns are counted.

    Columns: `sequence`; `start`, raw; `happened`, events that came; `mean`, `low` and `high`, mean
    and central 90 % interval of their forecast number; `pit_count`, its randomised rank;
    `crps_count`; `energy_pattern`, the fair energy score of the counts in `CELLS`² × `PERIODS`
    cells, of events without places in `PERIODS` alone.

    Raises:
        DataError: when no window fits, or more than `MOST_WINDOWS` do.
        ForecastError: when a path has more than `max_events` events.
    """
    n_windows = count_windows(sequences, horizon, stride)
    if n_windows > MOST_WINDOWS:
        raise DataError(
            f"{sequences.name}: a horizon of {horizon:g} gives {n_windows:.3g} windows, and "
            f"{MOST_WINDOWS} are the most; take a longer one"
        )
    rows = []
    for window in rolling_windows(sequences, horizon, stride):
        events, now = window.history.events, window.history.now
        paths = forecaster.simulate(events, now, horizon, n_paths, generator, max_events)
        on_window(window, paths)
        rows.append(_row(window, paths, region, generator))
    if not rows:
        raise DataError(
            f"{sequences.name}: no sequence is observed for {horizon:g} after its first event; "
            "take a shorter horizon"
        )
    return pd.DataFrame(rows)


def summarise_futures(table: pd.DataFrame, levels: Sequence[float] = LEVELS) -> dict[str, float]:
    """Returns figures of `score_futures`: coverage of central intervals, CS, mean scores, bias."""
    # A central interval of level q holds ranks no further than q / 2 from the middle.
    ranks = np.abs(2 * table["pit_count"].to_numpy() - 1)
    held = coverage(ranks, levels)
    return {
        "n_windows": float(len(table)),
        **{f"coverage_count_{100 * q:.0f}": float(h) for q, h in zip(levels, held, strict=True)},
        "cs_count": calibration_score(ranks, levels),
        "cs_count_floor": cs_floor(len(table), levels),
        "crps_count": float(table["crps_count"].mean()),
        "energy_pattern": float(table["energy_pattern"].mean()),
        "relative_count": float(table["mean"].sum() / max(table["happened"].sum(), 1)),
    }


def _history(one: EventSequences, known: int, start: float) -> History:
    window = np.array([[one.window[0, 0], start]])
    events = replace(one.with_rows(np.arange(known), np.array([known])), window=window)
    return History(events, start)


def _happened(one: EventSequences, rows: slice, start: float, horizon: float) -> Paths:
    time, location = one.time[rows], one.location[rows]
    mark = None if one.mark is None else one.mark[rows]
    return Paths(1, start, horizon, np.zeros(len(time), dtype=np.int64), time, location, mark)


def _row(
    window: Window, paths: Paths, region: Floats, generator: torch.Generator
) -> dict[str, float]:
    counts, happened = paths.counts[None].astype(np.float64), float(len(window.happened))
    truth = np.array([happened])
    ranks = torch.Generator().manual_seed(
        int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    )
    pattern = [_pattern(each, region) for each in (paths, window.happened)]
    low, high = np.quantile(counts, [0.05, 0.95])
    return {
        "sequence": window.sequence,
        "start": window.history.now,
        "happened": happened,
        "mean": float(counts.mean()),
        "low": float(low),
        "high": float(high),
        "pit_count": float(randomised_pit(counts, truth, ranks)[0]),
        "crps_count": float(fair_crps(counts, truth)[0]),
        "energy_pattern": float(fair_energy_score(pattern[0][None], pattern[1])[0]),
    }


def _pattern(paths: Paths, region: Floats) -> Floats:
    """Returns (P, C) counts in cells of space and time; events beyond count in the last cells."""
    low, high = region
    place = (paths.location - low) / (high - low) * CELLS
    axes = np.clip(place, 0, CELLS - 1).astype(np.int64).T[::-1]
    period = np.clip((paths.time - paths.now) / paths.horizon * PERIODS, 0, PERIODS - 1)
    shape = (paths.n_paths, PERIODS, *[CELLS] * len(axes))
    cell = np.ravel_multi_index((paths.path, period.astype(np.int64), *axes), shape)
    counts = np.bincount(cell, minlength=int(np.prod(shape)))
    return counts.reshape(paths.n_paths, -1).astype(np.float64)
