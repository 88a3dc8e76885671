"""The pictures of a data set's part: which forecasters, which events, under which captions."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from smash.data.events import Targets
from smash.law.samples import Samples
from smash.plots import diagnostics
from smash.workbench.report import figures
from smash.workbench.report.audit_tables import mark_names
from smash.workbench.report.data_tables import AUDIT
from smash.workbench.report.document import Film, Picture
from smash.workbench.report.figures import plain_label
from smash.workbench.report.labels import FIGURES, SKILLS, Units, unit_of
from smash.workbench.report.logged_comparison import Comparison
from smash.workbench.report.logged_run import Run
from smash.workbench.report.overview_table import skill
from smash.workbench.report.pitch import draw_pitch
from smash.workbench.report.run_groups import DataSet, Group
from smash.workbench.report.run_store import Store
from smash.workbench.report.verdict import levels_of

DRAWN_EVENTS, EARLIER = 3, 20
"""Events drawn, and the earlier ones shown beside each."""
NAME_LENGTH = 72
"""Of a forecaster's name in a figure: names that differ are not to be cut to the same."""
MARK_LENGTH = 16
"""Most letters of a mark's name in the heading of a panel."""
PITCH = "pitch units"
"""The unit of locations on a football pitch of 100 × 100."""
BLOCK_FIGURES = ("crps_time", "energy_location", "mark_log_loss", "cs_time", "cs_location", "ece")
HISTORY, FILM = "training/history.parquet", "figures/intensity.gif"
LOSSES = ("loss", "loss_time", "loss_location", "loss_mark", "learning_rate")


def skill_picture(
    data: DataSet, shown: list[Group], comparisons: Mapping[str, Comparison]
) -> Picture | None:
    """Returns the skill of the shown forecasters; None where climatology was not tested."""
    skills: dict[str, dict[str, figures.Skill]] = {}
    for group in shown:
        values = {part: skill(data, group, part, comparisons) for part in SKILLS}
        known = {part: (v.mean, v.low, v.high) for part, v in values.items() if v is not None}
        if known:
            skills[plain_label(group.label, NAME_LENGTH)] = known
    if not skills:
        return None
    caption = (
        f"Skill on {data.name}, 1 − score / climatology's: right of zero, history was of use. "
        "Bars are 95 % intervals, where a run logged them."
    )
    return Picture(f"{data.key}-skill", caption, figures.skill_plot(skills))


def calibration_pictures(data: DataSet, tables: Mapping[Group, pd.DataFrame]) -> Iterator[Picture]:
    """Yields coverage, its error, histograms of ranks, and the reliability of marks."""
    if not tables:
        return
    named = {plain_label(group.label, NAME_LENGTH): table for group, table in tables.items()}
    lead = next(iter(tables))
    key = data.key
    band = "The grey band holds 95 % of perfect forecasters."
    interval = (
        f" Shaded: 95 % interval of {lead.label}, by bootstrap over groups of sequences that share "
        "no event."
    )
    if "group" not in tables[lead]:
        interval = ""
    kinds = "intervals of time"
    if "region_level" in tables[lead]:
        kinds += " and regions of location"
    yield Picture(
        f"{key}-coverage",
        f"Coverage of {kinds} on {data.name}, by nominal level. {band}{interval}",
        diagnostics.coverage_curve(named),
    )
    yield Picture(
        f"{key}-coverage-error",
        f"Coverage minus level on {data.name}; dots are the levels of CS. Above zero a forecast "
        f"is wider than the truth, below it narrower. {band}{interval}",
        diagnostics.coverage_error(named, levels_of(lead)),
    )
    yield Picture(
        f"{key}-pit",
        f"Ranks of what happened among the draws on {data.name}. A hump in the middle: too wide; "
        f"raised ends: too narrow; a slope: shifted. {band}",
        figures.pit_histograms(named),
    )
    reliability = figures.reliability_diagram(named)
    if reliability is not None:
        yield Picture(
            f"{key}-reliability",
            f"Reliability of marks on {data.name}: how often the likeliest mark was right, by its "
            "probability (left), and how often such a probability was given (right).",
            reliability,
        )


