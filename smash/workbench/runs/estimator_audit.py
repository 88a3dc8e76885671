"""Audit of the estimators of CS: what they say of forecasters whose calibration is known.

A perfect forecaster (truth and samples drawn from the same law) must score no more than chance,
`floor`. What an estimator gives it beyond that is the estimator's own bias, and a model's figure
under that estimator says nothing below it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.table import Table

from smash.baselines.climatology import Climatology
from smash.data.dataset import Dataset
from smash.data.events import EventSequences, Targets, spread_subset
from smash.law.forecaster import Forecaster
from smash.law.samples import Samples
from smash.scores.calibration import calibration_score, cs_floor
from smash.scores.event_scores import score_events, with_groups
from smash.scores.summary import RANKS, count_distinct
from smash.settings import ScoreSettings
from smash.workbench.runs.kept_audits import kept_audit

SEED = 32_452_867
COLUMNS = {
    "cs_time": "time",
    "cs_time_original": "time_original",
    "cs_space": "location",
    "cs_space_original": "location_original",
}
"""Figures of a row, by the ranks they are made of."""


def audit_row(forecaster: str, table: pd.DataFrame, levels: Sequence[float]) -> dict[str, Any]:
    """Returns a forecaster's CS under both estimators with `n`, `n_distinct` and `floor`.

    Fractions; None where the table of scored events lacks an estimator.
    """
    ranks = {name: RANKS[of] for name, of in COLUMNS.items()}
    n_distinct = count_distinct(table)
    return {
        "forecaster": forecaster,
        **{
            name: calibration_score(table[rank].to_numpy(), levels) if rank in table else None
            for name, rank in ranks.items()
        },
        "n": len(table),
        "n_distinct": n_distinct,
        "floor": cs_floor(n_distinct, levels),
    }


def perfect_table(train: EventSequences, n_events: int, n_samples: int) -> pd.DataFrame:
    """Returns scores of a perfect forecaster: events and samples are training targets drawn alike.

    Times and places are those of the data, so the biases that their shape brings out show.
    """
    numbers = np.random.default_rng(SEED)
    targets = train.targets()
    drawn = numbers.integers(len(targets), size=(n_events, n_samples + 1))
    samples = Samples(targets.gap[drawn[:, 1:]], targets.location[drawn[:, 1:]])
    order, truth = np.arange(n_events), drawn[:, 0]
    time, place = targets.gap[truth], targets.location[truth]
    events = Targets(order, order, order.astype(np.float64), time, place, None)
    return score_events(samples, events, ScoreSettings(), torch.Generator().manual_seed(SEED))


def forecast_table(
    forecaster: Forecaster, sequences: EventSequences, n_samples: int, device: str = "cpu"
) -> pd.DataFrame:
    """Returns scores of a forecaster on all targets of `sequences` under both estimators."""
    generator = torch.Generator(device).manual_seed(SEED)
    ties = torch.Generator().manual_seed(SEED)
    tables = [
        score_events(forecast.samples, forecast.targets, ScoreSettings(), ties)
        for forecast in forecaster.forecast(sequences, n_samples, generator)
        if forecast.final
    ]
    return with_groups(pd.concat(tables, ignore_index=True), sequences)


def audited(
    dataset: Dataset,
    tables: Mapping[str, pd.DataFrame],
    n_events: int,
    n_samples: int,
    levels: Sequence[float],
) -> list[dict[str, Any]]:
    """Returns the rows of a perfect forecaster, of climatology, and of those tested already.

    The former two are scored on about `n_events` events each, unless climatology is among
    `tables`, the scored events of forecasters by name.
    """
    names = ("perfect",) if "climatology" in tables else ("perfect", "climatology")

    def known() -> list[dict[str, Any]]:
        found = {"perfect": perfect_table(dataset.train, n_events, n_samples)}
        if "climatology" in names:
            climatology = Climatology.fit(dataset.train, dataset.n_marks)
            part = some(dataset.test, n_events)
            found["climatology"] = forecast_table(climatology, part, n_samples)
        return [audit_row(name, table, levels) for name, table in found.items()]

    made_of = ("estimators", dataset, names, n_events, n_samples, list(levels))
    rows = [audit_row(name, table, levels) for name, table in tables.items()]
    return [*kept_audit(known, *made_of), *rows]


def some(sequences: EventSequences, n_events: int) -> EventSequences:
    """Returns sequences spread over all, of about `n_events` targets together; at least one."""
    share = n_events / int(sequences.is_target.sum())
    return spread_subset(sequences, max(1, round(share * len(sequences))))


def render(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Returns the rows of an audit as a table for the terminal, in per cent."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("forecaster", no_wrap=True)
    headings = {
        "cs_time": "time",
        "cs_time_original": "time, published",
        "cs_space": "place",
        "cs_space_original": "place, published",
        "floor": "chance",
        "n": "events",
        "n_distinct": "distinct",
    }
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for row in rows:
        cells = (_cell(name, row[name]) for name in headings)
        table.add_row(str(row["forecaster"]), *cells)
    return table


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if name.startswith("n") else f"{100 * value:.2f}"
