"""A data set in a line of Python: one of the named ones, or own files."""

import difflib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from smash.catalogue.datasets import load_dataset
from smash.data.dataset import Dataset
from smash.errors import DataError, SpecError
from smash.settings import DATASETS, Columns, DataSettings, SimulatorSettings

_NESTED = {"columns": Columns, "simulator": SimulatorSettings}


def load_data(source: Path | str | None = None, /, **settings: Any) -> Dataset:
    """Returns a data set: training, validation and test sequences in raw units.

    Args:
        source: `earthquake`, `crime`, `football` (from the folder in SMASH_DATA, else downloaded),
            `simulated`, or a file of your own with a column that names the split. Left out where
            `train`, `validation` and `test` name a file each.
        settings: keys of a spec's `data` section (`docs/reference-settings.md`), such as
            `columns={"x": "lon", "y": "lat"}` and `time_unit="hours"`.

    Raises:
        DataError: when a name is unknown, or a file is missing or wrong: file, row, column, value.
        SpecError: when `settings` have an unknown key.

    >>> import smash
    >>> data = smash.load_data("simulated", simulator={"sequences": (4, 2, 2), "events": (5, 9)})
    >>> len(data.train), data.n_marks, data.time_unit
    (4, 3, 'days')
    """
    known = settings.keys() & {"path", "train", "validation", "test", "name"}
    if source is None and not known:
        raise DataError(f"no data named; give a file of your own, or one of {', '.join(DATASETS)}")
    given = dict(settings)
    for name, kind in _NESTED.items():
        if isinstance(given.get(name), Mapping):
            given[name] = _settings_of(kind, given[name], f"{name}.")
    if source is not None:
        named = str(source).lower() in DATASETS
        looks_like_file = Path(source).suffix or Path(source).exists()
        given["name" if named or not looks_like_file else "path"] = str(source)
    return load_dataset(_settings_of(DataSettings, given, ""))


def _settings_of(kind: type, given: Mapping[str, Any], where: str) -> Any:
    known = [field.name for field in fields(kind)]
    for key in given:
        if key not in known:
            nearest = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
            raise SpecError(f"{where}{key}: unknown setting of data; did you mean {nearest}?")
    return kind(**{key: _plain(value) for key, value in given.items()})


def _plain(value: Any) -> Any:
    """Returns paths as text and lists as tuples, as in a spec."""
    if isinstance(value, Path):
        return str(value)
    return tuple(value) if isinstance(value, list) else value