def forecast_pictures(store: Store, data: DataSet, group: Group, units: Units) -> list[Picture]:
    """Returns the drawn forecasts of a few events, none where the run has no samples."""
    found = store.samples(group.first)
    if found is None:
        return []
    targets, samples = found
    named = mark_names(store.json(group.first, AUDIT))
    names = [plain_label(name, MARK_LENGTH) for name in named]
    rows = np.unique(np.linspace(0, len(targets) - 1, DRAWN_EVENTS + 2)[1:-1].round().astype(int))
    figure = _densities(targets, samples, [int(row) for row in rows], units, names)
    drawn = "draws of the gap with its intervals"
    if targets.location.shape[1]:
        drawn += " (left) and of the location with its regions (right)"
    caption = (
        f"Forecasts of {len(rows)} events by {group.label} on {data.name}, spread evenly over "
        f"the test set: {drawn}, and what happened."
    )
    return [Picture(f"{data.key}-forecasts", caption, figure)]


def intensity_film(store: Store, data: DataSet, group: Group) -> Film | None:
    """Returns the film of the intensity that the run logged, None where it logged none."""
    path = store.artifact(group.first, FILM)
    if path is None:
        return None
    caption = (
        f"Intensity by {group.label} on {data.name} while the last events of its longest test "
        "sequence come in: of each mark, a frame each moment, given the events before it (dots; "
        "the latest ringed). In brackets: the time that is left until the last of them."
    )
    return Film(f"{data.key}-intensity", caption, path.read_bytes())


def _densities(
    targets: Targets, samples: Samples, rows: list[int], units: Units, names: list[str]
) -> Figure:
    return diagnostics.forecast_densities(
        samples,
        targets,
        rows,
        history=[_earlier(targets, row) for row in rows],
        time_unit=plain_label(units.time),
        location_unit=plain_label(units.location),
        location_names=tuple(map(plain_label, units.location_names)),
        mark_names=names,
        backdrop=draw_pitch if units.location == PITCH else None,
    )


def _earlier(targets: Targets, row: int) -> np.ndarray:
    """Returns (M, D) the locations of the events before one, oldest first, M at most `EARLIER`."""
    before = (targets.sequence == targets.sequence[row]) & (targets.event < targets.event[row])
    return targets.location[before][-EARLIER:]


def step_picture(store: Store, data: DataSet, units: Units) -> Picture | None:
    """Returns scores of the best model against sampling steps; None where none were logged."""
    if not data.models:
        return None
    group, series = data.models[0], {}
    for name in (name for name in BLOCK_FIGURES if f"blocks/{name}" in group.first.metrics):
        values = store.steps(group.first.run_id, f"blocks/{name}")
        percent = FIGURES[name].unit == "percent"
        label = FIGURES[name].words, plain_label(unit_of(name, units))
        series[label] = 100 * values if percent else values
    if not series:
        return None
    caption = f"Scores of {group.label} on {data.name} after each block of sampling steps."
    return Picture(f"{data.key}-steps", caption, figures.block_scores(series))


def training_picture(store: Store, data: DataSet, run: Run) -> Picture | None:
    """Returns the course of a run's training, also of one under way; None where it had none."""
    history = store.table(run, HISTORY)
    if history is None:
        logged = {c: f"train/{c}" for c in LOSSES} | {"validation_loss": "validation/loss"}
        known = {c: store.steps(run.run_id, m) for c, m in logged.items() if m in run.metrics}
        if "loss" not in known:
            return None
        history = pd.DataFrame(known).rename_axis("epoch").reset_index()
    caption = f"Training of the run {run.name} on {data.name}: loss, its parts, learning rate."
    return Picture(f"{data.key}-training", caption, diagnostics.training_curves(history))
