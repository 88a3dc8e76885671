"""What is named for output, checked before any work: nothing that people have is destroyed."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from smash.errors import OutputError
from smash.files import refuse_other_than_file

LONGEST = 100
PICTURES = (".png", ".pdf", ".svg")
"""Endings of pictures."""


def check_name(name: str, what: str) -> str:
    """Returns a name that becomes a file or folder, which is one path component.

    Raises:
        OutputError: `what` names where it was given.
    """
    if name in (".", "..") or len(name) > LONGEST or not re.fullmatch(r"[\w.-]+", name):
        raise OutputError(
            f"{what} {name!r}: a name is made of letters, digits, '.', '_' and '-', up to "
            f"{LONGEST}, as it becomes a folder's or a file's; take another"
        )
    return name


def check_files(outputs: Mapping[str, Path | None], inputs: Iterable[Path] = ()) -> None:
    """Checks the files to be written, by the options that name them; None: not asked for.

    Args:
        outputs: files by option, such as `--out`.
        inputs: files, or folders of files, that are read.

    Raises:
        OutputError: when one is a folder or a device, lies where nothing can be written, is read
            as well, or is named twice.
    """
    asked = {option: path for option, path in outputs.items() if path is not None}
    inputs = [path for path in inputs if path.exists()]
    for option, path in asked.items():
        try:
            refuse_other_than_file(path)
        except OutputError as error:
            raise OutputError(f"{option} {error}") from None
        _check_writable(option, path)
        for read in inputs:
            if is_same(path, read) or _is_within(path, read):
                raise OutputError(
                    f"{option} {path}: is read as well ({read}) and would be lost; name another "
                    "file"
                )
    _check_apart(asked)


def check_picture(option: str, path: Path) -> None:
    """Checks that a file to be drawn to has the ending of a picture.

    Raises:
        OutputError: naming the endings there are.
    """
    if path.suffix not in PICTURES:
        raise OutputError(f"{option} {path}: ends with none of {', '.join(PICTURES)}")


def check_folder(option: str, folder: Path) -> None:
    """Checks a folder that files are to be written to.

    Raises:
        OutputError: when it is a file, or lies where nothing can be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{option} {folder}: is a file; name a folder")
    _check_writable(option, folder / "any")


def _check_apart(asked: Mapping[str, Path]) -> None:
    named: dict[str, Path] = {}
    for option, path in asked.items():
        for other, known in named.items():
            if is_same(path, known):
                raise OutputError(f"{option} {path}: is {other}'s file too; name two")
        named[option] = path


def _check_writable(option: str, path: Path) -> None:
    """Refuses a path below a file, or in a folder where this user may not write."""
    place = Path(os.path.realpath(path))
    existing = next(each for each in place.parents if os.path.lexists(each))
    if not existing.is_dir():
        raise OutputError(f"{option} {path}: {existing} is a file, not a folder; name another")
    blocked = next((p for p in (place, existing) if p.exists() and not os.access(p, os.W_OK)), None)
    if blocked is not None:
        raise OutputError(f"{option} {path}: {blocked} may not be written to; name another file")


def is_same(one: Path, other: Path) -> bool:
    """Returns True for two names of one file, through links of either kind, made or not."""
    if one.exists() and other.exists():
        return os.path.samefile(one, other)
    return os.path.realpath(one) == os.path.realpath(other)


def _is_within(path: Path, folder: Path) -> bool:
    return (
        folder.is_dir() and Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents
    )
