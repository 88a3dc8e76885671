"""Words that may leave this machine: its folders are named from the project on, or not at all."""

import re
from collections.abc import Mapping
from pathlib import Path

from smash.shipped_files import shipped_root

LEFT_OUT = "…"
"""Stands in a text for a path that says something of this machine alone."""
ADDRESSES = ("runs:", "models:", "http:", "https:")
"""Schemes whose slashes begin no path of a machine."""
PATH = re.compile(
    r"(?<![\w.~/\\-])(?P<scheme>(?:[A-Za-z][\w+.-]*:)?)"
    r"(?P<path>(?:~[\w.-]*)?[/\\]+[\w.~@$%+-][^\s'\",;\])}]*)"
)

QUOTED = re.compile(r"(?<=\s)'[^']*'(?=\s|$)")


def portable_path(path: str) -> str | None:
    """Returns a relative path as it is, one in the project from there on, None for any other.

    The project is the current folder, or the one that the code lies in.
    """
    if not PATH.match(path) or path.startswith(ADDRESSES):
        return path
    for root in (Path.cwd(), shipped_root()):
        for known in (root, root.resolve()):
            if Path(path).is_relative_to(known):
                return Path(path).relative_to(known).as_posix()
    return None


def portable_text(text: str) -> str:
    """Returns a text whose paths are portable ones; `LEFT_OUT` stands for those that cannot be."""

    return PATH.sub(_replaced, QUOTED.sub(_within_quotes, text))


def _replaced(found: re.Match[str]) -> str:
    if found["scheme"] in ADDRESSES:
        return found[0]
    return portable_path(re.sub(r"^/+", "/", found["path"])) or LEFT_OUT


def _within_quotes(quoted: re.Match[str]) -> str:
    """Returns an argument in quotes, whose path goes on to its end, spaces and all."""
    found = PATH.search(quoted[0])
    if found is None or found["scheme"] in ADDRESSES:
        return quoted[0]
    path = quoted[0][found.start("path") : -1]
    return f"{quoted[0][: found.start()]}{portable_path(path) or LEFT_OUT}'"


def portable_values(values: Mapping[str, str]) -> dict[str, str]:
    """Returns values by key with portable paths, without those that are nothing else."""
    found = {key: _portable_value(value) for key, value in values.items()}
    return {key: value for key, value in found.items() if value is not None}


def _portable_value(value: str) -> str | None:
    """Returns a value that may leave; one that begins as a path is one, spaces and all."""
    begins = PATH.match(value)
    whole = begins and begins["scheme"] not in ADDRESSES
    return portable_path(value) if whole else portable_text(value)
