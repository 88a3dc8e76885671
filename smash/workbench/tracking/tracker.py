"""Runs in MLflow: written without waiting for the server, which may go away meanwhile.

Everything a run logs passes through one `BackgroundWriter`, so training never waits. NaN comes
back from MLflow as NaN; infinity comes back as the largest float, 1.797e308.
"""

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from smash.data.dataset import Dataset
from smash.errors import OutputError, TrackingError
from smash.workbench.tracking.delivery import Logged, is_final, left_by, send, staged
from smash.workbench.tracking.operations import (
    Artifact,
    DatasetInput,
    Metrics,
    Model,
    Params,
    Status,
    Tags,
    Write,
    save_writes,
)
from smash.workbench.tracking.queue import BackgroundWriter
from smash.workbench.tracking.system_metrics import SystemMetrics

if TYPE_CHECKING:  # a second that a run without figures need not wait
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

DEADLINE = 120.0
"""Seconds that the end of a run, or the start of another, waits for a server that is away."""
HASTE = 15.0
"""Seconds that the end of an interrupted run waits: a scheduler kills what is slow to leave."""
DONE = "done/"
"""Begins the tags of stages that a run has finished and sent all of; a resumed run skips them."""
OF_MODEL = ("best/", "validation/", "test/", "test_recalibrated/", "futures/")
"""Begin the names of metrics that are also the model's, where the run has one."""
MODEL = "model"
"""The folder of a packed model, which was among a run's artifacts in earlier versions."""
MAX_PARAM, MAX_TAG, MAX_DIGEST = 6000, 8000, 36
Item = TypeVar("Item")


