"""What is written to a run, as values: queued, merged, kept on disk when it cannot be sent."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, get_args

from smash.files import write_text


@dataclass(frozen=True)
class _Entries:
    """Entries that MLflow takes up to `most` of in one request."""

    run_id: str
    values: tuple[tuple[Any, ...], ...]
    most: ClassVar[int] = 100


@dataclass(frozen=True)
class Metrics(_Entries):
    """Values of a run: (key, value, time in ms, step) each.

    With `dataset`, its name and digest, they are also those of the run's model on that data.
    """

    dataset: tuple[str, str] | None = None
    most: ClassVar[int] = 1000


@dataclass(frozen=True)
class Params(_Entries):
    """Parameters of a run, (key, value) each; a parameter is set once."""


@dataclass(frozen=True)
class Tags(_Entries):
    """Tags of a run, (key, value) each; a later one replaces an earlier one."""


@dataclass(frozen=True)
class Artifact:
    """A file or folder at `path`, a copy nobody else touches, for the run's folder `folder`.

    With `of_model` the folder is one of the run's model.
    """

    run_id: str
    path: str
    folder: str | None
    of_model: bool = False


@dataclass(frozen=True)
class Model:
    """A model that the run trained, of MLflow's `model_type`, with parameters (key, value) each.

    `path`: the folder, packed as MLflow's models are, a copy nobody else touches; None for a model
    that is not kept.
    """

    run_id: str
    name: str
    model_type: str
    params: tuple[tuple[str, str], ...]
    path: str | None


@dataclass(frozen=True)
class DatasetInput:
    """The data a run used, in the fields of MLflow's dataset entity; `tags` say what for."""

    run_id: str
    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Status:
    """The end of a run: FINISHED, FAILED or KILLED, at a time in ms."""

    run_id: str
    status: str
    end_time: int


Write = Metrics | Params | Tags | Artifact | Model | DatasetInput | Status
_KINDS = {kind.__name__: kind for kind in get_args(Write)}


def merge(first: Write, second: Write) -> Write | None:
    """Returns one write that does what both do, in one request; None where there is none."""
    if not isinstance(first, _Entries) or not isinstance(second, _Entries):
        return None
    if replace(first, values=()) != replace(second, values=()):
        return None
    values = (*first.values, *second.values)
    return replace(first, values=values) if len(values) <= first.most else None


def split(write: Write) -> list[Write]:
    """Returns writes of one value each that together do what `write` does."""
    if isinstance(write, _Entries):
        return [replace(write, values=(value,)) for value in write.values]
    return [write]


def save_writes(writes: list[Write], path: Path) -> None:
    """Writes one JSON object a line to `path`, in order, all or none."""
    lines = [json.dumps({"kind": type(write).__name__, **asdict(write)}) for write in writes]
    write_text(path, "".join(line + "\n" for line in lines))


def read_writes(path: Path) -> list[Write]:
    """Returns the writes that `save_writes` put into `path`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_from_fields(json.loads(line)) for line in lines]


def _from_fields(fields: dict[str, Any]) -> Write:
    kind: Any = _KINDS[fields.pop("kind")]
    for name in fields.keys() & {"values", "tags", "params"}:
        fields[name] = tuple(tuple(entry) for entry in fields[name])
    if fields.get("dataset"):
        fields["dataset"] = tuple(fields["dataset"])
    return kind(**fields)
