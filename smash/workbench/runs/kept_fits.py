"""Fitted mixtures kept in the user's cache folder, so that no run fits the same one again.

What is kept is found again by all that it depends on (`smash.workbench.runs.cache_keys`). What is
damaged, or of other code, is fitted anew. Those taken least lately make room for new ones.
"""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from smash.baselines import Mixture, MixtureEpoch
from smash.errors import SmashError
from smash.files import make_folder, replacing_folder, write_json

KIND, FIT, MIXTURE = "fits", "fit.json", "mixture"
MOST = 64
"""Fits kept at a time, some hundred kB each."""


@dataclass(frozen=True)
class Fit:
    """A fitted mixture and what its epochs gave."""

    mixture: Mixture
    epochs: tuple[MixtureEpoch, ...]


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