class Tracker:
    """One run being written. As a context manager it ends the run as it ended.

    No method waits for the server. Files are copied before a method returns, so the caller may
    change or delete them.
    """

    def __init__(
        self,
        client: MlflowClient,
        destination: str,
        spool: Path,
        run: Run,
        system_metrics: bool = True,
        resumed: bool = False,
    ) -> None:
        """Takes the server's client and name, and the folder for what waits to be sent."""
        self.run_id: str = run.info.run_id
        self.done = {t.removeprefix(DONE) for t in run.data.tags if t.startswith(DONE)}
        self._known_params = dict(run.data.params)
        self._destination = destination
        self._spool = spool / self.run_id
        logged = Logged(client, run)
        self._writer = BackgroundWriter(
            lambda write: send(client, logged.left_of(write)), is_final, self._destination
        )
        left = left_by(self._spool) if resumed else []
        for write in left:
            self._writer.put(write)
        made = run.outputs is not None and bool(run.outputs.model_outputs)
        self._has_model = made or any(isinstance(write, Model) for write in left)
        self._dataset: tuple[str, str] | None = None
        started = run.info.start_time / 1000
        self._system = SystemMetrics(self.log_metrics, started) if system_metrics else None

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        return self._writer.requests

    @property
    def seconds(self) -> float:
        """Seconds the worker thread has spent sending so far."""
        return self._writer.seconds

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Logs parameters; the changed ones of a resumed run become tags `changed/<key>`."""
        values = cut_values(params, MAX_PARAM)
        new = {key: value for key, value in values.items() if key not in self._known_params}
        changed = {
            f"changed/{key}": value
            for key, value in values.items()
            if self._known_params.get(key, value) != value
        }
        self._known_params |= new
        for chunk in _chunks(new.items(), Params.most):
            self._writer.put(Params(self.run_id, chunk))
        self.set_tags(changed)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Sets tags; values too long for MLflow are cut."""
        for chunk in _chunks(cut_values(tags, MAX_TAG).items(), Tags.most):
            self._writer.put(Tags(self.run_id, chunk))

    def mark_done(self, stage: str) -> None:
        """Says that a stage is finished, once all that it logged has been sent."""
        self.done.add(stage)
        self.set_tags({DONE + stage: "true"})

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Logs metrics at a step; they are sent together with those of the next few seconds."""
        now = _milliseconds()
        rows = [(_name(key), float(value), now, step) for key, value in values.items()]
        for of in dict.fromkeys((None, self._dataset)):
            some = (row for row in rows if self._owner(row[0]) == of)
            for chunk in _chunks(some, Metrics.most):
                self._writer.put(Metrics(self.run_id, chunk, of))

    def _owner(self, metric: str) -> tuple[str, str] | None:
        """Returns the data set on which a metric is the model's, None where it is the run's."""
        return self._dataset if self._has_model and metric.startswith(OF_MODEL) else None

    def log_artifact(self, path: Path | str, folder: str | None = None) -> None:
        """Logs a copy of a file or folder, below the run's artifact folder `folder`.

        Raises:
            TrackingError: when there is nothing at `path`.
        """
        self._put_artifact(self._copied(Path(path)), folder)

    def log_model(
        self, packed: Path | None, name: str, kind: str, params: Mapping[str, Any]
    ) -> None:
        """Logs a copy of the run's model; what it scores from now on is the model's, too.

        Args:
            packed: folder of the model as MLflow packs it; None for a model that is not kept.
            name: what it is called among the models of the experiment.
            kind: what models are sorted by, such as "baseline".
            params: what tells it from other models.

        Raises:
            TrackingError: when there is nothing at `packed`.
        """
        path = None if packed is None else str(self._copied(packed))
        given = tuple(cut_values(params, MAX_PARAM).items())
        self._writer.put(Model(self.run_id, _model_name(name), kind, given, path))
        self._has_model = True

    def log_model_file(self, path: Path, folder: str) -> None:
        """Logs a copy of a file, below the folder `folder` of the run's model.

        A run of before models were logged by themselves has its own among its artifacts.

        Raises:
            TrackingError: when there is nothing at `path`.
        """
        place = folder if self._has_model else f"{MODEL}/{folder}"
        self._put_artifact(self._copied(path), place, of_model=self._has_model)

    def _copied(self, path: Path) -> Path:
        """Returns a copy of a file or folder that nobody else touches."""
        copied = staged(path, self._spool)
        try:
            if path.is_dir():
                shutil.copytree(path, copied)
            else:
                shutil.copy2(path, copied)
        except OSError as error:
            raise TrackingError(f"{path}: cannot be copied to be logged ({error})") from error
        return copied

    def log_text(self, text: str, name: str) -> None:
        """Logs text as the artifact `name`, such as `environment.txt` or `folder/notes.md`."""
        self._make_artifact(name, lambda path: path.write_text(text, encoding="utf-8"))

    def log_figure(self, figure: "Figure", name: str) -> None:
        """Logs a figure as the artifact `name`, whose ending says the format."""
        self._make_artifact(name, lambda path: figure.savefig(path, bbox_inches="tight"))

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Logs a table as the Parquet artifact `name`."""
        self._make_artifact(name, lambda path: table.to_parquet(path, index=False))

    def log_dataset(self, dataset: Dataset) -> None:
        """Logs the data set as the run's input, with sizes of the splits and our own digest.

        MLflow's digests cover the first rows only and its field holds 36 characters, so that
        field has the first 36 of ours and the whole stands in the profile and in a tag.
        """
        splits = {
            split: {"sequences": len(sequences), "events": sequences.n_events}
            for split, sequences in dataset.splits()
        }
        columns = ["time", *dataset.location_names]
        profile = {**splits, "marks": dataset.n_marks, "sha256": dataset.digest}
        self._dataset = dataset.name, dataset.digest[:MAX_DIGEST]
        self._writer.put(
            DatasetInput(
                self.run_id,
                name=dataset.name,
                digest=dataset.digest[:MAX_DIGEST],
                source_type="smash",
                source=json.dumps({"source": dataset.source or dataset.name}),
                schema=json.dumps({"columns": columns + ["mark"] * dataset.marked}),
                profile=json.dumps(profile),
                tags=(("mlflow.data.context", "train, validation, test"),),
            )
        )
        sizes = {f"data/{split}_{k}": n for split, size in splits.items() for k, n in size.items()}
        self.set_tags({"data/sha256": dataset.digest, **sizes})

    def drain(self, deadline: float = DEADLINE) -> bool:
        """Returns True once all that was logged has been sent, False after `deadline` seconds."""
        return self._writer.drain(deadline)

    def close(self, status: str = "FINISHED", deadline: float = DEADLINE) -> None:
        """Ends the run, once all that was logged has been sent; Ctrl-C ends the waiting.

        Raises:
            TrackingError: when something could not be sent within `deadline` seconds, naming the
                folder it was kept in and how to send it later.
            KeyboardInterrupt: after the end, when it came meanwhile.
        """
        interrupted, end = False, Status(self.run_id, status, _milliseconds())
        try:
            if self._system is not None:
                self._system.stop()
            self._writer.put(end)
        except KeyboardInterrupt:
            interrupted = True
            self._writer.put(end)  # twice does no harm
        unsent = self._writer.close(deadline)
        interrupted = interrupted or self._writer.interrupted
        kept = self._keep(unsent)
        if interrupted:
            if kept:
                logger.error("%s", kept)
            raise KeyboardInterrupt
        if kept:
            raise TrackingError(kept)

    def _keep(self, unsent: list[Write]) -> str:
        """Returns where what could not be sent is kept, empty where all was sent."""
        if not unsent:
            shutil.rmtree(self._spool, ignore_errors=True)
            return ""
        what = f"{self._destination}: {len(unsent)} writes of run {self.run_id} could not be sent"
        try:
            save_writes(unsent, self._spool / "writes.jsonl")
        except OSError as error:
            return f"{what}, nor kept in {self._spool} ({error}); --resume {self.run_id} mends it"
        return (
            f"{what}; they are kept in {self._spool}. Once the server is back, send them with "
            f"`smash resend {self._spool}`"
        )

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close("FINISHED")
            return
        status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        hasty = isinstance(error, KeyboardInterrupt | OSError | OutputError)
        try:
            self.close(status, HASTE if hasty else DEADLINE)
        except TrackingError as unsent:  # what ended the run matters more
            logger.error("%s", unsent)
        except KeyboardInterrupt:
            if not isinstance(error, KeyboardInterrupt):
                raise

    def _make_artifact(self, name: str, write: Callable[[Path], Any]) -> None:
        folder, _, file_name = name.rpartition("/")
        path = staged(Path(file_name), self._spool)
        write(path)
        self._put_artifact(path, folder or None)

    def _put_artifact(self, path: Path, folder: str | None, of_model: bool = False) -> None:
        self._writer.put(Artifact(self.run_id, str(path), folder, of_model))


def cut_values(values: Mapping[str, Any], limit: int) -> dict[str, str]:
    """Returns the values as texts of at most `limit` characters, under names that MLflow takes."""
    texts = {_name(key): str(value) for key, value in values.items()}
    return {key: t if len(t) <= limit else t[: limit - 1] + "…" for key, t in texts.items()}


def _name(key: str) -> str:
    """Returns the key with what MLflow refuses in names (marks may be called anything) as `_`."""
    return re.sub(r"[^\w/.\- :]", "_", key)


def _model_name(name: str) -> str:
    """Returns the name with what MLflow refuses in names of models as `-`."""
    return re.sub(r"[/:.%\"']", "-", name)


def _chunks(items: Iterable[Item], size: int) -> Iterable[tuple[Item, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, size)):
        yield chunk


def _milliseconds() -> int:
    return int(time.time() * 1000)
