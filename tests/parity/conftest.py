import os
from pathlib import Path

import pytest


def reference_folder() -> Path:
    """The folder of numbers computed with the original implementation."""
    return Path(os.environ.get("SMASH_REFERENCE", "../shared/reference"))


def vector_folders() -> list[Path]:
    return sorted(path.parent for path in reference_folder().glob("*/arrays.npz"))


@pytest.fixture(params=vector_folders() or [None], ids=lambda p: p.name if p else "absent")
def vectors(request) -> Path:
    if request.param is None:
        pytest.skip(f"no reference vectors in {reference_folder()}; set SMASH_REFERENCE")
    return request.param
