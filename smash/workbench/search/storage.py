"""Where a study is kept: SQLite in a file, or PostgreSQL for many machines."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.storages import RDBStorage

from smash.errors import StudyError
from smash.workbench.tracking.server import shown, sqlite_path, sqlite_uri

logger = logging.getLogger(__name__)

PATIENCE = 5
"""Seconds within which a PostgreSQL server has to answer."""
SQLITE_WAIT = 60
"""Seconds that a write to SQLite waits for another process's write to end."""
GRACE = 4
"""Heartbeats that a trial may miss before it counts as lost."""


def default_storage(folder: Path) -> str:
    """Returns the URL of `studies.db` in a folder."""
    return sqlite_uri(folder.resolve() / "studies.db")


def storage_url(url: str) -> str:
    """Returns the URL with the driver that is installed written out.

    SQLAlchemy takes a bare `postgresql://` for psycopg 3, whether it is there or not.

    Raises:
        StudyError: for another kind of database, or when no driver is installed.
    """
    scheme, separator, rest = url.partition("://")
    backend, _, driver = scheme.partition("+")
    if not separator or backend not in ("sqlite", "postgresql", "postgres"):
        raise StudyError(
            f"--storage {shown(url)}: expected sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    if backend == "sqlite":
        if sqlite_path(url) is None:
            raise StudyError(f"--storage {url}: names no file; write sqlite:///studies.db")
        return url
    installed = [name for name in ("psycopg", "psycopg2") if find_spec(name)]
    if driver and driver not in installed:
        raise StudyError(f"--storage {shown(url)}: the driver {driver} is not installed")
    if not installed:
        raise StudyError(
            f"--storage {shown(url)}: PostgreSQL needs a driver; install the extra: "
            'pip install "smash-workbench[cluster]"'
        )
    return f"postgresql+{driver or installed[0]}://{rest}"


def create_storage(url: str, heartbeat: int) -> RDBStorage:
    """Returns the storage at a URL (of `storage_url`), its tables made if they are missing.

    Raises:
        StudyError: within seconds, when nothing answers there or it cannot be written to.
    """
    path = sqlite_path(url)
    if path is not None and not path.parent.is_dir():
        raise StudyError(f"--storage {url}: there is no folder {path.parent}; make it first")
    try:
        if path is not None:
            # Two processes creating its tables at once fail.
            with FileLock(_lock_path(path), timeout=SQLITE_WAIT):
                return open_storage(url, heartbeat, create=True)
        engine = sqlalchemy.create_engine(url, **_engine_settings(url))
        with engine.begin() as connection:
            _lock(connection, "schema")
            storage = open_storage(url, heartbeat, create=True)
        engine.dispose()
        return storage
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StudyError(
            f"--storage {shown(url)}: cannot be used ({reason}); start the server, correct the "
            "URL, or leave --storage out to keep the study in ./studies.db"
        ) from error


def open_storage(url: str, heartbeat: int, create: bool = False) -> RDBStorage:
    """Returns the storage at a URL, whose tables are there unless `create` is set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url,
            engine_kwargs=_engine_settings(url),
            heartbeat_interval=heartbeat,
            grace_period=GRACE * heartbeat,
            skip_table_creation=not create,
        )


@contextmanager
def only_one(storage: RDBStorage, name: str) -> Iterator[None]:
    """Holds what only one process at a time may do to the study `name`.

    A file lock beside SQLite, an advisory lock on PostgreSQL; both end with their process.
    """
    path = sqlite_path(storage.url)
    if path is not None:
        with FileLock(_lock_path(path)):
            yield
        return
    with storage.engine.begin() as connection:
        _lock(connection, name)
        yield


def _engine_settings(url: str) -> dict[str, Any]:
    """Returns how a database is connected to.

    A server takes a hundred connections as it is delivered, and a pool would keep up to fifteen a
    process, most of the time for nothing: each use of it connects anew.
    """
    if sqlite_path(url) is not None:
        return {"connect_args": {"timeout": SQLITE_WAIT}}
    return {"poolclass": sqlalchemy.NullPool, "connect_args": {"connect_timeout": PATIENCE}}


def _lock(connection: sqlalchemy.Connection, name: str) -> None:
    """Takes a lock that the end of the transaction releases."""
    key = crc32(f"smash {name}".encode())
    connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")
