"""Trained models, kept by what they were trained with, so that no training is done twice.

A training's folder is `<digest>/` with `model/` and `training.json` once it is finished, and
`checkpoints/` before, from which the next one who needs it goes on. Any of it may be deleted.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock

import smash
from smash.data.dataset import Dataset
from smash.errors import CheckpointError
from smash.files import write_json
from smash.model.smash import Smash
from smash.model.training import EpochRecord, Hooks, Trainer
from smash.workbench.runs.stages import Run
from smash.workbench.specs.experiment_spec import ExperimentSpec, spec_to_mapping

RELEVANT = (
    "data",
    "protocol",
    "scaling",
    "model",
    "objective",
    "training",
    "seed",
    "device",
    "threads",
    "deterministic",
)
"""Keys of a spec that a training depends on; sampling and scores are not among them."""

OnRecord = Callable[[EpochRecord, bool], None]


@dataclass(frozen=True)
class Training:
    """A trained model and what it cost: `epochs` run now, of the `records` of its training."""

    model: Smash
    records: tuple[EpochRecord, ...]
    best_loss: float
    epochs: int


def training_digest(spec: ExperimentSpec, dataset: Dataset) -> str:
    """Returns the SHA-256 of all that the weights depend on: spec, events and code."""
    mapping = spec_to_mapping(spec)
    depends = {key: mapping[key] for key in RELEVANT}
    depends |= {"events": dataset.digest, "code": _code_digest(), "torch": torch.__version__}
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def trained(run: Run, root: Path, on_record: OnRecord) -> Training:
    """Returns the model that the run's spec asks for, trained unless it is in `root`.

    Processes that want the same one wait for each other. Each epoch is handed to `on_record` with
    True where it was run now, and what that raises ends the training; its checkpoints stay.

    Raises:
        TrainingError: when loss or gradient is not finite.
    """
    folder = root / training_digest(run.spec, run.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (kept := _kept(folder, run.device)) is None:
            return _train(run, folder, on_record)
    for record in kept.records:
        on_record(record, False)
    return kept


def _kept(folder: Path, device: str) -> Training | None:
    """Returns the finished training in a folder, None where there is none or it is damaged."""
    try:
        written = json.loads((folder / "training.json").read_text())
        records = tuple(EpochRecord(**record) for record in written["records"])
        model = Smash.load(folder / "model", device)
        return Training(model, records, written["best_loss"], epochs=0)
    except (OSError, ValueError, KeyError, TypeError, CheckpointError):
        return None


def _train(run: Run, folder: Path, on_record: OnRecord) -> Training:
    trainer = _resumed(run, folder / "checkpoints")
    before = len(trainer.result.records)
    for record in trainer.result.records:
        on_record(record, False)
    trainer.hooks = Hooks(on_epoch=lambda record, checkpoint: on_record(record, True))
    result = trainer.fit()
    model = Smash.load(result.folder, run.device)
    model.save(folder / "model")
    write_json(
        folder / "training.json",
        {"best_loss": result.best_loss, "records": [asdict(record) for record in result.records]},
    )
    shutil.rmtree(folder / "checkpoints")
    records = tuple(result.records)
    return Training(model, records, result.best_loss, len(records) - before)


def _resumed(run: Run, checkpoints: Path) -> Trainer:
    trainer = run.trainer(checkpoints)
    try:
        trainer.resume()
    except CheckpointError:
        shutil.rmtree(checkpoints)
        trainer = run.trainer(checkpoints)
    return trainer


@cache
def _code_digest() -> str:
    """Returns the SHA-256 of the library's source."""
    digest = hashlib.sha256()
    root = Path(smash.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()
