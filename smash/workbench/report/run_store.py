"""Runs as MLflow holds them, read with one search and artifacts on demand."""

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException

from smash.data.events import Targets
from smash.errors import DataError, TrackingError
from smash.law.samples import Samples
from smash.workbench.report.logged_run import Run
from smash.workbench.runs.samples_file import read_samples
from smash.workbench.specs.renamed_keys import params_under_present_names
from smash.workbench.tracking.server import existing, open_client, shown, tracking_uri

EVENTS, SAMPLES = "scores/events.parquet", "samples/samples.parquet"
PAGE = 1000


@dataclass(frozen=True)
class Selection:
    """The runs a report is about, all they brought along, and what had to be left out.

    `asked` are the ids of top-level runs; `notes` are lines for the reader.
    """

    runs: tuple[Run, ...]
    asked: tuple[str, ...]
    title: str
    notes: tuple[str, ...] = ()

    @property
    def only(self) -> Run | None:
        """The single top-level run, None where there are several."""
        return (
            next(run for run in self.runs if run.run_id in self.asked)
            if len(self.asked) == 1
            else None
        )


@dataclass
class Store:
    """A tracking server; keeps downloaded artifacts in `folder` while a report is made."""

    client: MlflowClient
    uri: str
    folder: Path
    _missing: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def shown_uri(self) -> str:
        """The server's address without a password."""
        return shown(self.uri)

    def select(self, experiments: Sequence[str], run_ids: Sequence[str]) -> Selection:
        """Returns the named experiments' runs and the named runs with those below them.

        Raises:
            TrackingError: when nothing of what was named exists or holds a run.
        """
        notes: list[str] = []
        names = self._experiments(experiments, notes)
        wanted = self._runs_by_id(run_ids, notes)
        # One search for all: below a run named by its id there may be seeds and baselines.
        places = names | {run.info.experiment_id: "" for run in wanted}
        everything = [self._run(found) for found in self._search(list(places))] if places else []
        roots = {run.info.run_id for run in wanted}
        kept = [run for run in everything if run.experiment_id in names or run.run_id in roots]
        kept = _with_descendants(kept, everything)
        for experiment_id, name in names.items():
            if not any(run.experiment_id == experiment_id for run in kept):
                notes.append(f"The experiment {name} has no runs.")
        if not kept:
            raise TrackingError(f"{self.shown_uri}: nothing to report. {' '.join(notes)}")
        ids = {run.run_id for run in kept}
        asked = tuple(run.run_id for run in kept if run.run_id in roots or run.parent not in ids)
        title = ", ".join([*names.values(), *(run.name for run in kept if run.run_id in roots)])
        return Selection(tuple(kept), asked, title, tuple(notes))

    def artifact(self, run: Run, path: str) -> Path | None:
        """Returns where an artifact lies on this machine, None where the run has none."""
        if (run.run_id, path) in self._missing:
            return None
        place = self.folder / run.run_id
        if (place / path).exists():
            return place / path
        place.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self.client.download_artifacts(run.run_id, path, str(place)))
        except (MlflowException, OSError) as error:
            self._missing[run.run_id, path] = str(error)
            return None

    def table(self, run: Run, path: str) -> pd.DataFrame | None:
        """Returns a Parquet or CSV artifact, None where it is missing or cannot be read."""
        found = self.artifact(run, path)
        if found is None:
            return None
        try:
            return pd.read_csv(found) if path.endswith(".csv") else pd.read_parquet(found)
        except (OSError, ValueError, pa.ArrowException):
            return None

    def json(self, run: Run, path: str) -> Any:
        """Returns what a JSON artifact holds, None where it is missing or cannot be read."""
        text = self.text(run, path)
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            return None

    def text(self, run: Run, path: str) -> str | None:
        """Returns a text artifact, None where it is missing."""
        found = self.artifact(run, path)
        return None if found is None else found.read_text(encoding="utf-8", errors="replace")

    def samples(self, run: Run) -> tuple[Targets, Samples] | None:
        """Returns targets and samples, None where there are none or they cannot be read."""
        found = self.artifact(run, SAMPLES)
        try:
            return None if found is None else read_samples(found)
        except DataError:
            return None

    def sample_metadata(self, run: Run) -> dict[str, str]:
        """Returns what the file of samples says of itself, nothing where there is none."""
        found = self.artifact(run, SAMPLES)
        try:
            metadata = found and parquet.read_schema(found).metadata
        except (OSError, pa.ArrowException):
            return {}
        return {k.decode(): v.decode() for k, v in (metadata or {}).items()}

    def steps(self, run_id: str, metric: str) -> pd.Series:
        """Returns a metric's values by step, none where the store does not know the run."""
        history = _or_none(lambda: self.client.get_metric_history(run_id, metric)) or ()
        return pd.Series({row.step: row.value for row in history}, dtype=np.float64).sort_index()

    def _experiments(self, names: Sequence[str], notes: list[str]) -> dict[str, str]:
        """Returns names by id of the experiments that exist, given by name or id."""
        found: dict[str, str] = {}
        for name in dict.fromkeys(names):
            experiment = self.client.get_experiment_by_name(name)
            if experiment is None and re.fullmatch(r"\d+", name):
                experiment = _or_none(lambda name=name: self.client.get_experiment(name))
            if experiment is None:
                notes.append(f"There is no experiment {name}; it is left out.")
            else:
                found[experiment.experiment_id] = experiment.name
        return found

    def _runs_by_id(self, run_ids: Sequence[str], notes: list[str]) -> list[StoredRun]:
        found = []
        for run_id in dict.fromkeys(run_ids):
            run = _or_none(lambda run_id=run_id: self.client.get_run(run_id))
            if run is None:
                notes.append(f"There is no run {run_id}; it is left out.")
            elif run.info.lifecycle_stage != "active":
                notes.append(f"The run {run_id} was deleted; it is left out.")
            else:
                found.append(run)
        return found

    def _search(self, experiment_ids: list[str]) -> Iterator[StoredRun]:
        token = None
        while True:
            page = self.client.search_runs(
                experiment_ids,
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _run(self, found: StoredRun) -> Run:
        return Run(
            run_id=found.info.run_id,
            name=found.info.run_name or found.info.run_id,
            experiment=found.data.params.get("name", ""),
            experiment_id=found.info.experiment_id,
            status=found.info.status,
            started=found.info.start_time,
            ended=found.info.end_time,
            params=params_under_present_names(found.data.params),
            metrics=found.data.metrics,
            tags=found.data.tags,
        )


@contextmanager
def open_store(uri: str | None = None) -> Iterator[Store]:
    """Yields the store at `uri`, by default the one runs go to.

    Raises:
        TrackingError: when the server cannot be reached, or its file is not there.
    """
    uri = uri or tracking_uri()
    client = open_client(existing(uri))
    with tempfile.TemporaryDirectory() as folder:
        yield Store(client, uri, Path(folder))


def _with_descendants(roots: Sequence[Run], everything: Sequence[Run]) -> list[Run]:
    """Returns the roots and all runs below them, in the order of `everything`."""
    ids = {run.run_id for run in roots}
    while more := {r.run_id for r in everything if r.parent in ids and r.run_id not in ids}:
        ids |= more
    return [run for run in everything if run.run_id in ids]


def _or_none(question: Any) -> Any:
    try:
        return question()
    except MlflowException:
        return None
