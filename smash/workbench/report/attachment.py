"""A report attached to its run in MLflow, and linked from the run's description."""

import re

from mlflow.exceptions import MlflowException
from requests import RequestException

from smash.errors import TrackingError
from smash.workbench.report.logged_run import Run
from smash.workbench.report.output import HTML, PDF, Written
from smash.workbench.report.run_store import Store

FOLDER = "report"
NOTE = "mlflow.note.content"
LINE = re.compile(r"\n*^Report: \[.*$", re.MULTILINE)


def attach(store: Store, run: Run, written: Written) -> None:
    """Logs page and PDF with the run, in place of earlier ones, and links them.

    Raises:
        TrackingError: when the server refuses or stays away.
    """
    try:
        for name in written.files:  # and nothing else that may lie in a folder a user named
            place = f"{FOLDER}/{name}".rpartition("/")[0]
            store.client.log_artifact(run.run_id, str(written.folder / name), place)
        store.client.set_tag(run.run_id, NOTE, described(run))
    except (MlflowException, RequestException, OSError) as error:
        raise TrackingError(
            f"{store.shown_uri}: the report could not be attached to run {run.run_id} ({error}); "
            f"it is in {written.folder}"
        ) from error


def described(run: Run) -> str:
    """Returns the run's description with links to its report, once."""
    place = f"#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{FOLDER}"
    line = f"Report: [{HTML}]({place}/{HTML}), [{PDF}]({place}/{PDF})"
    before = LINE.sub("", run.tags.get(NOTE, ""))
    return f"{before}\n\n{line}".strip()
