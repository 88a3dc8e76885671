"""docs/results.md: recorded results as tables, none of whose figures is typed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from smash.catalogue.downloads import PUBLISHED
from smash.workbench.report.display_tables import Column, Row, Table, to_markdown
from smash.workbench.report.forecaster_names import model_name
from smash.workbench.report.labels import Units
from smash.workbench.report.logged_comparison import Comparison
from smash.workbench.report.published_rows import published_datasets
from smash.workbench.report.run_groups import DataSet, Group, arrange, settings_of

if TYPE_CHECKING:
    from smash.workbench.pages.records import Recorded

HEAD = """# Results

Made by `smash results write` from the records in
`experiments/results/`, each of which names run, spec digest, data digest, commit and protocol of
every figure; not edited by hand.

Under `protocol: strict` no choice is made on test data; under `protocol: original` the checkpoint
is chosen on them, as for the published figures. Figures under the published estimators, which are
biased, stand in tables of their own.
"""


def page(records: Path) -> str:
    """Returns the page of results, a section a data set, as Markdown."""
    from smash.workbench.pages.records import read_recorded

    found = read_recorded(records)
    datasets = arrange(found.runs)
    recorded = {data.name for data in datasets}
    datasets += [
        DataSet(name, "", (), (), key=name) for name in published_datasets() if name not in recorded
    ]
    parts = [HEAD]
    if (every := nats_of(datasets)) is not None:
        parts += ["## All forecasters\n", to_markdown(every)]
    for data in sorted(datasets, key=lambda data: data.name):
        parts.append(f"## {data.name}\n")
        for heading, tables in sections(by_experiment(data), found):
            present = [to_markdown(table) for table in tables if table is not None]
            parts += [f"### {heading}\n", *present] if present else []
    return "\n".join(parts)


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
            *scores(original, comparisons, units),
            score_tables.beside_published(data, units),
        ],
    )
    yield "What the changes are worth", [ablations(data, units)]
    yield "Sources", [sources(whole)]


def scores(
    data: DataSet, comparisons: Mapping[str, Comparison], units: Units
) -> list[Table | None]:
    """Returns the tables of the default estimators and proper scores, none without a model."""
    from smash.workbench.report import density_tables, score_tables

    if not data.groups:
        return []
    return [
        score_tables.skills(data, comparisons),
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


def sources(data: DataSet) -> Table | None:
    """Returns where each forecaster's runs come from, those on validation data alone included."""
    from smash.workbench.pages.ablations import validated

    columns = {
        "forecaster": "forecaster",
        "run": "runs",
        "spec": "spec digest",
        "data": "data digest",
        "commit": "commit",
        "protocol": "protocol",
        "device": "device",
        "minutes": "minutes a run",
        "command": "command",
    }
    tested = {run.run_id for run in data.tested}
    untested = [g for g in validated(data) if not any(run.run_id in tested for run in g.runs)]
    rows = []
    for group in (*data.groups, *(replace(g, label=g.first.experiment) for g in untested)):
        tags = group.first.tags
        seconds = [run.seconds for run in group.runs if run.seconds is not None]
        values = {
            "forecaster": group.label,
            "run": ", ".join(run.run_id[:8] for run in group.runs),
            "spec": tags.get("spec_digest", "")[:8],
            "data": data.digest[:8],
            "commit": tags.get("env/commit", "")[:8],
            "protocol": group.first.protocol,
            "device": f"{tags.get('env/device_name')}, {tags.get('env/threads')} threads",
            "minutes": f"{sum(seconds) / len(seconds) / 60:.1f}" if seconds else None,
            "command": None if group.baseline else tags.get("env/command"),
        }
        rows.append(Row(values))
    if not rows:
        return None
    return Table(
        f"{data.key}-sources",
        f"Where the figures on {data.name} come from.",
        [Column(key, heading) for key, heading in columns.items()],
        rows,
    )
