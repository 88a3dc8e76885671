"""Training checkpoints: model, optimiser and generators of an epoch, one folder each."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from smash.errors import CheckpointError
from smash.files import replacing_folder, write_json
from smash.model import PARTS, Smash

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
    """Writes a checkpoint, whole or not at all, and returns its folder."""
    folder = checkpoint_folder(root, epoch)
    with replacing_folder(folder, (*PARTS, STATE, PROGRESS)) as beside:
        model.write(beside)
        tensors = io.BytesIO()  # a full disk is then an OSError, which PyTorch makes something else
        torch.save(state, tensors)
        (beside / STATE).write_bytes(tensors.getbuffer())
        write_json(beside / PROGRESS, progress)
    return folder


def load_checkpoint(folder: Path) -> Checkpoint:
    """Returns the checkpoint in `folder`.

    Raises:
        CheckpointError: when it is damaged.
    """
    try:
        state = torch.load(folder / STATE, weights_only=True)
        progress = json.loads((folder / PROGRESS).read_text())
    except Exception as error:
        raise CheckpointError(
            f"{folder}: damaged checkpoint ({error}); remove the folder to resume from the "
            "one before it"
        ) from error
    return Checkpoint(folder, state, progress)


def latest_checkpoint(root: Path) -> Path | None:
    """Returns the folder of the last finished epoch under `root`, None where there is none."""
    folders = sorted(root.glob("epoch-*"))
    return folders[-1] if folders else None
