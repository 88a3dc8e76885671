"""docs/results.md: recorded results as tables, none of whose figures is typed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from smash.catalogue.downloads import PUBLISHED
from smash.workbench.report.display_tables import Column, Raw, Row, Table, to_csv, to_markdown
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.labels import Units
from smash.workbench.report.logged_comparison import Comparison
from smash.workbench.report.logged_run import Run
from smash.workbench.report.published_rows import published_datasets
from smash.workbench.report.run_groups import DataSet, Group, arrange, settings_of

if TYPE_CHECKING:
    from smash.workbench.pages.records import Recorded

HEAD = """# Results

What the shipped specs reach beside what one would use instead, on test data that chose nothing
(`protocol: strict`).

{first}
Below: [nats by part](#nats-by-part) of all of them, then each data set with its goals, all tables
of scores, and the published figures again under `protocol: original`, where the checkpoint is
chosen on test data, as it was for them. Figures under the published estimators, which are biased,
stand in tables of their own.

[{runs}]({runs}) has a row for each run: its id, the digests of spec and data, commit, device, time
and command. Both are made by `smash results write` from the records in `experiments/results/`; not
edited by hand.
"""
RUNS = "results.csv"
"""What the table of runs is called, beside the page."""


def page(records: Path, runs: str = RUNS) -> str:
    """Returns the page of results as Markdown; `runs` is the file with where they come from."""
    from smash.workbench.pages.records import read_recorded
    from smash.workbench.pages.rivals_table import named
    from smash.workbench.report.overview_table import overview

    found = read_recorded(records)
    datasets = datasets_of(found)
    tested = [named(data) for data in map(strictly_tested, datasets) if data.groups]
    first = to_markdown(overview(tested, found.comparisons)) if tested else "Nothing was run yet.\n"
    parts = [HEAD.format(first=first, runs=runs)]
    if (every := nats_of(datasets)) is not None:
        parts += ["## Nats by part\n", to_markdown(every)]
    for data in datasets:
        parts.append(f"## {data.name}\n")
        for heading, tables in sections(by_experiment(data), found):
            present = [to_markdown(table) for table in tables if table is not None]
            parts += [f"### {heading}\n", *present] if present else []
    return "\n".join(parts)


def datasets_of(recorded: "Recorded") -> list[DataSet]:
    """Returns the recorded data sets and those with published figures, by name."""
    found = arrange(recorded.runs)
    there = {data.name for data in found}
    found += [
        DataSet(name, "", (), (), key=name) for name in published_datasets() if name not in there
    ]
    return sorted(found, key=lambda data: data.name)


def strictly_tested(data: DataSet) -> DataSet:
    """Returns a data set with what was tested on it under the protocol that peeks at nothing."""
    from smash.workbench.pages.epochs import without_epochs

    return without_epochs(data).under("strict")


def nats_of(datasets: Sequence[DataSet]) -> Table | None:
    """Returns the table of all forecasters on all data sets, by data set; None without a run."""
    from smash.workbench.pages.epochs import without_epochs
    from smash.workbench.pages.nats_table import nats_table

    by_name = sorted((data for data in datasets if data.groups), key=lambda data: data.name)
    return nats_table(by_experiment(without_epochs(data)) for data in by_name)


def sections(data: DataSet, recorded: "Recorded") -> Iterator[tuple[str, list[Table | None]]]:
    """Yields the headings of a data set's section, each with its tables; None: not to be had."""
    from smash.workbench.pages.ablations import ablations
    from smash.workbench.pages.epochs import along_the_chain, epochs, without_epochs
    from smash.workbench.pages.goals import goals
    from smash.workbench.pages.reproduction import reproduction
    from smash.workbench.report import density_tables, futures_tables, score_tables
    from smash.workbench.report.overview_table import overview

    units = data.tagged_units or _published_units(data.name)
    whole, data, comparisons = data, without_epochs(data), recorded.comparisons
    strict, original = data.under("strict"), data.under("original")
    yield (
        "Test data chose nothing",
        [
            goals(strict, comparisons, units),
            *scores(strict, comparisons, units),
            score_tables.recalibrated(strict, units),
            futures_tables.futures(strict, units),
            density_tables.pools(strict),
        ],
    )
    yield (
        "The published figures again",
        [
            reproduction(data, units),
            epochs(whole, recorded.details, units),
            along_the_chain(data, recorded.details, units),
            overview([original], comparisons) if original.groups else None,
            *scores(original, comparisons, units),
            score_tables.beside_published(data, units),
        ],
    )
    yield "What the changes are worth", [ablations(data, units)]


def scores(
    data: DataSet, comparisons: Mapping[str, Comparison], units: Units
) -> list[Table | None]:
    """Returns the tables of the default estimators and proper scores, none without a model."""
    from smash.workbench.report import density_tables, score_tables

    if not data.groups:
        return []
    return [
        score_tables.proper_scores(data, units),
        score_tables.calibration(data, units),
        density_tables.log_losses(data, units),
        density_tables.information_gains(data, comparisons),
        score_tables.point_errors(data, units),
        score_tables.against(data, comparisons, units),
    ]


def by_experiment(data: DataSet) -> DataSet:
    """Returns the data set with its models called by their experiments and what they are."""
    return replace(data, models=tuple(replace(g, label=_label(g)) for g in data.models))


def _label(group: Group) -> str:
    return f"{group.first.experiment} ({model_name(settings_of(group.first))})"


def _published_units(name: str) -> Units:
    known = PUBLISHED.get(name)
    return Units(known.time_unit, known.location_unit, known.location_names) if known else Units()


def runs_csv(records: Path) -> str:
    """Returns where all figures come from as CSV, a row a run, also of those never tested."""
    from smash.workbench.pages.records import read_recorded

    rows = [
        _source(data, group, run)
        for data in map(by_experiment, datasets_of(read_recorded(records)))
        for group in (*data.groups, *_untested(data))
        for run in group.runs
    ]
    return to_csv(Table("runs", "", [Column(key, key) for key in (*ABOUT, *TAGS)], rows))


def _untested(data: DataSet) -> list[Group]:
    """Returns the models that were scored on validation data alone, called by their experiments."""
    from smash.workbench.pages.ablations import validated

    tested = {run.run_id for run in data.tested}
    alone = [g for g in validated(data) if not any(run.run_id in tested for run in g.runs)]
    return [replace(group, label=group.first.experiment) for group in alone]


ABOUT = ("data", "forecaster", "protocol", "seed", "run_id", "data_digest", "seconds")
TAGS = {
    "spec_digest": "spec_digest",
    "commit": "env/commit",
    "device": "env/device_name",
    "threads": "env/threads",
    "command": "env/command",
}
"""Columns of the table of runs: what is known of each, and the tags of the others."""


def _source(data: DataSet, group: Group, run: Run) -> Row:
    about = (data.name, group.label, run.protocol, run.params.get("seed"), run.run_id, data.digest)
    known: dict[str, Raw] = dict(zip(ABOUT, (*about, run.seconds), strict=True))
    return Row(known | {column: run.tags.get(tag) for column, tag in TAGS.items()})
