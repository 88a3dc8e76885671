"""The published settings run by run, along their chains, and at other epochs than the chosen ones.

The kept checkpoints of a training are tested as the experiments `crime-published-epoch-30` and the
like: `run_experiment.py experiments/published/crime.yaml --stage test --from
runs/ID/checkpoints/epoch-00030 --set name=crime-published-epoch-30`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from smash.workbench.report.display_tables import Column, Raw, Row, Table, filled
from smash.workbench.report.labels import Units
from smash.workbench.report.logged_run import Run
from smash.workbench.report.published_rows import ESTIMATED_ALIKE, published_columns
from smash.workbench.report.run_groups import DataSet, Group, reproduced

if TYPE_CHECKING:
    from smash.workbench.report.run_store import Store

SHOWN_BLOCKS = 10
RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Detail:
    """What a run's figures do not hold: how its checkpoint was chosen, its chain, gaps of zero.

    `losses` are those that choose, by epoch. `chain` has the figures under the published estimators
    by the steps of a progressive sampler. Of the events and of the draws, `no_gap` and
    `no_gap_drawn` are the shares whose gap is nearer to zero than to the smallest other gap of an
    event; None where no event is without a gap or no draws were kept.
    """

    losses: Mapping[int, float] = field(default_factory=dict)
    chain: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    no_gap: float | None = None
    no_gap_drawn: float | None = None


def detail_of(run: Run, store: "Store") -> Detail:
    """Returns the detail of a run; a model that was tested alone has its training's losses."""
    trained = RUN_ID.search(run.tags.get("from", ""))
    history = store.steps(trained.group() if trained else run.run_id, "validation/loss")
    losses = dict(zip(history.index.astype(int), history.astype(float), strict=True))
    chain: dict[int, dict[str, float]] = {}
    for figure in ESTIMATED_ALIKE:
        for step, value in store.steps(run.run_id, f"blocks/{figure}").items():
            chain.setdefault(cast(int, step), {})[figure] = float(value)
    drawn = store.samples(run)
    if drawn is None or (drawn[0].gap > 0).all() or not drawn[0].gap.any():
        return Detail(losses, chain)
    targets, samples = drawn
    least = targets.gap[targets.gap > 0].min() / 2
    observed, forecast = ((gap < least).mean() for gap in (targets.gap, samples.gap))
    return Detail(losses, chain, float(observed), float(forecast))


def detail_from(found: Mapping[str, Any]) -> Detail:
    """Returns a detail as it was recorded; JSON makes text of epochs."""
    losses, chain = ({int(n): v for n, v in found[name].items()} for name in ("losses", "chain"))
    return Detail(losses, chain, found["no_gap"], found["no_gap_drawn"])


def tested_epoch(group: Group) -> int | None:
    """Returns the epoch of which a group tests the kept checkpoint, None for other groups."""
    found = re.search(r"-published-epoch-(\d+)$", group.first.experiment)
    return int(found.group(1)) if found else None


def without_epochs(data: DataSet) -> DataSet:
    """Returns the data set without the tests of kept epochs, which have a table of their own."""
    return replace(data, models=tuple(g for g in data.models if tested_epoch(g) is None))


def epochs(data: DataSet, details: Mapping[str, Detail], units: Units) -> Table | None:
    """Returns a row a run of the published setting and a row a kept epoch; None without either."""
    ours = reproduced(data)
    kept = {epoch: g for g in data.models if (epoch := tested_epoch(g)) is not None}
    rows = [] if ours is None else [_row(run, None, details) for run in ours.runs]
    for epoch in sorted(kept):
        rows += [_row(run, epoch, details) for run in kept[epoch].runs]
    if not rows:
        return None
    tested = {run.run_id for run in data.tested}
    shares = [d.no_gap for run, d in details.items() if run in tested and d.no_gap is not None]
    notes = ["Loss: on the test set, as published; the epoch with the least is chosen."]
    if shares:
        notes.append(
            "A draw is without a gap if nearer to zero than to the smallest gap of an event that "
            f"has one. {100 * shares[0]:.1f} % of the events have none."
        )
    table = Table(
        f"{data.key}-epochs",
        f"The published setting on {data.name} run by run, under the published estimators, and "
        "what other epochs than the chosen one would have given.",
        [
            Column("seed", "seed"),
            Column("epoch", "epoch"),
            Column("sampler", "sampler"),
            Column("loss", "loss that chooses", decimals=4),
            Column("no_gap", "draws without a gap (%)", factor=100, decimals=1),
            *_figures(data, units),
        ],
        rows,
        notes,
    )
    return filled(table)


def along_the_chain(data: DataSet, details: Mapping[str, Detail], units: Units) -> Table | None:
    """Returns the figures of the first run of the published setting by steps of its chain."""
    ours = reproduced(data)
    chain = details.get(ours.first.run_id, Detail()).chain if ours else {}
    if ours is None or len(chain) < 2:
        return None
    every = math.ceil(len(chain) / SHOWN_BLOCKS)
    shown = sorted(chain)[(len(chain) - 1) % every :: every]  # the last one always
    return Table(
        f"{data.key}-chain",
        f"The published chain on {data.name}, seed {ours.first.params.get('seed', '0')}, by the "
        "steps it has made, under the published estimators.",
        [
            Column("steps", "steps"),
            *_figures(data, units),
        ],
        [Row({"steps": str(n), **chain[n]}, None) for n in shown],
        ["The last row is denoised, as published; those before it are the chain as it is."],
    )


def _figures(data: DataSet, units: Units) -> list[Column]:
    """Returns the columns that compare with published ones, in which nothing is best."""
    return [replace(c, best=None) for c in published_columns(data.name, units)]


def _row(run: Run, epoch: int | None, details: Mapping[str, Detail]) -> Row:
    """Returns a run's row, of a kept epoch or, where that is None, of the chosen one."""
    detail = details.get(run.run_id, Detail())
    losses = detail.losses
    chosen = min(losses, key=lambda at: losses[at]) if losses else None
    own = chosen if epoch is None else epoch
    known = "–" if own is None else f"{own}, chosen" if own == chosen else str(own)
    values: dict[str, Raw] = {
        "seed": run.params.get("seed", "0"),
        "epoch": known,
        "sampler": run.params.get("sampling.sampler"),
        "loss": None if own is None else losses.get(own),
        "no_gap": detail.no_gap_drawn,
    }
    return Row(values | {figure: run.figures.get(figure) for figure in ESTIMATED_ALIKE})
