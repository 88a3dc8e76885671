"""What a data set holds and where it may mislead: one plain mapping, and a view for terminals.

Figures of a forecast are read against it: how many different events there are, whether the splits
are of one law, which values repeat because clocks and maps are coarse.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table
from scipy.stats import ks_2samp

from smash.data.dataset import Dataset
from smash.data.events import EventSequences
from smash.data.groups import Layout, joined, lay_out
from smash.data.resolution import gap_cells, location_cell

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KOLMOGOROV_95 = 1.358
"""Quantile of the Kolmogorov distribution that two samples of one law exceed in 5 % of cases."""


def audit(dataset: Dataset) -> dict[str, Any]:
    """Returns sizes, gaps, marks, repeats, drift and resolution, ready for JSON; raw units.

    `splits`: for each its sizes, groups of overlapping windows, distinct targets, gaps, marks and
    location ranges. `shared`: distinct targets that two splits both hold. `drift`: distances of
    validation and test from training. `resolution`: cells that values look rounded to.
    """
    layouts = {split: lay_out(sequences) for split, sequences in dataset.splits()}
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "time_unit": dataset.time_unit,
        "location_unit": dataset.location_unit,
        "location_names": list(dataset.location_names),
        "mark_names": list(dataset.mark_names),
        "splits": {
            split: _split(sequences, layouts[split], dataset.n_marks)
            for split, sequences in dataset.splits()
        },
        "shared": _shared(dataset),
        "drift": {
            split: _drift(dataset.train, sequences, layouts["train"], layouts[split])
            for split, sequences in dataset.splits()
            if split != "train"
        },
        "resolution": _resolution(dataset.train),
        "warnings": list(dataset.warnings),
    }


def _split(sequences: EventSequences, layout: Layout, n_marks: int) -> dict[str, Any]:
    targets = sequences.targets()
    rows = np.flatnonzero(sequences.is_target)
    members = np.bincount(layout.group)
    same_place = (np.diff(sequences.location, axis=0) == 0).all(axis=1)
    if sequences.mark is not None:
        same_place &= np.diff(sequences.mark) == 0
    marks = None
    if targets.mark is not None:
        marks = (np.bincount(targets.mark, minlength=n_marks) / len(targets)).tolist()
    return {
        "sequences": len(sequences),
        "events": sequences.n_events,
        "targets": len(targets),
        "distinct_targets": int((~layout.is_repeat(rows)).sum()),
        "groups": len(members),
        "overlapping_windows": int(members[members > 1].sum()),
        "resampling_units": int(layout.unit.max()) + 1,
        "shortest": int(sequences.lengths.min()),
        "longest": int(sequences.lengths.max()),
        "dropped_sequences": sequences.dropped,
        "duplicates": int((same_place & (_gap_before(sequences) == 0)).sum()),
        "gap": _gaps(targets.gap),
        "marks": marks,
        "location_low": sequences.location.min(axis=0).tolist(),
        "location_high": sequences.location.max(axis=0).tolist(),
    }


def _gap_before(sequences: EventSequences) -> NDArray[np.float64]:
    """Returns (E - 1,) gaps of all events but the very first, NaN for a sequence's first."""
    return np.where(sequences.is_target, sequences.gap, np.nan)[1:]


def _gaps(gap: NDArray[np.float64]) -> dict[str, float]:
    quantiles = np.quantile(gap, QUANTILES)
    named = {f"q{100 * q:g}": float(v) for q, v in zip(QUANTILES, quantiles, strict=True)}
    positive = gap[gap > 0]
    return {
        "zero_share": float(np.mean(gap == 0)),
        "least_positive": float(positive.min()) if len(positive) else 0.0,
        "mean": float(gap.mean()),
        "greatest": float(gap.max()),
        **named,
    }


def _shared(dataset: Dataset) -> list[dict[str, Any]]:
    splits = dict(dataset.splits())
    everything = joined(list(splits.values()))
    events = lay_out(everything).event
    ends = np.cumsum([part.n_events for part in splits.values()])[:-1]
    held = {
        split: np.unique(numbers[part.is_target])
        for (split, part), numbers in zip(splits.items(), np.split(events, ends), strict=True)
    }
    return [
        {"splits": [a, b], "distinct_targets": len(np.intersect1d(held[a], held[b]))}
        for a, b in combinations(splits, 2)
    ]


