"""What comes with the code: specs, studies and kept models, in a clone or in an installed copy."""

from collections.abc import Sequence
from pathlib import Path

KEPT = "pretrained:"
"""Before the name of a kept model."""


def shipped_root() -> Path:
    """Returns the folder with `experiments/` and `studies/`: a clone's root, or the package's own.

    A wheel has both below the package; a clone has them beside it.
    """
    package = Path(__file__).resolve().parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent


def find_model(name: Path | str) -> Path:
    """Returns the folder that is meant: `pretrained:NAME` is a kept model, all else a path.

    One's own models (`smash keep`) lie in the current folder and come first.
    """
    text = str(name)
    if not text.startswith(KEPT):
        return Path(name)
    kept = Path("experiments/pretrained") / text.removeprefix(KEPT)
    return kept if kept.is_dir() else shipped_root() / kept


def find_models(names: Path | str | Sequence[Path | str]) -> tuple[Path, ...]:
    """Returns the folders that are meant: of one model, or of several, in a list or between commas.

    A folder whose own name has commas is that folder.
    """
    if not isinstance(names, (str, Path)):
        return tuple(find_model(name) for name in names)
    whole = find_model(names)
    if "," not in str(names) or whole.exists():
        return (whole,)
    return tuple(find_model(name.strip()) for name in str(names).split(",") if name.strip())


def find_spec(name: Path) -> Path:
    """Returns the spec that is meant: a file or folder, a kept model, or a spec by its name.

    `football` is `experiments/football.yaml`, `published/football` the one in
    `experiments/published`. What is nothing of these is returned as it is.
    """
    if str(name).startswith(KEPT):
        return find_model(name)
    shipped = shipped_root() / "experiments" / f"{name}.yaml"
    known = not name.exists() and not name.suffix and shipped.is_file()
    return shipped if known else name
