"""Writing so that a crash or a power cut leaves the old or the new, never half of either.

What is replaced is known: a regular file, or a folder of nothing but files such a folder is made
of. Whatever else stands in the way is refused and stays.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from smash.errors import OutputError, reason

TEMPORARY = ".*.tmp"
"""What folders are called in which something is being written, or was when its process died."""
_NO_SYNC = (errno.EINVAL, errno.EACCES, errno.EPERM, errno.ENOTSUP)
"""What systems answer that cannot flush a folder."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write a file to; on success that file takes the place of `path`.

    Links are followed.

    Raises:
        OutputError: when it cannot be written, or `path` is a folder or a device. What was there
            is then as it was.
    """
    target = Path(os.path.realpath(path))
    refuse_other_than_file(path)
    with _saying(path), _scratch(target) as beside:
        yield beside
        _sync(beside)
        beside.replace(target)
        _sync(target.parent)


@contextmanager
def replacing_folder(path: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Yields an empty folder to fill; on success it takes the place of `path`.

    A folder that is there gives way only if it is one of these: it has the first of `parts`, the
    names of what such a folder holds, and nothing but them. It stays until the new one is whole.

    Raises:
        OutputError: when it cannot be written, or something else is there. What was there is then
            as it was.
    """
    target = Path(os.path.realpath(path))
    with _saying(path):
        _refuse_other_folder(path, target, parts)
        with _scratch(target) as beside:
            beside.mkdir()
            yield beside
            _sync_tree(beside)
            _refuse_other_folder(path, target, parts)
            _exchange(beside, target)
            _sync(target.parent)


def write_text(path: Path, text: str) -> None:
    """Writes text, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Writes `content` as indented JSON, whole or not at all."""
    write_text(path, as_json(content))


def as_json(content: Any) -> str:
    """Returns indented JSON, as a file's text."""
    return json.dumps(content, indent=2) + "\n"


def make_folder(folder: Path) -> Path:
    """Returns `folder`, made with those above it where they are missing."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        _sync(each.parent)
    return folder


def refuse_other_than_file(path: Path) -> None:
    """Raises OutputError where something other than a file stands at `path`."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is no regular file but a device, pipe or socket; name a file")


def _refuse_other_folder(path: Path, target: Path, parts: Sequence[str]) -> None:
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise OutputError(f"{path}: is a file; name a folder")
    entries = sorted(e for e in os.listdir(target) if not fnmatch(e, TEMPORARY))
    foreign = [entry for entry in entries if entry not in parts]
    if entries and parts[0] not in entries:
        foreign = entries
    if foreign:
        raise OutputError(
            f"{path}: holds {foreign[0]}, which is no part of what is written there and would be "
            "lost; name another folder, or move it away"
        )


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """Yields a path called as `target` in a new folder beside it, which is removed at the end."""
    parent = make_folder(target.parent)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name[:50]}.", suffix=".tmp", dir=parent))
    try:
        yield folder / target.name
    finally:
        _put_back(folder, target)
        shutil.rmtree(folder, ignore_errors=True)


def _exchange(beside: Path, target: Path) -> None:
    """Puts a folder in the place of `target`, which is moved to where `_put_back` finds it."""
    if target.exists():
        target.rename(beside.with_name("old"))
    beside.rename(target)


def _put_back(scratch: Path, target: Path) -> None:
    """Restores the folder that had to give way to one that did not arrive."""
    if (scratch / "old").exists() and not target.exists():
        (scratch / "old").rename(target)


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Turns what the system says of a write into one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({reason(error)}); what was there is as it was"
        ) from error


def _sync_tree(folder: Path) -> None:
    for each in folder.rglob("*"):
        _sync(each)
    _sync(folder)


def _sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk and survive a power cut."""
    folder = path.is_dir()
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if not folder or error.errno not in _NO_SYNC:
            raise
