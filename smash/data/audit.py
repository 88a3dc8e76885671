"""What a data set holds and where it may mislead: one plain mapping, and a view for terminals.

Figures of a forecast are read against it: how many different events there are, whether the splits
are of one law, which values repeat because clocks and maps are coarse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table

from smash.data.clock import SECONDS
from smash.data.completeness import completeness
from smash.data.dataset import Dataset
from smash.data.drift import drift
from smash.data.events import EventSequences
from smash.data.groups import Layout, lay_out
from smash.data.resolution import gap_cells, location_cell
from smash.data.tally import Tally
from smash.data.variation.folding import looks_folded

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SIZES = {
    "sequences": "sequences",
    "overlapping_windows": "of these overlapping windows",
    "groups": "groups that share no events",
    "resampling_units": "units a bootstrap resamples",
    "events": "events",
    "targets": "targets",
    "distinct_targets": "distinct targets",
    "duplicates": "exact duplicates of the event before",
    "shortest": "shortest sequence (events)",
    "longest": "longest sequence (events)",
    "half_days": "without an event from 13 h to 1 h, as without a.m. and p.m.",
    "dropped_sequences": "dropped sequences (under two events)",
    "dropped_events": "events in these",
}
"""The sizes of a split, and their words."""
MAGNITUDES = {
    "least": "least",
    "median": "median",
    "greatest": "greatest",
    "complete_from_curvature": "complete from: maximum curvature + 0.2",
    "complete_from_fit": "complete from: goodness of fit, 95 %",
    "share_below": "share below the greater of both",
    "b": "b of magnitudes above it",
    "b_error": "its standard error",
}
"""What is said of magnitudes, and its words."""


def audit(dataset: Dataset) -> dict[str, Any]:
    """Returns what is known of a data set in sections, ready for JSON; raw units.

    `about`: names, units, digest. By split: `sizes`, with groups of overlapping windows, distinct
    targets and exact duplicates; `gaps`; `marks`, the share of each; `magnitudes`, with where they
    look complete; `places`. `rows`: what became of those that were read. `shared`: targets that two
    splits both hold. `drift`: distances of validation and test from training. `resolution`: cells
    that values look rounded to. `warnings`: what reading the data said, and that splits share
    events.
    """
    layouts = {split: lay_out(sequences) for split, sequences in dataset.splits()}
    splits, unit = dict(dataset.splits()), dataset.time_unit
    return {
        "about": {
            "name": dataset.name,
            "digest": dataset.digest,
            "source": dataset.source,
            "time_unit": unit,
            "location_unit": dataset.location_unit,
            "split": dataset.rows.split,
            "projection": dataset.geography.origin,
            "longitude_cut": dataset.geography.cut,
        },
        "rows": _rows(dataset.rows),
        "sizes": {split: _sizes(part, layouts[split], unit) for split, part in splits.items()},
        "gaps": {split: _gaps(part.targets().gap) for split, part in splits.items()},
        "marks": {split: _marks(part, dataset.mark_names) for split, part in splits.items()},
        "magnitudes": {split: _magnitudes(part) for split, part in splits.items()},
        "places": {split: _places(part, dataset.location_names) for split, part in splits.items()},
        "shared": [
            {
                "splits": f"{pair.first} and {pair.second}",
                "distinct_targets": pair.distinct_targets,
                "share": pair.share,
            }
            for pair in dataset.shared
        ],
        "drift": {
            split: drift(dataset.train, part, (layouts["train"], layouts[split]))
            for split, part in splits.items()
            if split != "train"
        },
        "resolution": _resolution(dataset.train, dataset.location_names),
        "warnings": list(dataset.notices),
    }


def _sizes(sequences: EventSequences, layout: Layout, time_unit: str) -> dict[str, int]:
    rows, members = np.flatnonzero(sequences.is_target), np.bincount(layout.group)
    same = (np.diff(sequences.location, axis=0) == 0).all(axis=1)
    if sequences.mark is not None:
        same &= np.diff(sequences.mark) == 0
    same &= (sequences.gap == 0)[1:] & sequences.is_target[1:]
    day = SECONDS["days"] / SECONDS[time_unit] if time_unit in SECONDS else None
    return {
        "sequences": len(sequences),
        "overlapping_windows": int(members[members > 1].sum()),
        "groups": len(members),
        "resampling_units": int(layout.unit.max()) + 1,
        "events": sequences.n_events,
        "targets": len(rows),
        "distinct_targets": int((~layout.is_repeat(rows)).sum()),
        "duplicates": int(same.sum()),
        "shortest": int(sequences.lengths.min()),
        "longest": int(sequences.lengths.max()),
        "half_days": 0 if day is None else int(looks_folded(sequences, day).sum()),
        "dropped_sequences": sequences.dropped,
        "dropped_events": sequences.dropped_events,
    }


def _gaps(gap: NDArray[np.float64]) -> dict[str, float]:
    quantiles = np.quantile(gap, QUANTILES)
    positive = gap[gap > 0]
    return {
        "zero_share": float(np.mean(gap == 0)),
        "least_positive": float(positive.min()) if len(positive) else 0.0,
        **{f"q{100 * q:g}": float(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
        "greatest": float(gap.max()),
        "mean": float(gap.mean()),
    }


def _marks(sequences: EventSequences, names: tuple[str, ...]) -> dict[str, float]:
    if sequences.mark is None:
        return {}
    mark = sequences.mark[sequences.is_target]
    shares = np.bincount(mark, minlength=len(names)) / len(mark)
    return {name: float(share) for name, share in zip(names, shares, strict=True)}


def _magnitudes(sequences: EventSequences) -> dict[str, float]:
    """Returns what is known of the targets' magnitudes; nothing where there are none."""
    magnitude = sequences.targets().magnitude
    if magnitude is None:
        return {}
    ends = np.quantile(magnitude, (0, 0.5, 1)).tolist()
    found = dict(zip(("least", "median", "greatest"), ends, strict=True))
    known = completeness(magnitude)
    if known is None:
        return found
    fit = {} if known.fit is None else {"complete_from_fit": known.fit}
    return found | {
        "complete_from_curvature": known.curvature,
        **fit,
        "share_below": known.below,
        "b": known.b,
        "b_error": known.error,
    }


