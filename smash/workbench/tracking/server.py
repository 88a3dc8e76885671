"""Which tracking server is meant, whether it answers, and what it holds. Only reads."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import mlflow.artifacts
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from smash.errors import TrackingError
from smash.files import replacing
from smash.workbench.tracking.model_delivery import model_of

PATIENCE = 15
"""Seconds within which a server has to answer before a run starts."""
LOCKED = 600
"""Seconds that a process waits for another one to make a database's tables."""
_TRACKING = "MLFLOW_TRACKING_URI"
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_MIGRATIONS, _DATABASE = "alembic", "mlflow.store.db.utils"

Answer = TypeVar("Answer")


def tracking_uri() -> str:
    """Returns `MLFLOW_TRACKING_URI`, or else `mlflow.db` in the current folder as SQLite.

    The default is spelt out: left to itself MLflow goes back to its old file store where it finds
    one in `mlruns/`.
    """
    return os.environ.get(_TRACKING) or sqlite_uri(Path.cwd() / "mlflow.db")


def shown(uri: str) -> str:
    """Returns the URI for people: without the password it may hold, a file as it is called."""
    path = sqlite_path(uri)
    if path is not None:
        return f"sqlite:///{path}"
    return re.sub(r"(://[^/:@]*):[^/@]*@", r"\1:***@", uri)


def open_client(uri: str) -> MlflowClient:
    """Returns a client whose server has answered; a fresh SQLite file gets its tables first.

    Raises:
        TrackingError: naming the URI, within seconds, when nothing answers there.
    """
    # Whoever writes tries again by itself and says so once; MLflow's own attempts go on for
    # minutes and warn each time.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # What a database refuses is raised too, and said in a line instead of MLflow's traceback.
    logging.getLogger(_DATABASE).setLevel(logging.CRITICAL)
    try:
        with only_one_process(uri), quiet(_MIGRATIONS), _variable(_TIMEOUT, str(PATIENCE)):
            path = sqlite_path(uri)
            if path is not None and not path.exists():
                # MLflow makes its tables in many steps; a file with some of them is of no use.
                with replacing(path) as beside:
                    _ask_once(sqlite_uri(beside, uri))
            return _ask_once(uri)
    except Exception as error:
        raise TrackingError(
            f"{shown(uri)}: the tracking server cannot be used ({_reason(error)}). Start it, "
            "correct MLFLOW_TRACKING_URI, or unset it to keep runs in ./mlflow.db"
        ) from error


def _ask_once(uri: str) -> MlflowClient:
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def find_run(run_id: str, uri: str | None = None) -> Run:
    """Returns a run: its `data.params`, `data.metrics`, `data.tags` and `info`.

    Raises:
        TrackingError: when the server cannot be reached or knows no such run.
    """
    uri = uri or tracking_uri()
    client = open_client(existing(uri))
    return _ask(lambda: client.get_run(run_id), f"{shown(uri)}: no run {run_id}")


def download_artifact(run_id: str, path: str, folder: Path, uri: str | None = None) -> Path:
    """Returns where in `folder` the run's artifact `path` (a file or folder) now lies.

    Raises:
        TrackingError: for an unknown run or artifact; the latter names those there are.
    """
    uri = uri or tracking_uri()
    find_run(run_id, uri)
    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(uri)
    there = ", ".join(item.path for item in client.list_artifacts(run_id))
    local = _ask(
        lambda: client.download_artifacts(run_id, path, str(folder.resolve())),
        f"{shown(uri)}: run {run_id} has no artifact {path}; it has {there or 'none'}",
    )
    return Path(local)


def download_model(address: str, uri: str | None = None) -> Path:
    """Returns a local folder with the model at `models:/NAME/VERSION`, `models:/NAME@ALIAS`,
    `models:/MODEL_ID` or `runs:/RUN_ID/model` (the run's model, whatever it is called).

    Raises:
        TrackingError: when the server cannot be reached or has no such model.
    """
    uri = uri or tracking_uri()
    client = open_client(existing(uri))
    if of_run := re.fullmatch(r"runs:/([^/]+)/model", address):
        run = find_run(of_run[1], uri)
        if model_id := _ask(lambda: model_of(client, run), f"{shown(uri)}: no model {address}"):
            address = f"models:/{model_id}"
    with _variable(_TRACKING, uri):  # the registry is asked for by this alone
        local = _ask(
            lambda: mlflow.artifacts.download_artifacts(artifact_uri=address, tracking_uri=uri),
            f"{shown(uri)}: no model {address}",
        )
    return Path(local)


def _ask(question: Callable[[], Answer], otherwise: str) -> Answer:
    try:
        return question()
    except (MlflowException, OSError) as error:
        raise TrackingError(f"{otherwise} ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    """Returns the first line of what lies at the bottom of an error.

    A refused connection comes wrapped in the errors of four libraries, each quoting the last.
    """
    while inner := error.__cause__ or error.__context__:
        error = inner
    return (str(error) or type(error).__name__).splitlines()[0]


def existing(uri: str) -> str:
    """Returns the URI; a SQLite file must be there, as reading makes none.

    Raises:
        TrackingError: when there is no such file.
    """
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        raise TrackingError(
            f"{shown(uri)}: no such file, so there are no runs; go to the folder they were made "
            "in or set MLFLOW_TRACKING_URI"
        )
    return uri


def sqlite_path(uri: str) -> Path | None:
    """Returns the file behind a SQLite URI, None for any other URI."""
    if not uri.startswith("sqlite"):
        return None
    try:
        path = make_url(uri).database
    except ArgumentError:
        return None
    return Path(path) if path else None


def sqlite_uri(path: Path, like: str = "sqlite://") -> str:
    """Returns the SQLite URI of a file, whatever its folder is called, with the query of `like`.

    The driver is written out where a character has to be quoted: MLflow makes the folders of a
    URI that begins with `sqlite:///`, called as they are in the URI.
    """
    url = make_url(like).set(database=str(path))
    plain, quoted = f"sqlite:///{path}", url.set(query={}).render_as_string()
    if quoted != plain:
        url = url.set(drivername="sqlite+pysqlite")
    if sqlite_path(uri := url.render_as_string()) != path:
        raise TrackingError(f"{path}: cannot be opened by this name; use another folder")
    return uri


def artifact_location(uri: str, experiment: str) -> str | None:
    """Returns where artifacts of a new experiment go; None: where MLflow puts them, `mlruns/`.

    MLflow takes the path of the current folder for a URI, so characters that URIs quote would be
    others. Where artifacts are kept by a server this is its concern.
    """
    folder = Path.cwd() / "mlruns"
    if sqlite_path(uri) is None or folder.as_uri() == f"file://{folder}":
        return None
    return (folder / re.sub(r"[^\w.-]+", "-", experiment)).as_uri()


@contextmanager
def only_one_process(uri: str) -> Iterator[None]:
    """Holds a lock beside a SQLite file: two processes creating its tables at once fail.

    There is none for other databases.
    """
    path = sqlite_path(uri)
    if path is None:
        yield
        return
    with FileLock(path.with_name(path.name + ".lock"), timeout=LOCKED):
        yield


@contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Keeps what these loggers say in passing from the screen; warnings still come through."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Sets a variable of the environment for a while; what MLflow is told no other way."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
