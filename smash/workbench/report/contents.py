"""A report put together from a selection of runs: verdict, then a part a data set, then sources."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

from smash.workbench.report import (
    data_tables,
    density_tables,
    futures_tables,
    provenance,
    score_tables,
)
from smash.workbench.report.document import Block, Report, Section, Verdict
from smash.workbench.report.labels import Units
from smash.workbench.report.logged_comparison import Comparison, comparisons_of
from smash.workbench.report.logged_run import UNFINISHED, Run
from smash.workbench.report.model_card import model_card
from smash.workbench.report.overview_table import overview
from smash.workbench.report.pictures import (
    calibration_pictures,
    forecast_pictures,
    intensity_film,
    skill_picture,
    step_picture,
    training_picture,
)
from smash.workbench.report.run_groups import DataSet, Group, arrange
from smash.workbench.report.run_store import EVENTS, SAMPLES, Selection, Store
from smash.workbench.report.study_sections import search_sections
from smash.workbench.report.verdict import verdict

DRAWN_COLUMNS = {"gap", "pit_time"}
DRAWN_MODELS, DRAWN_BASELINES = 3, 4
"""Forecasters whose tables of events are read and drawn, a data set."""


def build(store: Store, selection: Selection) -> Report:
    """Returns the report of the selected runs; what is missing is said in its notes."""
    datasets = arrange(selection.runs)
    scored = [data for data in datasets if data.groups]
    notes = [*selection.notes, *_missing(selection.runs), *_repeated(scored)]
    if len(scored) > 1:
        names = ", ".join(f"{data.name} ({data.digest[:8]})" for data in scored)
        notes.append(f"The runs are of {len(scored)} data sets, each shown by itself: {names}.")
    comparisons = {
        run_id: one
        for data in scored
        for run_id, one in comparisons_of(store, score_tables.by_rank(data)[0]).items()
    }
    sections: list[Section] = []
    if scored:
        sections.append(Section("Overview", (overview(scored, comparisons),)))
    verdicts = []
    for data in scored:
        verdicts.append(verdict(data, comparisons))
        sections += _dataset_sections(store, data, comparisons, notes)
    studies = [run for run in selection.runs if run.study]
    for data in (data for data in datasets if not data.groups):
        sections += _untested_sections(store, data)
    for study in studies:
        sections += search_sections(store, study, notes)
    if not scored:
        verdicts.append(Verdict("No run was tested, so there are no scores to judge."))
    sections.append(provenance.section(store, selection, scored))
    return Report(
        title=selection.title,
        origin=f"{_counted(selection.runs)} in {store.shown_uri}, read on {_today()}.",
        verdicts=tuple(verdicts),
        notes=tuple(dict.fromkeys(notes)),
        sections=tuple(section for section in sections if section.blocks),
    )


def drawn(data: DataSet) -> list[Group]:
    """Returns the few forecasters that figures show: the best models and baselines beside them."""
    models = list(data.models[:DRAWN_MODELS])
    contest = (models or data.baselines)[0].contest
    rivals = [group for group in data.baselines if group.contest == contest]
    return [*models, *rivals[:DRAWN_BASELINES]]


def _dataset_sections(
    store: Store, data: DataSet, comparisons: dict[str, Comparison], notes: list[str]
) -> Iterator[Section]:
    units = units_of(store, data)
    yield Section(f"{data.name}: scores", _present(_scores(data, comparisons, units)))
    shown = drawn(data)
    tables = {}
    for group in shown:
        table = store.table(group.first, EVENTS)
        if table is None or not set(table) >= DRAWN_COLUMNS:
            notes.append(
                f"The run {group.first.run_id} has no table of scored events ({EVENTS}) that can "
                "be drawn."
            )
        else:
            tables[group] = table
    blocks: list[Block | None] = [score_tables.calibration(data, units)]
    blocks += calibration_pictures(data, tables)
    blocks.append(score_tables.recalibrated(data, units))
    blocks += data_tables.estimator_audit(store, data, shown)
    yield Section("Calibration", _present(blocks), level=2)
    lead = shown[0].first
    pictures = forecast_pictures(store, data, shown[0], units)
    if not pictures:
        notes.append(f"The run {lead.run_id} has no {SAMPLES}, so no forecast of it is drawn.")
    film = intensity_film(store, data, shown[0])
    yield Section("Forecasts of single events", _present([*pictures, film]), level=2)
    yield Section("Sampling and training", _present(_course(store, data, units, notes)), level=2)
    yield Section("Data", _present(data_tables.data_audit(store, data, units)), level=2)
    yield Section("Model card", _present([model_card(store, data, comparisons)]), level=2)


def _scores(
    data: DataSet, comparisons: dict[str, Comparison], units: Units
) -> Iterator[Block | None]:
    yield score_tables.proper_scores(data, units)
    yield skill_picture(data, drawn(data), comparisons)
    yield score_tables.against(data, comparisons, units)
    yield density_tables.log_losses(data, units)
    yield density_tables.information_gains(data, comparisons)
    yield score_tables.point_errors(data, units)
    yield futures_tables.futures(data, units)
    yield futures_tables.horizon(data, units)
    yield density_tables.pools(data)
    yield score_tables.beside_published(data, units)
    yield score_tables.configurations(data)


def _course(store: Store, data: DataSet, units: Units, notes: list[str]) -> Iterator[Block | None]:
    yield step_picture(store, data, units)
    if data.models:
        # An ensemble or a pool is not trained.
        trained = (g.first for g in data.models if "train/loss" in g.first.metrics)
        run = next(trained, data.models[0].first)
        training = training_picture(store, data, run)
        if training is None:
            notes.append(f"The run {run.run_id} logged no training, so no curve of it is drawn.")
        yield training
    yield data_tables.timings(data)


def _untested_sections(store: Store, data: DataSet) -> Iterator[Section]:
    """Yields what can be shown of runs without scores: the last training, and the data."""
    trained = [run for run in data.others if "train/loss" in run.metrics and not run.trial]
    if trained:
        picture = training_picture(store, data, trained[-1])
        yield Section(f"{data.name}: training", _present([picture]))
        audit = data_tables.data_audit(store, data, units_of(store, data))
        yield Section("Data", _present(audit), level=2)


def units_of(store: Store, data: DataSet) -> Units:
    """Returns the units that a data set's runs were tagged with, or else those of its samples."""
    if (tagged := data.tagged_units) is not None:
        return tagged
    metadata = store.sample_metadata(data.runs[0])  # runs of before units were tagged
    if "time_unit" in metadata:
        return Units(metadata["time_unit"], metadata.get("location_unit", "units"))
    return Units()


def _missing(runs: Sequence[Run]) -> Iterator[str]:
    running = [run for run in runs if run.status in UNFINISHED]
    failed = [run for run in runs if run.status in ("FAILED", "KILLED") and not run.trial]
    for words, found in (("is not finished", running), ("did not finish", failed)):
        for run in found[:5]:
            why = run.tags.get("failure")
            yield (
                f"The run {run.run_id} ({run.name}) {words} (status {run.status}); what it has "
                "logged is shown." + (f" Why: {why}" if why else "")
            )
        if found[5:]:
            yield f"So it is with {len(found) - 5} more runs."


def _repeated(datasets: Sequence[DataSet]) -> Iterator[str]:
    for data in datasets:
        if data.repeated:
            yield (
                f"On {data.name}, earlier runs with the setting and seed of a later one were left "
                f"out of the tables of scores: {data.repeated}."
            )


def _present(blocks: Iterable[Block | None]) -> tuple[Block, ...]:
    return tuple(block for block in blocks if block is not None)


def _counted(runs: Sequence[Run]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _today() -> str:
    return datetime.now(timezone.utc).strftime("%d %B %Y, %H:%M UTC")
