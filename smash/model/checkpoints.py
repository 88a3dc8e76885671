"""Training checkpoints: model, optimiser and generators of an epoch, one folder each."""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from smash.errors import CheckpointError
from smash.files import as_json, replacing_folder
from smash.model.smash import PARTS, Smash
from smash.model.torch_files import load_tensors
from smash.untrusted_files import read_json

STATE, PROGRESS = "training.pt", "progress.json"


@dataclass(frozen=True)
class Checkpoint:
    """A saved epoch: `folder` holds the model, `state` tensors and `progress` plain numbers."""

    folder: Path
    state: dict[str, Any]
    progress: dict[str, Any]


def checkpoint_folder(root: Path, epoch: int) -> Path:
    """Returns where the checkpoint after `epoch` epochs is kept."""
    return root / f"epoch-{epoch:05d}"


def save_checkpoint(
    root: Path, epoch: int, model: Smash, state: dict[str, Any], progress: dict[str, Any]
) -> Path:
    """Writes a checkpoint, whole or not at all, and returns its folder.

    Raises:
        OutputError: when it cannot be written; the one before it is kept.
    """
    folder = checkpoint_folder(root, epoch)
    with replacing_folder(folder, (*PARTS, STATE, PROGRESS)) as beside:
        model.write(beside)
        tensors = io.BytesIO()  # a full disk is then an OSError, which PyTorch makes something else
        torch.save(state, tensors)
        (beside / STATE).write_bytes(tensors.getbuffer())
        (beside / PROGRESS).write_text(as_json(progress))
    return folder


def load_checkpoint(folder: Path) -> Checkpoint:
    """Returns the checkpoint in `folder`.

    Raises:
        CheckpointError: when it is damaged.
    """
    advice = "remove the folder to resume from the one before it"
    try:
        state = load_tensors(folder / STATE)
        # A best loss is infinite before there is one.
        progress = read_json(folder / PROGRESS, finite=False)
    except CheckpointError as error:
        raise CheckpointError(f"{folder}: damaged checkpoint ({error}); {advice}") from error
    if not isinstance(state, dict) or not isinstance(progress, dict):
        raise CheckpointError(f"{folder}: damaged checkpoint (no mapping); {advice}")
    return Checkpoint(folder, state, progress)


def check_optimizer(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """Checks that an optimiser's state is one of this optimiser, whose own check is not of shapes.

    Raises:
        KeyError, TypeError, ValueError: where it is not.
    """
    own = optimizer.state_dict()["param_groups"]
    for group, expected in zip(state["param_groups"], own, strict=True):
        if group.keys() != expected.keys() or group["params"] != expected["params"]:
            raise ValueError("an optimiser of other settings")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, moments in state["state"].items():
        for name in ("exp_avg", "exp_avg_sq"):
            if moments[name].shape != parameters[number].shape:
                raise ValueError(f"{name} of another shape")
            if not torch.isfinite(moments[name]).all():
                raise ValueError(f"{name} holds numbers that are none")
        if moments["step"].numel() != 1 or not torch.isfinite(moments["step"]).all():
            raise ValueError("steps that are no number")


def saved_epochs(root: Path) -> dict[int, Path]:
    """Returns the checkpoints under `root` by epoch, in order, and nothing else that is there."""
    named = ((re.fullmatch(r"epoch-(\d{5,})", path.name), path) for path in root.glob("epoch-*"))
    return dict(sorted((int(match[1]), path) for match, path in named if match))


def latest_checkpoint(root: Path) -> Path | None:
    """Returns the folder of the last finished epoch under `root`, None where there is none."""
    return next(reversed(saved_epochs(root).values()), None)
