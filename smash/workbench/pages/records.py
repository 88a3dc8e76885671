"""Results kept in the repository: what the tables of runs are made of, as JSON, without MLflow.

A file holds the runs of an experiment, model and baselines, that were tested or scored on
validation data, with all their figures, settings and comparisons. Hosts, users and
paths of a machine stay out of it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from smash.errors import DataError
from smash.files import write_json
from smash.outputs import check_name
from smash.workbench.pages.epochs import Detail, detail_from, detail_of
from smash.workbench.report.logged_comparison import COMPARISON, Comparison, comparison_of
from smash.workbench.report.run_store import Run, Selection, Store
from smash.workbench.runs.portable_paths import portable_values
from smash.workbench.runs.sources import SPEC_TAG
from smash.workbench.specs.renamed_keys import params_under_present_names

FORMAT = 1
LEFT_OUT = ("env/host", "mlflow.user", "mlflow.source.name", "mlflow.note.content", SPEC_TAG)
KEPT_METRICS = (
    "test/",
    "test_recalibrated/",
    "validation/",
    "best/",
    "futures/",
    "pool/",
    "log_scale/",
)


@dataclass(frozen=True)
class Recorded:
    """All recorded runs; comparisons and details by run, of those that have one."""

    runs: list[Run] = field(default_factory=list)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    details: dict[str, Detail] = field(default_factory=dict)


def record(store: Store, selection: Selection, folder: Path) -> list[Path]:
    """Writes the scored runs of a selection, a file an experiment; returns the files.

    Runs that a file holds and the store does not, as they were made elsewhere, stay in it. Quick
    runs are no results.

    Raises:
        DataError: naming a file that is there and no record of runs.
        OutputError: for an experiment whose name is no file's.
    """
    experiments: dict[str, list[dict[str, Any]]] = {}
    for run in selection.runs:
        if (run.tested or run.validated) and run.status == "FINISHED" and not run.quick:
            name = check_name(run.experiment, "the experiment")
            found = {"run": asdict(_public(run)), "comparison": store.json(run, COMPARISON)}
            if run.baseline is None and run.protocol == "original":
                found["detail"] = asdict(detail_of(run, store))
            experiments.setdefault(name, []).append(found)
    paths = [folder / f"{name}.json" for name in experiments]
    for path, runs in zip(paths, experiments.values(), strict=True):
        ids = {found["run"]["run_id"] for found in runs}
        earlier = _recorded(path) if path.exists() else ()
        kept = [found for found in earlier if found["run"]["run_id"] not in ids]
        write_json(path, {"format": FORMAT, "runs": [*kept, *runs]})
    return paths


def read_recorded(folder: Path) -> Recorded:
    """Returns what all files in `folder` hold.

    Raises:
        DataError: naming a file that is not a record of runs.
    """
    everything = Recorded()
    for path in sorted(folder.glob("*.json")):
        for found in _recorded(path):
            try:
                run = Run(**found["run"])
                run = replace(run, params=params_under_present_names(run.params))
                if "detail" in found:
                    everything.details[run.run_id] = detail_from(found["detail"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataError(f"{path}: not a record of runs ({error}); record them again") from (
                    error
                )
            everything.runs.append(run)
            if (comparison := comparison_of(found.get("comparison"))) is not None:
                everything.comparisons[run.run_id] = comparison
    return everything


def _recorded(path: Path) -> Iterable[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not readable as JSON ({error}); record the runs again") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataError(f"{path}: not a record of runs of format {FORMAT}; record them again")
    runs: Iterable[dict[str, Any]] = found.get("runs", [])
    return runs


def _public(run: Run) -> Run:
    return replace(
        run,
        metrics={k: v for k, v in run.metrics.items() if k.startswith(KEPT_METRICS)},
        params=portable_values(run.params),
        tags=portable_values({k: v for k, v in run.tags.items() if k not in LEFT_OUT}),
    )
