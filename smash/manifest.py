"""A folder's manifest: which files belong to a kept model, by hash, and which data it is of.

A folder without one is taken as it is. With one, nothing is read before every file has proved to
be the one that was kept: weights that were exchanged load as well as the right ones.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from smash.errors import CheckpointError
from smash.files import write_json
from smash.untrusted_files import read_json, regular_size

MANIFEST = "manifest.json"
RECALIBRATION = "recalibration.json"
"""What a saved model may have beside weights and description."""
CARD = "README.md"
"""What a person is told of a kept model; no part of it, and in no manifest."""
POOL = "pool.json"
"""By which a folder is known that a pool was saved in (`smash.baselines.kept_pools`)."""
FORMAT = 1


def write_manifest(folder: Path, data_name: str, data_digest: str) -> None:
    """Writes the manifest of all other files of a folder, whole or not at all."""
    files = {path.name: file_digest(path) for path in _files(folder)}
    about = {"format": FORMAT, "data": {"name": data_name, "digest": data_digest}, "files": files}
    write_json(folder / MANIFEST, about)


def check_manifest(folder: Path) -> str:
    """Returns the digest of the data that a kept model is of; empty where there is no manifest.

    Raises:
        CheckpointError: when a file is missing, changed or not in the manifest, or the manifest
            is damaged.
    """
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return ""
    try:
        expected, digest = _checked(read_json(path))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, or of another format ({error})") from error
    for name in expected:
        _check_inside(folder, name)
    found = {file.name: file_digest(file) for file in _files(folder)}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise CheckpointError(f"{folder / name}: no such file, but {MANIFEST} names it")
        if found[name] != expected.get(name):
            raise CheckpointError(
                f"{folder / name}: not the file that was kept (its SHA-256 is {found[name][:12]}…, "
                f"{MANIFEST} says {expected.get(name, 'nothing')[:12]}); get the folder again"
            )
    return digest


def _check_inside(folder: Path, name: str) -> None:
    """Checks that a name leads to a file of the folder itself."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise CheckpointError(f"{folder / MANIFEST}: {name[:80]!r} is no file of its folder")
    file = folder / name
    if file.is_symlink() and folder.resolve() not in file.resolve().parents:
        raise CheckpointError(f"{file}: leads out of the folder; get the folder again")
    if os.path.lexists(file):
        regular_size(file, CheckpointError)


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Returns the files of a folder but for the manifest, the card and hidden ones."""
    kept = (path for path in folder.iterdir() if path.is_file())  # no pipe or device is one
    return sorted(
        path for path in kept if path.name not in (MANIFEST, CARD) and path.name[0] != "."
    )


def _checked(about: Any) -> tuple[dict[str, str], str]:
    """Returns files by hash and the data's digest; raises where one is missing or no text."""
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']}, not {FORMAT}")
    files, digest = about["files"], about["data"]["digest"]
    if not isinstance(files, dict) or not all(
        isinstance(v, str) for v in (digest, *files.values())
    ):
        raise ValueError("a hash is no text")
    return files, digest
