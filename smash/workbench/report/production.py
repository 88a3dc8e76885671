"""Reports made: read, put together, written, attached."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smash.workbench.report.attachment import attach
from smash.workbench.report.contents import build
from smash.workbench.report.display_tables import slug
from smash.workbench.report.output import Written, write_report
from smash.workbench.report.run_store import open_store
from smash.workbench.runs.sources import run_folder
from smash.workbench.tracking.server import find_run

OUT = Path("reports/out")


@dataclass(frozen=True)
class Made:
    """A report on disk, its notes, and the id of the run it is kept with (None: several runs)."""

    written: Written
    notes: tuple[str, ...]
    attached: str | None


def make_report(
    experiments: Sequence[str] = (),
    run_ids: Sequence[str] = (),
    out: Path | None = None,
    uri: str | None = None,
    attached: bool = True,
) -> Made:
    """Returns the report of the named experiments and runs, written to `out` and kept with the run.

    Raises:
        TrackingError: when nothing of what was named exists, or the server cannot be used.
        OutputError: when nothing can be written to `out`.
    """
    with open_store(uri) as store:
        selection = store.select(experiments, run_ids)
        report = build(store, selection)
        written = write_report(report, out or OUT / slug(selection.title))
        run = selection.only
        if run is not None and attached:
            attach(store, run, written)
        return Made(written, report.notes, run.run_id if run and attached else None)


def report_on(run_id: str) -> Written:
    """Returns the report of a run that has ended; for one of several seeds that of all of them.

    Raises:
        TrackingError: when the run cannot be found or the report not be kept with it.
    """
    top = find_run(run_id).data.tags.get("mlflow.parentRunId", run_id)
    return make_report(run_ids=[top], out=run_folder(top) / "report").written
