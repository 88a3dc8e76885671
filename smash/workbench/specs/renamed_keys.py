"""Keys of earlier releases under their present names; read for one release more.

Kept models, logged runs and records were written with them.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from smash.errors import SpecError
from smash.workbench.specs.schema import given, put

VARIATION = "training.variation"
_FIELDS = {
    "recency": {"half_life": "half_life"},
    "folding": {"share": "folding", "day": "folding_day"},
    "thinning": {"depth": "thinning", "period": "thinning_period"},
    "mirroring": {"axes": "mirror"},
}
"""Of each part of a variation, the keys of `training` that its fields were, the main one first."""
_OFF: dict[str, float | str | None] = {
    "half_life": 0,
    "folding": 0,
    "folding_day": 24,
    "thinning": 0,
    "thinning_period": None,
    "mirror": "none",
}
"""What these keys were where nothing was varied."""
RENAMED = {
    f"training.{before}": f"{VARIATION}.{part}.{field}"
    for part, fields in _FIELDS.items()
    for field, before in fields.items()
}
"""Dotted keys of before and what they are called now."""


class RenamedKey(FutureWarning):
    """A spec has a key under the name that it had in the release before."""


def hint(before: str) -> str:
    """Returns the line that says what a key is called now."""
    return f"{before} is now {RENAMED[before]}; the old name is read for one release more"


def under_present_names(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a spec's keys and values in which each key has its present name.

    Says which have not, but of a spec that has them all: it was written by a run.

    Raises:
        SpecError: when a key stands there under both names.
    """
    result = deepcopy(dict(mapping))
    training = result.get("training")
    if not isinstance(training, dict):
        return result
    found = [before for before in _OFF if before in training]
    if len(found) < len(_OFF):
        for before in found:
            warnings.warn(hint(f"training.{before}"), RenamedKey, stacklevel=3)
    for part, values in list(_parts(training)):
        variation = training.get("variation")
        if isinstance(variation, dict) and variation.get(part) is not None:
            raise SpecError(
                f"{VARIATION}.{part}: given {given(variation[part])}, and under its old name too; "
                "leave out the old"
            )
        if values:
            put(result, f"{VARIATION}.{part}", values)
    for before in found:
        del training[before]
    return result


def params_under_present_names(params: Mapping[str, str]) -> dict[str, str]:
    """Returns a run's parameters, as `flatten` gives them, under the present names."""
    old = {name: params[f"training.{name}"] for name in _OFF if f"training.{name}" in params}
    read = {k: value if k == "mirror" else json.loads(value) for k, value in old.items()}
    present = {key: value for key, value in params.items() if key not in RENAMED}
    for part, values in _parts(read):
        for field in _FIELDS[part]:
            value = values.get(field)
            text = value if isinstance(value, str) else json.dumps(value)
            present[f"{VARIATION}.{part}.{field}"] = text
    return present


def _parts(training: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each part that old keys tell of, with its values; none where it was off."""
    for part, fields in _FIELDS.items():
        values = {field: training[old] for field, old in fields.items() if old in training}
        if not values:
            continue
        off = {field: _OFF[old] for field, old in fields.items()}
        main = next(iter(fields))
        changed = any(value != off[field] for field, value in values.items())
        yield part, ({main: off[main]} | values if changed else {})
