"""Fitted mixtures kept in the user's cache folder, so that no run fits the same one again.

What is kept is found again by all that it depends on: data, settings, seed, the very code, and what
computes. What is damaged, or of other code, is fitted anew. `SMASH_REUSE=0` keeps and takes none.
Those taken least lately make room for new ones.
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import torch
from filelock import FileLock

import smash
from smash.baselines import Mixture, MixtureEpoch
from smash.data.events import EventSequences
from smash.errors import SmashError
from smash.files import make_folder, replacing_folder, write_json

FIT, MIXTURE = "fit.json", "mixture"
MOST = 64
"""Fits kept at a time, some hundred kB each."""


@dataclass(frozen=True)
class Fit:
    """A fitted mixture and what its epochs gave."""

    mixture: Mixture
    epochs: tuple[MixtureEpoch, ...]


def reused() -> bool:
    """Returns whether fits are kept and taken."""
    return os.environ.get("SMASH_REUSE", "1") != "0"


def place_of(sequences: tuple[EventSequences, ...], settings: Mapping[str, Any]) -> Path:
    """Returns the folder of the fit to sequences under settings (JSON), made or not."""
    digest = hashlib.sha256()
    told = {**settings, "code": _code(), "computed by": _computer()}
    digest.update(json.dumps(told, sort_keys=True).encode())
    for one in sequences:
        for part in fields(one):
            value = getattr(one, part.name)
            if isinstance(value, np.ndarray):
                digest.update(f"{part.name} {value.dtype} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).tobytes())
    root = os.environ.get("SMASH_CACHE") or pooch.os_cache("smash-workbench")
    return Path(root) / "fits" / digest.hexdigest()[:40]


def taken(place: Path, device: str) -> Fit | None:
    """Returns the fit kept at `place`, None where there is none or it is not as it was written."""
    try:
        told = json.loads((place / FIT).read_text(encoding="utf-8"))
        if told["sha256"] != _digests(place / MIXTURE):
            return None
        epochs = tuple(MixtureEpoch(**epoch) for epoch in told["epochs"])
        fit = Fit(Mixture.load(place / MIXTURE, device), epochs)
    except (SmashError, OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):  # of a cache that may only be read
        os.utime(place / FIT)
    return fit


def keep(place: Path, fit: Fit) -> None:
    """Keeps a fit at `place`, whole or not at all; where that cannot be, nothing is kept.

    Of several who keep the same fit at once one does.
    """
    with suppress(SmashError, OSError):
        make_folder(place.parent)
        one_at_a_time = FileLock(place.parent.with_suffix(".lock"))
        with one_at_a_time:
            with replacing_folder(place, (FIT, MIXTURE)) as beside:
                fit.mixture.save(beside / MIXTURE)
                epochs = [asdict(epoch) for epoch in fit.epochs]
                write_json(beside / FIT, {"sha256": _digests(beside / MIXTURE), "epochs": epochs})
            _make_room(place.parent)


def _make_room(folder: Path) -> None:
    """Removes the fits taken or kept least lately, all but the last `MOST`."""
    used = sorted(folder.glob(f"*/{FIT}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in used[MOST:]:
        shutil.rmtree(path.parent)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@cache
def _code() -> str:
    """Returns the version, and a digest of the package's code: development changes it, too."""
    root, digest = Path(smash.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return f"{smash.__version__} {digest.hexdigest()}"


def _computer() -> list[str]:
    """Returns what else the last digits depend on."""
    return [
        str(torch.__version__),
        platform.machine(),
        torch.backends.cpu.get_cpu_capability(),
        str(torch.get_num_threads()),
    ]
