"""Files from strangers: what is opened at all, and how text and JSON in them are read.

A path may lead to a pipe that never ends or to a device, a small file may ask for much memory,
and JSON may say a key twice. Each is refused before it costs anything.
"""

import json
import math
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from smash.errors import CheckpointError, SmashError

MOST_TEXT = 64 * 2**20
"""Bytes of a text that is read as a whole, unless said otherwise."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def regular_size(path: Path | str, error: type[SmashError]) -> int:
    """Returns the size of a file in bytes; pipes, devices and folders are not opened.

    Raises:
        error: naming the path, when nothing is there or it is no plain file.
    """
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise error(f"{path}: no such file; check the path") from problem
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{path}: cannot be opened ({reason}); check the path") from problem
    for is_kind, kind in _KINDS:
        if is_kind(status.st_mode):
            raise error(f"{path}: is {kind}; name a file")
    return status.st_size


def read_text(path: Path | str, error: type[SmashError], most: int = MOST_TEXT) -> str:
    """Returns the text of a file in UTF-8, of no more than `most` bytes.

    Raises:
        error: naming the path and what is wrong with it.
    """
    size = regular_size(path, error)
    if size > most:
        raise error(f"{path}: has {size} bytes, where a file of its kind has no more than {most}")
    if size == 0:  # as of what the system makes up while it is read, which may never end
        return ""
    try:
        with Path(path).open("rb") as file:
            return file.read(most).decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: not text in UTF-8 ({problem})") from problem
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem


def read_json(
    path: Path | str, error: type[SmashError] = CheckpointError, finite: bool = True
) -> Any:
    """Returns what a JSON file holds; keys said twice are refused, and numbers that are none.

    Raises:
        error: naming the path and what is wrong with it.
    """
    return _parsed(read_text(path, error), str(path), error, finite)


def read_json_lines(
    path: Path | str, error: type[SmashError], most: int = MOST_TEXT
) -> Iterator[tuple[int, Any]]:
    """Yields the number of each line that is not blank, from 1, and the JSON value it holds.

    Raises:
        error: naming the path, the line and what is wrong with it; a line has `most` bytes at most.
    """
    regular_size(path, error)
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(most + 1), b""), start=1):
                where = f"{path}, line {number}"
                if len(line) > most:
                    raise error(f"{where}: has more than {most} bytes; write a sequence a line")
                if text := _decoded(line, where, error).strip():
                    yield number, _parsed(text, where, error)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem


def _decoded(line: bytes, where: str, error: type[SmashError]) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{where}: not text in UTF-8 ({problem})") from problem


def _parsed(text: str, where: str, error: type[SmashError], finite: bool = True) -> Any:
    strict: dict[str, Any] = {"parse_float": _finite, "parse_constant": _no_number}
    try:
        return json.loads(text, object_pairs_hook=_once, **(strict if finite else {}))
    except (ValueError, RecursionError) as problem:
        raise error(f"{where}: not readable as JSON: {problem or 'no reason given'}") from problem


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object's keys and values, none of them said twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:80]!r} stands here twice")
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:80]} is beyond all floats")
    return number


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
