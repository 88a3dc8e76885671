"""Experiments on a tracking server: where runs are opened, resumed and found.

Nothing set, everything is kept in `mlflow.db` and `mlruns/` in the current folder, and `mlflow ui`
there shows it. With `MLFLOW_TRACKING_URI` set it goes to that server or database.
"""

import getpass
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from requests import RequestException

from smash.errors import TrackingError
from smash.workbench.tracking.delivery import is_final
from smash.workbench.tracking.server import (
    artifact_location,
    find_run,
    open_client,
    shown,
    tracking_uri,
)
from smash.workbench.tracking.tracker import DEADLINE, HASTE, MAX_TAG, Tracker, cut_values

logger = logging.getLogger(__name__)

SPOOL = Path("runs/unsent")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Store:
    """An experiment on a tracking server that has answered; makes and resumes runs."""

    client: MlflowClient
    uri: str
    experiment_id: str
    spool: Path

    def start(
        self,
        name: str,
        tags: Mapping[str, str] | None = None,
        parent: str | None = None,
        system_metrics: bool = True,
    ) -> "Tracker":
        """Returns the tracker of a new run, a child of run `parent` where one is given.

        Raises:
            TrackingError: when the server stays away or refuses.
        """
        all_tags = {
            "mlflow.user": _user(),
            "mlflow.source.name": Path(sys.argv[0]).name,
            "mlflow.source.type": "LOCAL",
            **({"mlflow.parentRunId": parent} if parent else {}),
            **(tags or {}),
        }
        cut = cut_values(all_tags, MAX_TAG)
        return self._opened(
            lambda: self.client.create_run(self.experiment_id, run_name=name, tags=cut),
            self._discard,
            system_metrics,
        )

    def resume(self, run_id: str, system_metrics: bool = True) -> "Tracker":
        """Returns the tracker of an existing run, which is running again.

        What its earlier process could not send is sent first; metrics that it has are not logged
        again.

        Raises:
            TrackingError: when there is no such run, or the server stays away.
        """
        run = find_run(run_id, self.uri)

        def running() -> Run:
            self.client.update_run(run_id, status="RUNNING")
            return run

        return self._opened(running, self._end, system_metrics, resumed=True)

    def _opened(
        self,
        request: Callable[[], Run],
        undo: Callable[[str], None],
        system_metrics: bool,
        resumed: bool = False,
    ) -> "Tracker":
        """Returns the tracker of the run that a request opens.

        The request is made by another thread, as interruptions come to the first alone: the opening
        of a run that is opened all the same is undone, or it would seem to run for ever.
        """
        opening: Future[Run] = Future()
        try:
            _in_thread(opening, lambda: self._patiently(request))  # may be interrupted itself
            run = opening.result()
            return Tracker(self.client, shown(self.uri), self.spool, run, system_metrics, resumed)
        except BaseException:
            if not opening.cancel():
                with suppress(Exception):
                    opened = opening.result(HASTE).info.run_id
                    self._patiently(lambda: undo(opened), HASTE)
            raise

    def _end(self, run_id: str) -> None:
        self.client.set_terminated(run_id, "KILLED")

    def _discard(self, run_id: str) -> None:
        """Deletes a run that holds nothing: there would be nothing to go on with."""
        self._end(run_id)
        self.client.delete_run(run_id)

    def find(self, tags: Mapping[str, str]) -> list[Run]:
        """Returns the experiment's runs with these tags, the oldest first.

        Raises:
            TrackingError: when the server stays away or refuses.
        """
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found: list[Run] = []
        token: str | None = None
        while token is None or token:
            page = self._patiently(partial(self._search, wanted, token))
            found += page
            token = page.token or ""
        return found

    def _search(self, wanted: str, token: str | None) -> Any:
        return self.client.search_runs(
            [self.experiment_id], wanted, order_by=["attributes.start_time ASC"], page_token=token
        )

    def _patiently(self, request: Callable[[], Answer], deadline: float = DEADLINE) -> Answer:
        """Returns the server's answer, asking again for `deadline` seconds while it is away."""
        last = time.monotonic() + deadline
        warned = False
        while True:
            try:
                return request()
            except (MlflowException, RequestException, OSError) as error:
                if is_final(error) or time.monotonic() > last:
                    raise TrackingError(f"{shown(self.uri)}: {error}") from error
                if not warned:
                    logger.warning("tracking: %s is away; waiting for it", shown(self.uri))
                warned = True
                time.sleep(1.0)


def connect(experiment: str, uri: str | None = None, spool: Path = SPOOL) -> Store:
    """Returns the store of an experiment, made if it is new, on a server that has answered.

    Args:
        experiment: name of the MLflow experiment.
        uri: tracking server; by default `MLFLOW_TRACKING_URI` or `./mlflow.db`.
        spool: folder for what waits to be sent, and for what could not be.

    Raises:
        TrackingError: within seconds, naming the URI and what to do.
    """
    uri, spool = uri or tracking_uri(), spool.resolve()
    client = open_client(uri)
    try:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            location = artifact_location(uri, experiment)
            made = client.create_experiment(experiment, artifact_location=location)
            return Store(client, uri, made, spool)
    except MlflowException as error:
        found = client.get_experiment_by_name(experiment)
        if found is None:  # else another process has just made it
            raise TrackingError(f"{shown(uri)}: {error}") from error
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"{shown(uri)}: the experiment {experiment} was deleted; bring it back with "
            f"`mlflow experiments restore -x {found.experiment_id}` or take another name"
        )
    return Store(client, uri, found.experiment_id, spool)


def _in_thread(answer: "Future[Answer]", request: Callable[[], Answer]) -> None:
    """Has another thread make a request, unless its answer is cancelled first."""

    def work() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(request())
        except Exception as error:  # noqa: BLE001 (whoever waits for the answer gets it)
            answer.set_exception(error)

    threading.Thread(target=work, name="opening", daemon=True).start()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return "unknown"
