"""How far two splits are from one law, beside what chance alone would give them.

Events of one sequence are alike, so two samples of one law differ by more than as many independent
events would. What chance gives is therefore found by dealing whole units of events (sequences, or
stretches of a chain of overlapping windows) to two splits anew.
"""

import numpy as np
from numpy.typing import NDArray

from smash.data.events import EventSequences
from smash.data.groups import Layout

DEALS = 200
SEED = 67_867_967
CHANCE = 0.95
"""Share of deals whose distance lies below the `…_chance` given with it."""


def drift(
    first: EventSequences, second: EventSequences, layouts: tuple[Layout, Layout]
) -> dict[str, float]:
    """Returns distances between the laws of distinct targets: 0 for equal ones, 1 at most.

    Kolmogorov-Smirnov's of `gap` and, with places, `x` and `y`, total variation of `mark`; each
    with `…_chance`, which 95 % of splits of one law stay below. The chance is 1 where there is
    nothing to deal.
    """
    parts = [_distinct(first, layouts[0]), _distinct(second, layouts[1])]
    unit = np.concatenate([parts[0]["unit"], parts[1]["unit"] + parts[0]["unit"].max() + 1])
    _, unit = np.unique(unit, return_inverse=True)
    is_second = np.repeat([False, True], [len(part["unit"]) for part in parts])
    of_unit = np.zeros(unit.max() + 1, dtype=bool)
    of_unit[unit] = is_second
    numbers = np.random.default_rng(SEED)
    deals = np.array([numbers.permutation(of_unit) for _ in range(DEALS)])[:, unit]
    found: dict[str, float] = {}
    for name in ("gap", "x", "y", "mark"):
        if name in parts[0] and name in parts[1]:
            values = np.concatenate([part[name] for part in parts])
            distance = _total_variation if name == "mark" else _kolmogorov_smirnov
            every = distance(values, np.vstack([is_second, deals]))
            found[name] = float(every[0])
            found[f"{name}_chance"] = float(np.quantile(every[1:], CHANCE))
    return found


def _distinct(sequences: EventSequences, layout: Layout) -> dict[str, NDArray]:
    rows = np.flatnonzero(sequences.is_target)
    rows = rows[~layout.is_repeat(rows)]
    places = dict(zip(("x", "y"), sequences.location[rows].T, strict=False))
    columns = {"unit": layout.unit[rows], "gap": sequences.gap[rows], **places}
    return columns if sequences.mark is None else columns | {"mark": sequences.mark[rows]}


def _kolmogorov_smirnov(values: NDArray, deals: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns (D,) greatest differences of the distribution functions of values (N,) dealt."""
    order = np.argsort(values)
    ordered = values[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    return np.array([np.abs(_weights(deal)[order].cumsum()[last]).max() for deal in deals])


def _total_variation(marks: NDArray, deals: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns (D,) half the summed differences of the shares of marks (N,) dealt."""
    shares = [np.bincount(marks, weights=_weights(deal)) for deal in deals]
    return np.abs(shares).sum(axis=1) / 2


def _weights(deal: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(deal, -1 / max(1, deal.sum()), 1 / max(1, (~deal).sum()))