def _drift(
    train: EventSequences, other: EventSequences, train_layout: Layout, layout: Layout
) -> dict[str, float]:
    """Returns distances between laws, of distinct targets: 0 for equal ones, 1 at most.

    Kolmogorov-Smirnov's of gap and coordinates, total variation of marks, and `bound`: what the
    former stays below in 95 % of cases for independent events of one law.
    """
    parts = [_distinct(train, train_layout), _distinct(other, layout)]
    first, second = (sequences.targets() for sequences in (train, other))
    a, b = parts
    distances = {
        "gap": _ks(first.gap[a], second.gap[b]),
        "x": _ks(first.location[a, 0], second.location[b, 0]),
        "y": _ks(first.location[a, 1], second.location[b, 1]),
    }
    if first.mark is not None and second.mark is not None:
        size = int(max(first.mark.max(), second.mark.max())) + 1
        shares = [np.bincount(m, minlength=size) for m in (first.mark[a], second.mark[b])]
        p, q = (count / count.sum() for count in shares)
        distances["mark"] = float(np.abs(p - q).sum() / 2)
    return distances | {"bound": KOLMOGOROV_95 * float(np.sqrt(1 / a.sum() + 1 / b.sum()))}


def _distinct(sequences: EventSequences, layout: Layout) -> NDArray[np.bool_]:
    return ~layout.is_repeat(np.flatnonzero(sequences.is_target))


def _ks(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(ks_2samp(first, second, method="asymp").statistic)


def _resolution(train: EventSequences) -> dict[str, Any]:
    cells = gap_cells(train.gap[train.is_target], "auto")
    x, y = (location_cell(coordinate, "auto") for coordinate in train.location.T)
    return {"gap": cells.width, "gap_lattice": cells.lattice, "location": [x, y]}


def render(found: Mapping[str, Any]) -> Group:
    """Returns an audit as tables for the terminal, a column a split."""
    marks = [_marks_table(found)] if found["mark_names"] else []
    return Group(_sizes_table(found), *marks, _notes_table(found))


def _sizes_table(found: Mapping[str, Any]) -> Table:
    splits, unit = found["splits"], found["time_unit"]
    table = _table(f"{found['name']}: splits", splits)
    rows = {
        "sequences": "sequences",
        "of these overlapping windows": "overlapping_windows",
        "groups that share no events": "groups",
        "units a bootstrap resamples": "resampling_units",
        "events": "events",
        "targets": "targets",
        "distinct targets": "distinct_targets",
        "shortest sequence (events)": "shortest",
        "longest sequence (events)": "longest",
        "dropped sequences (under two events)": "dropped_sequences",
        "exact duplicates of the event before": "duplicates",
    }
    for words, key in rows.items():
        table.add_row(words, *(str(split[key]) for split in splits.values()))
    gaps = [split["gap"] for split in splits.values()]
    table.add_row("gaps of exactly 0 (%)", *(f"{100 * gap['zero_share']:.1f}" for gap in gaps))
    for key in gaps[0]:
        if key != "zero_share":
            words = key.replace("_", " ") if key[0] != "q" else f"{key[1:]} % quantile"
            table.add_row(f"gap, {words} ({unit})", *(f"{gap[key]:.4g}" for gap in gaps))
    return table


def _marks_table(found: Mapping[str, Any]) -> Table:
    splits = found["splits"]
    table = _table("shares of marks (%)", splits)
    for k, name in enumerate(found["mark_names"]):
        shares = (split["marks"] for split in splits.values())
        table.add_row(name, *("-" if s is None else f"{100 * s[k]:.1f}" for s in shares))
    return table


def _notes_table(found: Mapping[str, Any]) -> Table:
    table = Table(title="drift, leaks and resolution", title_justify="left")
    table.add_column("what")
    table.add_column("found", justify="right")
    for split, distances in found["drift"].items():
        bound = f"chance: below {distances['bound']:.3f}"
        for what, distance in distances.items():
            if what != "bound":
                note = "" if what == "mark" else f" ({bound})"
                table.add_row(f"{what}: distance of {split} from train", f"{distance:.3f}{note}")
    for pair in found["shared"]:
        words = " and ".join(pair["splits"])
        table.add_row(f"distinct targets in both {words}", str(pair["distinct_targets"]))
    cells = found["resolution"]
    lattice = "every gap a multiple of it" if cells["gap_lattice"] else "shorter gaps are ties"
    gap = f"{cells['gap']:.4g} {found['time_unit']}; {lattice}" if cells["gap"] else "none seen"
    table.add_row("resolution of the clock", gap)
    for name, cell in zip(found["location_names"], cells["location"], strict=True):
        seen = f"{cell:.4g} {found['location_unit']}" if cell else "none seen"
        table.add_row(f"resolution of {name}", seen)
    return table


def _table(title: str, splits: Mapping[str, Any]) -> Table:
    table = Table("", title=title, title_justify="left")
    for split in splits:
        table.add_column(split, justify="right")
    return table
