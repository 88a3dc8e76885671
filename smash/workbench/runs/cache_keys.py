"""Where in the user's cache folder something is kept, found again by all that it depends on.

That is what it was made of and how, the very code, and what computes. `SMASH_CACHE` names the
folder; `SMASH_REUSE=0` keeps and takes nothing.
"""

import hashlib
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import torch

import smash


def reused() -> bool:
    """Returns whether anything is kept and taken."""
    return os.environ.get("SMASH_REUSE", "1") != "0"


def place_of(kind: str, *made_of: Any) -> Path:
    """Returns the place below the cache's folder `kind` of what is made of such values.

    Values are arrays, dataclasses and mappings of values, or have a `repr` that tells all.
    """
    digest = hashlib.sha256()
    _tell((made_of, _code(), _computer()), digest.update)
    root = os.environ.get("SMASH_CACHE") or pooch.os_cache("smash-workbench")
    return Path(root) / kind / digest.hexdigest()[:40]


def _tell(value: Any, update: Callable[[bytes], None]) -> None:
    if isinstance(value, np.ndarray):
        update(f"{value.dtype} {value.shape}".encode())
        update(np.ascontiguousarray(value).tobytes())
    elif is_dataclass(value):
        update(type(value).__name__.encode())
        for part in fields(value):
            update(part.name.encode())
            _tell(getattr(value, part.name), update)
    elif isinstance(value, Mapping):
        _tell(sorted(value.items()), update)
    elif isinstance(value, (tuple, list)):
        update(f"{len(value)} of".encode())
        for one in value:
            _tell(one, update)
    else:
        update(f"{value!r};".encode())


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
