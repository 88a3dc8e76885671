"""The tables of what laws say without draws: log losses, information gain, shares of pools."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from smash.law.stacking import PARTS
from smash.scores.bootstrap import LOSSES
from smash.workbench.report.display_tables import Column, Row, Table, Value, filled
from smash.workbench.report.labels import FIGURES, Units, column
from smash.workbench.report.logged_comparison import Comparison
from smash.workbench.report.overview_table import INTERVAL, with_interval
from smash.workbench.report.run_groups import DataSet, Group
from smash.workbench.report.score_tables import NAME, WITHIN, by_rank, quality_note, table_of

WHOLE = "whole"
SHARES = {WHOLE: "whole events", "time": "times", "mark": "marks", "place": "places"}
"""Words for what members of pools have shares of."""
LAW_FIGURES = ("crps_time_law", "cs_time_law")
"""Those that are exact, or by quadrature, and stand beside log losses."""


def log_losses(data: DataSet, units: Units) -> Table | None:
    """Returns the mean −log density of events, None where no forecaster has a density."""
    known = [v.mean for group in data.groups for f in LOSSES if (v := group.value(f)) is not None]
    if not known:
        return None
    endless = [
        "∞: the forecaster held an event that came for impossible, such as a gap longer than all "
        "it was trained on; the CRPS is a score of such forecasts too."
    ]
    return table_of(
        data,
        "log-loss",
        f"Mean −log density of the events of {data.name}, of forecasters that have one.",
        [NAME, *(column(figure, units) for figure in (*LOSSES, *LAW_FIGURES))],
        [WITHIN, *_standardised(data), *(endless if any(map(math.isinf, known)) else [])],
    )


def _standardised(data: DataSet) -> list[str]:
    """Returns how nats are made those of standardised units, where the runs logged it."""
    for group in data.groups:
        if scales := group.values("log_scale/"):
            parts = (part for part in ("time", "place") if part in scales)
            lower = (f"{scales[part].mean:.4f} ({part})".replace("-", "−") for part in parts)
            return [
                "Nats are an event's, in the data's units; in units of the training standard "
                f"deviations they are lower by {' and '.join(lower)}."
            ]
    return []


def information_gains(data: DataSet, comparisons: Mapping[str, Comparison]) -> Table | None:
    """Returns the information gain an event over forecasters without memory, and over ETAS.

    None where no forecaster with a density was compared with one of them.
    """
    figures = [figure for figure in FIGURES if figure.startswith("information_gain_")]
    known = [f for f in figures if any(group.value(f) is not None for group in data.groups)]
    if not known:
        return None
    shown, hidden = by_rank(data)
    rows = [
        Row({"forecaster": g.label, **_gains(g, known, comparisons)}, g.contest)
        for g in (*shown, *hidden)
        if any(g.value(f) is not None for f in known)
    ]
    return filled(
        Table(
            f"{data.key}-gain",
            f"Information gain an event on {data.name}: mean log density minus the reference's.",
            [NAME, *(replace(column(f, Units()), signed=True) for f in known)],
            rows,
            [f"{INTERVAL} {quality_note(known)}"],
        )
    )


def _gains(
    group: Group, figures: Sequence[str], comparisons: Mapping[str, Comparison]
) -> dict[str, Value | None]:
    return {
        figure: with_interval(group.value(figure), group, comparisons, "information_gain", figure)
        for figure in figures
    }


def pools(data: DataSet) -> Table | None:
    """Returns the shares of each pool's members, None where nothing was pooled.

    Of whole events, or of times, marks and places where these are mixed apart.
    """
    rows = [
        Row({"forecaster": group.label, "member": member, **shares})
        for group in data.models
        for member, shares in _by_member(group.values("pool/")).items()
    ]
    if not rows:
        return None
    parts = [
        Column(part, f"share of {words} (%)", factor=100, decimals=1)
        for part, words in SHARES.items()
    ]
    return filled(
        Table(
            f"{data.key}-pools",
            f"Shares of the members of pools on {data.name}.",
            [NAME, Column("member", "member"), *parts],
            rows,
            ["Learnt by the log score on validation data (stacking), or equal where so asked."],
        )
    )


def _by_member(shares: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Returns shares by member and part, logged as MEMBER or, of parts mixed apart, PART/MEMBER."""
    found: dict[str, dict[str, Value]] = {}
    for name, share in shares.items():
        part, apart, member = name.partition("/")
        if not apart or part not in PARTS:
            part, member = WHOLE, name
        found.setdefault(member, {})[part] = share
    return found
