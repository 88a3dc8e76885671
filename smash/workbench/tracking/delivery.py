"""Queued writes sent to MLflow, and those of an earlier run sent later."""

import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput as DatasetInputEntity
from mlflow.entities import InputTag, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from requests import RequestException

from smash.errors import TrackingError
from smash.files import make_folder
from smash.workbench.tracking.model_delivery import metrics_of, send_model, send_model_file
from smash.workbench.tracking.operations import (
    Artifact,
    DatasetInput,
    Metrics,
    Model,
    Params,
    Status,
    Tags,
    Write,
    read_writes,
    save_writes,
)
from smash.workbench.tracking.server import open_client, shown, tracking_uri

STAGED = "to-send-"
_FINAL = {
    "BAD_REQUEST",
    "CUSTOMER_UNAUTHORIZED",
    "INVALID_PARAMETER_VALUE",
    "MALFORMED_REQUEST",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
}


def resend(folder: Path | str, uri: str | None = None) -> set[str]:
    """Sends what an earlier run left in its spool folder, and empties that folder.

    Returns the ids of the runs that it was of.

    Raises:
        TrackingError: when the server cannot be reached or refuses.
    """
    folder = Path(folder)
    try:
        writes = read_writes(folder / "writes.jsonl")
    except OSError as error:
        raise TrackingError(f"{folder}: holds nothing to be sent ({error})") from error
    uri = uri or tracking_uri()
    client = open_client(uri)
    for done, write in enumerate(writes):
        try:
            send(client, write)
        except (MlflowException, RequestException, OSError) as error:
            save_writes(writes[done:], folder / "writes.jsonl")
            raise TrackingError(f"{shown(uri)}: {write} was not sent: {error}") from error
    (folder / "writes.jsonl").unlink()
    with suppress(OSError):  # something else lies there, which stays
        folder.rmdir()
    return {write.run_id for write in writes}


def left_by(folder: Path) -> list[Write]:
    """Returns what a run's earlier process could not send but for the run's end, in order."""
    path = folder / "writes.jsonl"
    writes = read_writes(path) if path.exists() else []
    return [
        write
        for write in writes
        if not isinstance(write, Status)
        and not (isinstance(write, Artifact | Model) and _is_sent(write))
    ]


def _is_sent(write: Artifact | Model) -> bool:
    """Returns True where its files have been sent since, which removes them."""
    return write.path is not None and not Path(write.path).exists()


class Logged:
    """The metrics that a resumed run had before; what a step has already is not logged again."""

    def __init__(self, client: MlflowClient, run: Run) -> None:
        self._client, self._run_id = client, run.info.run_id
        self._before = set(run.data.metrics)
        self._known: dict[str, dict[int, str]] = {}

    def left_of(self, write: Write) -> Write:
        """Returns the write without the values that their steps already have."""
        if not isinstance(write, Metrics):
            return write
        values = (v for v in write.values if self._last(v[0]).get(v[3]) != _as_kept(v[1]))
        return replace(write, values=tuple(values))

    def _last(self, key: str) -> dict[int, str]:
        """Returns what each step of a metric has, the last where it has several."""
        if key not in self._before:
            return {}
        if key not in self._known:
            history = self._client.get_metric_history(self._run_id, key)
            rows = sorted(history, key=lambda row: row.timestamp)
            self._known[key] = {row.step: _as_kept(row.value) for row in rows}
        return self._known[key]


def _as_kept(value: float) -> str:
    """Returns a value as MLflow keeps it, equal for equal ones, NaN included."""
    largest = sys.float_info.max
    return repr(min(max(value, -largest), largest) if value == value else value)


def send(client: MlflowClient, write: Write) -> None:
    """Makes one write; making it twice changes nothing."""
    match write:
        case Metrics(_, ()):
            pass
        case Metrics(run_id):
            client.log_batch(run_id, metrics=metrics_of(client, write))
        case Params(run_id, entries):
            client.log_batch(run_id, params=[Param(*entry) for entry in entries])
        case Tags(run_id, entries):
            client.log_batch(run_id, tags=[RunTag(*entry) for entry in entries])
        case Artifact(run_id, path, folder, True):
            send_model_file(client, run_id, Path(path), folder)
            discard(Path(path))
        case Artifact(run_id, path, folder):
            _upload(client, run_id, Path(path), folder)
        case Model(_, path=path):
            send_model(client, write)
            if path is not None:
                discard(Path(path))
        case DatasetInput(run_id):
            fields = asdict(write)
            tags = [InputTag(*tag) for tag in fields.pop("tags")]
            del fields["run_id"]
            client.log_inputs(run_id, [DatasetInputEntity(DatasetEntity(**fields), tags)])
        case Status(run_id, status, end_time):
            client.set_terminated(run_id, status, end_time)


def _upload(client: MlflowClient, run_id: str, path: Path, folder: str | None) -> None:
    if path.is_dir():
        client.log_artifacts(run_id, str(path), "/".join(filter(None, [folder, path.name])))
    else:
        client.log_artifact(run_id, str(path), folder)
    discard(path)


def staged(path: Path, folder: Path) -> Path:
    """Returns where, in a new folder of `folder`, a file called as `path` waits to be sent."""
    make_folder(folder)
    return Path(tempfile.mkdtemp(prefix=STAGED, dir=folder)) / path.name


def discard(path: Path) -> None:
    """Removes what `staged` was given for and has been sent, and nothing else."""
    if path.parent.name.startswith(STAGED):
        shutil.rmtree(path.parent)


def is_final(error: Exception) -> bool:
    """Returns True when trying again cannot help: the server said no, or there is no such file."""
    if isinstance(error, MlflowException):
        return error.error_code in _FINAL
    if isinstance(error, RequestException):
        response = error.response
        return response is not None and response.status_code in (400, 401, 403, 404, 413)
    return isinstance(error, FileNotFoundError | TypeError | ValueError | LookupError)
