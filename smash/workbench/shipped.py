"""What comes with the code: specs, studies and kept models, in a clone or in an installed copy."""

from pathlib import Path

import smash


def shipped_root() -> Path:
    """Returns the folder with `experiments/` and `studies/`: a clone's root, or the package's own.

    A wheel has both below the package; a clone has them beside it.
    """
    package = Path(smash.__file__).resolve().parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent
