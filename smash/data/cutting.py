"""One long catalogue cut into windows, sequences cut at dates; what is left out by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smash.data.catalogues import Catalogue
from smash.data.splitting import (
    SPLITS,
    Asked,
    Dates,
    at_random,
    by_date,
    by_order,
    dates_by_share,
    median_duration,
    own_clocks,
    span_words,
)
from smash.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_WINDOWS = 1_000_000
FUTURE = "so the future trains the past"


@dataclass
class Cut:
    """Windows in the making, and what was left out, reason by reason."""

    rows: list[Integers]
    bounds: list[tuple[float, float]]
    split: list[str]
    left_out: list[tuple[str, list[Integers]]] = field(default_factory=list)

    def keep(self, wanted: Sequence[bool], what: str) -> None:
        """Leaves out all but the `wanted`, which are `what`."""
        kept = [i for i, want in enumerate(wanted) if want]
        self.left_out.append((what, [r for r, w in zip(self.rows, wanted, strict=True) if not w]))
        self.rows = [self.rows[i] for i in kept]
        self.bounds = [self.bounds[i] for i in kept]
        self.split = [self.split[i] for i in kept]

    def keep_two_events(self, what: str) -> None:
        self.keep([len(rows) >= 2 for rows in self.rows], what)


def cut_catalogue(
    catalogue: Catalogue,
    length: float,
    stride: float | None,
    asked: Asked | None,
    seed: int | None,
    midnight: bool = False,
) -> tuple[Cut, str]:
    """Returns windows over one long catalogue, and in words how they are split.

    They begin with the first event, or at the `midnight` before it and at midnights alone.
    """
    stride = stride or length
    if not 0 < stride <= length:
        raise DataError(f"a stride of {stride:g} leaves out events between windows of {length:g}")
    begin = float(catalogue.time[0])
    if midnight:
        begin = catalogue.clock.midnight(begin)
        _check_days(catalogue, stride, asked)
    cut = Cut([], [], [])
    if isinstance(asked, tuple):
        _refuse_seed(seed, "at the dates given")
        for name, start, until in zip(SPLITS, (begin, *asked), (*asked, None), strict=True):
            _slide(cut, catalogue.time, (max(begin, start), until), length, stride, name)
        cut.keep_two_events("windows with fewer than two events")
        return cut, f"at the dates given: {span_words(asked, catalogue.clock)}"
    _slide(cut, catalogue.time, (begin, None), length, stride, SPLITS[0])
    cut.keep_two_events("windows with fewer than two events")
    if asked == "random":
        if stride < length:
            raise DataError(
                "--split random: windows that overlap (--stride) share events, which would train "
                "and test at once; leave --stride out, or take --split time"
            )
        cut.split = at_random(catalogue, cut.rows, seed or 0).tolist()
        how = f"at random by window (seed {seed or 0}), as asked; the windows are of one catalogue"
        return cut, f"{how}, {FUTURE}"
    _refuse_seed(seed, "by time")
    cut.split = by_order(len(cut.rows)).tolist()
    cut.keep(_within_split(cut, 1e-6 * length), "windows that reach into the next split")
    how = "by time, so that the future never trains the past: the first 70 % of the windows train"
    return cut, f"{how}, the next 15 % validate, the last test"


def _check_days(catalogue: Catalogue, stride: float, asked: Asked | None) -> None:
    """Checks that windows which begin at a midnight go on from midnight to midnight."""
    clock = catalogue.clock
    days = stride / clock.duration("1d")
    if days < 0.5 or abs(days - round(days)) > 1e-9 * days:
        raise DataError(
            f"--midnight: a window every {days:.6g} days does not keep to midnights; take whole "
            "days, such as --window 2d"
        )
    for date in asked if isinstance(asked, tuple) else ():
        if date != clock.midnight(date):
            raise DataError(
                f"--midnight: --split has {clock.said(date)}, which is no midnight; give dates"
            )


def _slide(
    cut: Cut,
    time: Floats,
    stretch: tuple[float, float | None],
    length: float,
    stride: float,
    name: str,
) -> None:
    """Adds the windows over a stretch of time, the last of which ends where the stretch does.

    A stretch without an end goes on to the last event, and holds it.
    """
    start, until = stretch
    stop = float(time[-1]) if until is None else until
    if start > stop:
        return
    # A window may be longer by a rounding error rather than leave an event over.
    more = np.ceil(max(0.0, stop - start - length) / stride - 1e-9)
    if more >= MOST_WINDOWS:
        raise DataError(
            f"a window every {stride:g} makes {more + 1:.0f} windows of a catalogue that spans "
            f"{stop - start:g}; take a longer --window and --stride, and check the times"
        )
    begins = start + stride * np.arange(int(more) + 1)
    ends = begins + length
    if stride == length:
        ends[:-1] = begins[1:]  # as rounded, so that no event falls between
    ends[-1] = stop
    low, high = np.searchsorted(time, begins), np.searchsorted(time, ends)
    if until is None:
        high[-1] = len(time)
    cut.rows += [np.arange(*of_window) for of_window in zip(low, high, strict=True)]
    cut.bounds += list(zip(begins.tolist(), ends.tolist(), strict=True))
    cut.split += [name] * len(begins)


def _within_split(cut: Cut, slack: float) -> list[bool]:
    """Returns for each window, in order, whether it ends before the next split begins."""
    begins = [cut.bounds[cut.split.index(name)][0] for name in SPLITS if name in cut.split]
    latest = dict(zip(SPLITS, [*begins[1:], np.inf], strict=False))
    return [
        end <= latest[name] + slack for name, (_, end) in zip(cut.split, cut.bounds, strict=True)
    ]


def cut_sequences(catalogue: Catalogue, asked: Asked | None, seed: int | None) -> tuple[Cut, str]:
    """Returns a catalogue's sequences or pieces of them, and in words how they are split."""
    assert catalogue.sequence is not None
    ends = np.flatnonzero(np.diff(catalogue.sequence)) + 1
    rows = np.split(np.arange(len(catalogue)), ends)
    rows.sort(key=lambda of_sequence: catalogue.time[of_sequence[0]])
    cut = Cut(rows, [(0.0, 0.0)] * len(rows), [SPLITS[0]] * len(rows))
    cut.keep_two_events("sequences of a single event")
    if not cut.rows:
        raise DataError("no sequence has two events or more; check the --sequence column")
    own = own_clocks(catalogue, cut.rows)
    if asked == "random" or (asked is None and own):
        cut.split = at_random(catalogue, cut.rows, seed or 0).tolist()
        how = f"at random by sequence (seed {seed or 0}), {_why_random(catalogue, cut, own, asked)}"
    else:
        dates = asked if isinstance(asked, tuple) else _dates(catalogue, cut)
        _refuse_seed(seed, "by date")
        how = f"{_why_date(own, asked)}: {span_words(dates, catalogue.clock)}"
        how += _cut_at(cut, catalogue, dates)
    cut.bounds = [(float(catalogue.time[r[0]]), float(catalogue.time[r[-1]])) for r in cut.rows]
    return cut, how


def _why_random(catalogue: Catalogue, cut: Cut, own: bool, asked: Asked | None) -> str:
    if asked is None:
        near = f"{median_duration(catalogue.time, cut.rows):.3g} {catalogue.clock.unit}"
        return (
            f"as each seems to have a clock of its own: nine in ten begin within {near}, the "
            "median duration, of 0; if they share one clock, take --split time"
        )
    return "as asked" + ("" if own else f"; the sequences share one clock, {FUTURE}")


def _why_date(own: bool, asked: Asked | None) -> str:
    if isinstance(asked, tuple):
        return "at the dates given"
    clock = "though each sequence seems to have a clock of its own" if own else "on one clock"
    return f"by date, {clock}, so that 70 % and 85 % of the events lie before the dates"


def _dates(catalogue: Catalogue, cut: Cut) -> Dates:
    return dates_by_share(catalogue.time[np.concatenate(cut.rows)])


def _cut_at(cut: Cut, catalogue: Catalogue, dates: Dates) -> str:
    """Cuts sequences at dates, and returns what to add to how they were split."""
    before = len(cut.rows)
    pieces = [piece for rows in cut.rows for piece in by_date(catalogue, rows, dates)]
    pieces.sort(key=lambda piece: catalogue.time[piece[0][0]])
    cut.rows, cut.split = [rows for rows, _ in pieces], [name for _, name in pieces]
    cut.bounds = [(0.0, 0.0)] * len(pieces)
    cut.keep_two_events("pieces of sequences, cut at the dates, with a single event")
    if len(pieces) == before:
        return ""
    return (
        f"; {before} sequences became {len(pieces)} pieces, as those that go on over a date are "
        "cut there and begin anew"
    )


def _refuse_seed(seed: int | None, how: str) -> None:
    if seed is not None:
        raise DataError(
            f"--seed {seed} deals at random, and this table is split {how}; add --split random, or "
            "leave --seed out"
        )
