"""The tables of scores of one data set, each a row a forecaster."""

from collections.abc import Iterable, Mapping, Sequence

from smash.scores.summary import quality_of
from smash.workbench.report.display_tables import Column, Raw, Row, Table, Value, filled
from smash.workbench.report.labels import FIGURES, PROPER, SKILLS, Units, column
from smash.workbench.report.logged_comparison import Comparison, Estimate
from smash.workbench.report.published_rows import (
    ESTIMATED_ALIKE,
    SOURCE,
    published_columns,
    published_rows,
)
from smash.workbench.report.run_groups import DataSet, Group
from smash.workbench.report.verdict import cs_bound

NAME = Column("forecaster", "forecaster")
ABOUT = (
    NAME,
    Column("protocol", "protocol"),
    Column("seeds", "seeds", decimals=0),
    Column("n_events", "events", decimals=0),
    Column("n_samples", "samples", decimals=0),
)
ERRORS = (
    "rmse_time",
    "mae_time",
    "mae_time_median",
    "mae_location",
    "mae_location_median",
    "accuracy",
)
CALIBRATION = ("cs_time", "cs_location", "cs_floor", "cs_bound", "ece")
MOST_MODELS = 12
"""Models that a table shows; CSV has them all."""
WITHIN = "Mean ± standard deviation over seeds. Best in bold, among rows of as many events."


def proper_scores(data: DataSet, units: Units) -> Table:
    """Returns the proper scores and what each row was made from."""
    return table_of(
        data,
        "scores",
        f"Proper scores on the test set of {data.name}; lower is better.",
        [*ABOUT, *(column(figure, units) for figure in PROPER)],
        [WITHIN],
    )


def quality_note(figures: Iterable[str]) -> str:
    """Returns how the figures of a table are known: exactly, by quadrature, from the draws."""
    of: dict[str, list[str]] = {}
    for figure in figures:
        if figure in FIGURES and FIGURES[figure].best is not None:
            of.setdefault(quality_of(figure), []).append(FIGURES[figure].words)
    words = {
        "exact": "Exact, by the law's density or cdf",
        "quadrature": "By quadrature of the law's cdf",
        "estimate": "Estimated from the draws",
    }
    return " ".join(f"{words[q]}: {', '.join(of[q])}." for q in words if q in of)


def point_errors(data: DataSet, units: Units) -> Table:
    """Returns mean absolute errors and the accuracy of the mark."""
    return table_of(
        data,
        "errors",
        f"Errors of point forecasts on {data.name}: of the mean of the draws, and of their median, "
        "which is the better point forecast for an absolute error.",
        [NAME, *(column(figure, units) for figure in ERRORS)],
        [WITHIN],
    )


def calibration(data: DataSet, units: Units) -> Table:
    """Returns the calibration scores beside what chance alone gives."""
    columns = [NAME, column("n_distinct", units), *(column(f, units) for f in CALIBRATION)]
    return table_of(
        data,
        "calibration",
        f"Calibration on {data.name}.",
        columns,
        [
            "CS: mean over levels of |coverage − level|. Floor: its mean for a perfect forecaster "
            "on as many distinct events; bound: what such a one stays below in 95 % of cases.",
        ],
    )


def recalibrated(data: DataSet, units: Units) -> Table | None:
    """Returns raw and recalibrated figures in turn, None where no run was recalibrated."""
    rows = []
    for group in data.models:
        if after := group.values("test_recalibrated/"):
            before = {figure: group.value(figure) for figure in after}
            rows.append(Row({"forecaster": group.label, "figures": "raw", **before}, None))
            named = {"forecaster": group.label, "figures": "recalibrated"}
            rows.append(Row({**named, **after}, None))
    if not rows:
        return None
    figures = (*CALIBRATION, *PROPER)
    columns = [NAME, Column("figures", "figures"), *(column(f, units) for f in figures)]
    return filled(
        Table(
            f"{data.key}-recalibrated",
            f"Raw figures on {data.name} and those after recalibration on validation data.",
            columns,
            rows,
            ["Its guarantee needs exchangeable events; drift between the splits breaks it."],
        )
    )


