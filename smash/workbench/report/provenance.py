"""Where the figures come from: runs, spec, data digests, commit, environment."""

from collections.abc import Sequence

from smash.workbench.report.display_tables import Column, Row, Table, filled
from smash.workbench.report.document import Block, Listing, Section
from smash.workbench.report.logged_run import Run
from smash.workbench.report.run_groups import DataSet
from smash.workbench.report.run_store import Selection, Store

ENVIRONMENT = {
    "env/commit": "commit",
    "env/dirty": "uncommitted changes",
    "env/python": "Python",
    "env/version_torch": "PyTorch",
    "env/version_numpy": "NumPy",
    "env/version_scipy": "SciPy",
    "env/version_mlflow": "MLflow",
    "env/version_smash-workbench": "workbench",
    "env/platform": "platform",
    "env/host": "host",
    "env/device_name": "device",
    "env/threads": "threads",
    "env/command": "command",
}
MOST_VALUES = 3


def section(store: Store, selection: Selection, datasets: Sequence[DataSet]) -> Section:
    """Returns the section on sources: all runs, the data, the environment, the leading spec."""
    blocks: list[Block] = [_runs(selection.runs), _data(selection.runs)]
    blocks.append(_environment(selection.runs))
    for data in datasets:
        lead = data.groups[0].first
        spec = store.text(lead, "spec.yaml")
        if spec is not None:
            blocks.append(Listing(f"Spec of the run {lead.run_id} ({lead.name})", spec.rstrip()))
    return Section("Sources", tuple(blocks), folded=True)


def _runs(runs: Sequence[Run]) -> Table:
    columns = [
        Column("name", "run"),
        Column("run_id", "id"),
        Column("status", "status"),
        Column("dataset", "data"),
        Column("baseline", "baseline"),
        Column("protocol", "protocol"),
        Column("profile", "profile"),
        Column("seed", "seed"),
        Column("seconds", "seconds", decimals=0),
    ]
    rows = [
        Row(
            {
                "name": run.name,
                "run_id": run.run_id,
                "status": run.status.lower(),
                "dataset": run.dataset,
                "baseline": run.baseline,
                "protocol": run.protocol,
                "profile": run.tags.get("profile"),
                "seed": None if run.over_seeds else run.params.get("seed"),
                "seconds": run.seconds,
            }
        )
        for run in runs
    ]
    return filled(Table("runs", "The runs of this report.", columns, rows))


def _data(runs: Sequence[Run]) -> Table:
    seen = {(run.dataset, run.digest): run for run in runs}
    columns = [
        Column("dataset", "data"),
        Column("published", "published files"),
        Column("digest", "SHA-256 of all events"),
    ]
    rows = [
        Row({"dataset": name, "digest": digest, "published": run.tags.get("data/published")})
        for (name, digest), run in seen.items()
    ]
    return filled(Table("data-digests", "The data of these runs.", columns, rows))


def _environment(runs: Sequence[Run]) -> Table:
    rows = []
    for tag, words in ENVIRONMENT.items():
        values = list(dict.fromkeys(run.tags[tag] for run in runs if tag in run.tags))
        if values:
            more = f" and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
            rows.append(Row({"what": words, "value": "; ".join(values[:MOST_VALUES]) + more}))
    columns = [Column("what", "what"), Column("value", "value")]
    return Table("environment", "Where these runs took place.", columns, rows)
