"""A run's description in MLflow: verdict and main figures, above what it said before."""

import re

from mlflow.exceptions import MlflowException
from requests import RequestException

from smash.errors import TrackingError
from smash.workbench.report.attachment import NOTE
from smash.workbench.report.display_tables import to_markdown
from smash.workbench.report.labels import Units, column
from smash.workbench.report.logged_comparison import comparisons_of
from smash.workbench.report.logged_run import UNFINISHED, Run
from smash.workbench.report.run_groups import DataSet, arrange
from smash.workbench.report.run_store import Selection, Store, open_store
from smash.workbench.report.score_tables import NAME, table_of
from smash.workbench.report.verdict import verdict
from smash.workbench.tracking.server import find_run
from smash.workbench.tracking.tracker import MAX_TAG, cut_values

BEGIN, END = "<!-- verdict -->", "<!-- end of verdict -->"
"""Around what is written anew each time; MLflow's pages do not show them."""
WRITTEN = re.compile(rf"{BEGIN}.*?(?:{END}\s*|\Z)", re.DOTALL)
MAIN = ("crps_time", "energy_location", "mark_log_loss", "event_log_loss", "cs_time", "cs_location")
"""The figures that a description has of each forecaster."""


def describe(run_id: str, uri: str | None = None) -> None:
    """Writes verdict and main figures into the descriptions of a finished run and its seeds' runs.

    Of one seed of several the run above is described, too, once it is finished.

    Raises:
        TrackingError: when the run cannot be found, or the server refuses or stays away.
    """
    top = find_run(run_id, uri).data.tags.get("mlflow.parentRunId", run_id)
    with open_store(uri) as store:
        selection = store.select((), [top])
        for run in selection.runs:
            if run.baseline is None and run.status not in UNFINISHED:
                _describe(store, run, selection)


def _describe(store: Store, run: Run, selection: Selection) -> None:
    said = summary_of(store, run, selection)
    if not said:
        return
    note = cut_values({NOTE: described(run, said)}, MAX_TAG)[NOTE]
    try:
        store.client.set_tag(run.run_id, NOTE, note)
    except (MlflowException, RequestException, OSError) as error:
        raise TrackingError(
            f"{store.shown_uri}: run {run.run_id} could not be described ({error})"
        ) from error


def summary_of(store: Store, run: Run, selection: Selection) -> str:
    """Returns verdict and main figures of a run and those below it; empty where none is scored."""
    family = [other for other in selection.runs if _is_below(other, run, selection)]
    scored = [data for data in arrange(family) if data.groups]
    return "\n\n".join(_of_data(store, data) for data in scored) or _of_training(run)


def described(run: Run, said: str) -> str:
    """Returns the run's description with what is `said` above all else, once."""
    before = WRITTEN.sub("", run.tags.get(NOTE, ""))
    return f"{BEGIN}\n{said}\n{END}\n\n{before}".strip()


def _is_below(run: Run, above: Run, selection: Selection) -> bool:
    """Returns True for the run `above`, and those that lie below it, at any depth."""
    by_id = {one.run_id: one for one in selection.runs}
    while run.run_id != above.run_id:
        if run.parent not in by_id:
            return False
        run = by_id[run.parent]
    return True


def _of_data(store: Store, data: DataSet) -> str:
    found = verdict(data, comparisons_of(store, data.models[:1]))
    units = data.tagged_units or Units()
    columns = [NAME, *(column(figure, units) for figure in MAIN)]
    table = table_of(data, "main", f"Main figures on {data.name}", columns, [])
    # MLflow folds all but the first lines away.
    return f"**{found.short}**\n\n{to_markdown(table)}\n{found.full}"


def _of_training(run: Run) -> str:
    """Returns what is known of a model that was trained and not tested."""
    if "best/epoch" not in run.metrics:
        return ""
    text = f"Trained, not tested: best epoch {run.metrics['best/epoch']:.0f}"
    text += f", validation loss {run.metrics['best/validation_loss']:.4f}"
    if (score := run.metrics.get("validation/relative_score")) is not None:
        text += f", validation score {score:.4f} of climatology's"
    return text + "."
