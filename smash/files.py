"""Writing files so that a crash leaves the old one or the new one, never half of either."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; on success it takes the place of `path`.

    Works for a file or a folder. A folder in the way is moved aside before it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(beside)
    try:
        yield beside
    except BaseException:
        _remove(beside)
        raise
    if path.is_dir():
        aside = path.with_name(f".{path.name}.{os.getpid()}.old.tmp")
        _remove(aside)
        path.rename(aside)
        beside.rename(path)
        _remove(aside)
    else:
        beside.replace(path)


def write_json(path: Path, content: Any) -> None:
    """Writes `content` as indented JSON, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