def beside_published(data: DataSet, units: Units) -> Table | None:
    """Returns our figures under the published estimators and every published row; else None."""
    contest = data.groups[0].contest if data.groups else ""
    theirs = published_rows(data.name, contest)
    if not theirs or not any(group.value("cs_time_original") for group in data.groups):
        return None
    shown, hidden = ([_beside(group) for group in groups] for groups in by_rank(data))
    return Table(
        f"{data.key}-published",
        f"Figures on {data.name} under the published estimators, beside the published ones.",
        [NAME, Column("protocol", "protocol"), *published_columns(data.name, units)],
        [*shown, *theirs, *hidden],
        [
            f"Published: {SOURCE}; the checkpoint was chosen on the test set (here: protocol "
            "original). Best in bold: lowest, accuracy highest.",
            "The published estimator of CS is biased: a perfect forecaster is far from zero under "
            "it (see the estimator audit), so the lowest CS time is not the best calibration.",
        ],
        most=len(shown) + len(theirs),
    )


def _beside(group: Group) -> Row:
    about = {
        "forecaster": f"{group.label}, this report",
        "protocol": group.first.protocol + (", quick profile" if group.quick else ""),
    }
    figures = {figure: group.value(figure) for figure in ESTIMATED_ALIKE}
    return Row({**about, **figures}, None if group.quick else group.contest)


def by_rank(data: DataSet) -> tuple[list[Group], list[Group]]:
    """Returns the best models with the baselines, and the models that tables leave to CSV."""
    return [*data.models[:MOST_MODELS], *data.baselines], [*data.models[MOST_MODELS:]]


def against(data: DataSet, comparisons: Mapping[str, Comparison], units: Units) -> Table | None:
    """Returns the paired differences of models from baselines; None where none was tested."""
    rows = []
    for group in data.models:
        for run in group.runs:
            if run.run_id in comparisons:
                of = {"forecaster": group.label, "seed": run.params.get("seed")}
                tested = comparisons[run.run_id].against
                rows += [Row(of | _differences(rival, found)) for rival, found in tested.items()]
    if not rows:
        return None
    columns = [NAME, Column("seed", "seed"), Column("baseline", "against")]
    for score in SKILLS.values():
        heading = column(score, units).heading
        columns += [Column(score, heading, signed=True), Column(f"{score}_p", "p", decimals=4)]
    return filled(
        Table(
            f"{data.key}-against",
            f"Score minus the baseline's on the same events of {data.name}; below zero the model "
            "is better.",
            columns,
            rows,
            ["In brackets: 95 % interval. p: of no difference, by paired bootstrap over groups."],
        )
    )


def _differences(rival: str, found: Mapping[str, Estimate]) -> dict[str, Raw]:
    values: dict[str, Raw] = {"baseline": rival}
    for score in SKILLS.values():
        if score in found:
            one = found[score]
            values[score] = Value(one.value, low=one.low, high=one.high)
            values[f"{score}_p"] = one.p_value
    return values


def configurations(data: DataSet) -> Table | None:
    """Returns the settings in which the models differ, None for a single model."""
    if len(data.models) < 2:
        return None
    columns = [NAME, *(Column(key, key) for key in data.differing)]
    rows = [Row({"forecaster": g.label, **g.settings}) for g in data.models]
    caption = f"Settings in which the models on {data.name} differ."
    return Table(f"{data.key}-settings", caption, columns, rows, most=MOST_MODELS)


def table_of(
    data: DataSet, key: str, caption: str, columns: Sequence[Column], notes: Iterable[str]
) -> Table:
    """Returns a table of a data set's forecasters, with how its figures are known below it."""
    shown, hidden = by_rank(data)
    keys = [c.key for c in columns]
    rows = [_row(group, keys) for group in (*shown, *hidden)]
    known = [key for key in keys if any(row.values.get(key) is not None for row in rows)]
    notes = (*notes, *filter(None, [quality_note(known)]))
    return filled(Table(f"{data.key}-{key}", caption, columns, rows, notes, len(shown)))


def _row(group: Group, keys: Sequence[str]) -> Row:
    about: dict[str, Raw] = {
        "forecaster": group.label,
        "protocol": group.first.protocol + (", quick" if group.quick else ""),
        "seeds": len(group.runs),
    }
    counts = {key: group.mean(key) for key in ("n_events", "n_samples", "n_distinct", "cs_floor")}
    if "cs_bound" in keys:
        counts["cs_bound"] = cs_bound(group)
    figures = {key: group.value(key) for key in keys if key not in about}
    return Row({**figures, **about, **counts}, group.contest)
