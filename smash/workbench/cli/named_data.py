"""Which data a command is asked about: those of a spec, by its file or name, or a data set's."""

from pathlib import Path
from typing import TYPE_CHECKING

from smash.workbench.cli.hints import hints_shown

if TYPE_CHECKING:
    from smash.settings import DataSettings


def named_data(name: str) -> tuple["DataSettings", Path]:
    """Returns the settings of the data that `name` means, and where a spec of theirs would lie.

    Raises:
        SpecError: when there is no such spec, or it is wrong.
    """
    from smash.settings import DataSettings
    from smash.shipped_files import find_spec

    spec = find_spec(Path(name))
    if spec.suffix not in (".yaml", ".yml"):
        return DataSettings(name=name), spec
    from smash.workbench.specs.experiment_spec import load_spec

    with hints_shown():
        return load_spec(spec).data, spec