def _places(sequences: EventSequences, names: tuple[str, ...]) -> dict[str, float]:
    """Returns the ends of the coordinates; nothing where events have no places."""
    low, high = sequences.location.min(axis=0), sequences.location.max(axis=0)
    ends = {"least": low, "greatest": high}
    return {f"{end}_{name}": float(ends[end][i]) for i, name in enumerate(names) for end in ends}


def _rows(tally: Tally) -> dict[str, Any]:
    counts = asdict(tally)
    return {key: counts[key] for key in ("read", "kept", "repeated")} | {
        "left_out": list(counts["left_out"])
    }


def _resolution(train: EventSequences, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the cells' widths, 0 where values look continuous (`smash.data.resolution`)."""
    cells = gap_cells(train.gap[train.is_target], "auto")
    widths = [location_cell(coordinate, "auto") for coordinate in train.location.T]
    places = dict(zip(names, widths, strict=True))
    return {"gap": cells.width, "gap_lattice": cells.lattice, **places}


def render(found: Mapping[str, Any]) -> Group:
    """Returns an audit as tables for the terminal, a column a split."""
    marks = [_marks_table(found)] if found["marks"]["train"] else []
    if found["magnitudes"]["train"]:
        marks.append(_magnitudes_table(found))
    return Group(_rows_table(found["rows"]), _sizes_table(found), *marks, _notes_table(found))


def _magnitudes_table(found: Mapping[str, Any]) -> Table:
    table = _table("magnitudes of targets", found)
    for key, words in MAGNITUDES.items():
        cells = [part.get(key) for part in found["magnitudes"].values()]
        table.add_row(words, *("unknown" if cell is None else f"{cell:.3g}" for cell in cells))
    return table


def _sizes_table(found: Mapping[str, Any]) -> Table:
    sizes, gaps, unit = found["sizes"].values(), found["gaps"].values(), found["about"]["time_unit"]
    table = _table(f"{found['about']['name']}: splits", found)
    for key, words in SIZES.items():
        table.add_row(words, *(str(split[key]) for split in sizes))
    for key in found["gaps"]["train"]:
        if key == "zero_share":
            table.add_row("gaps of exactly 0 (%)", *(f"{100 * gap[key]:.1f}" for gap in gaps))
            continue
        words = f"{key[1:]} % quantile" if key.startswith("q") else key.replace("_", " ")
        table.add_row(f"gap, {words} ({unit})", *(f"{gap[key]:.4g}" for gap in gaps))
    return table


def _rows_table(rows: Mapping[str, Any]) -> Table:
    table = Table(title="rows", title_justify="left")
    table.add_column("what")
    table.add_column("rows", justify="right")
    for what, number in row_counts(rows):
        table.add_row(what, str(number))
    return table


def row_counts(rows: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns in words and numbers what became of the rows of an audit; they add up."""
    return [
        ("read", rows["read"]),
        ("kept", rows["kept"]),
        *((f"left out: {part['parts']} {part['what']}", part["rows"]) for part in rows["left_out"]),
        *([("repeated, as windows overlap", rows["repeated"])] if rows["repeated"] else []),
    ]


def _marks_table(found: Mapping[str, Any]) -> Table:
    table = _table("shares of marks (%)", found)
    for name in found["marks"]["train"]:
        table.add_row(name, *(f"{100 * split[name]:.1f}" for split in found["marks"].values()))
    return table


def _notes_table(found: Mapping[str, Any]) -> Table:
    places = "places, " if found["places"]["train"] else ""
    table = Table(title=f"{places}drift, leaks and resolution", title_justify="left")
    table.add_column("what")
    table.add_column("found", justify="right")
    for what, found_out in _geography(found["about"]):
        table.add_row(what, found_out)
    for split, distances in found["drift"].items():
        for what in ("gap", "x", "y", "mark"):
            if what in distances:
                chance = f"{distances[what]:.3f} (chance: below {distances[f'{what}_chance']:.3f})"
                table.add_row(f"{what}: distance of {split} from train", chance)
    for pair in found["shared"]:
        second = f"{100 * pair['share']:.1f} % of {pair['splits'].split()[-1]}"
        number = f"{pair['distinct_targets']} ({second})" if pair["distinct_targets"] else "0"
        table.add_row(f"distinct targets in both {pair['splits']}", number)
    time_unit, length = found["about"]["time_unit"], found["about"]["location_unit"]
    cells = dict(found["resolution"])
    lattice = "every gap a multiple" if cells.pop("gap_lattice") else "shorter gaps are ties"
    for what, cell in cells.items():
        unit = f"{time_unit}; {lattice}" if what == "gap" else length
        table.add_row(f"resolution of {what}", f"{cell:.4g} {unit}" if cell else "none seen")
    return table


def _geography(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what places are, where they are longitude and latitude."""
    if about["projection"] is not None:
        longitude, latitude = about["projection"]
        yield "places: km around longitude, latitude", f"{longitude:g}, {latitude:g}"
    elif about["longitude_cut"] is not None:
        cut = about["longitude_cut"]
        yield "places: degrees, longitudes between", f"{cut:.4g} and {cut + 360:.4g}"


def _table(title: str, found: Mapping[str, Any]) -> Table:
    table = Table("", title=title, title_justify="left")
    for split in found["sizes"]:
        table.add_column(split, justify="right")
    return table
