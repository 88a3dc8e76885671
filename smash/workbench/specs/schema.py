"""Values checked against a schema: strict types, every problem in a line of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from smash.errors import SpecError
from smash.untrusted_files import read_text
from smash.workbench.specs import keys, meanings, strict_yaml

# Strict types in the sections too: pydantic hands its configuration down to plain dataclasses,
# and checks the ones it is given as instances again.
STRICT = ConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    allow_inf_nan=False,
    revalidate_instances="always",
)
Model = TypeVar("Model", bound=BaseModel)
_MOST_PROBLEMS = 30


def read_mapping(path: Path | str) -> dict[str, Any]:
    """Returns the keys and values in a YAML file; none for an empty file.

    Raises:
        SpecError: when it cannot be read or holds something else.
    """
    text = read_text(path, SpecError, strict_yaml.MOST_TEXT)
    mapping = strict_yaml.parse(text, str(path))
    mapping = {} if mapping is None else mapping
    if not isinstance(mapping, dict):
        raise SpecError(f"{path}: expected keys and values, given {given(mapping)}")
    return mapping


def validate(model: type[Model], mapping: Mapping[str, Any], source: str) -> Model:
    """Returns the model with these values; what is left out takes its default.

    Raises:
        SpecError: `source`, then every problem: key, what was expected, what was given; the
            nearest known key for an unknown one.
    """
    try:
        # By way of JSON, where a list may become a tuple and an int a float, and nothing else may.
        return model.model_validate_json(json.dumps(mapping))
    except ValidationError as error:
        found = error.errors()
        # The nearest known key of each unknown one takes time.
        lines = [line for details in found[:_MOST_PROBLEMS] for line in _problems(details, model)]
        problems = list(dict.fromkeys(lines))  # a key of several kinds has an error for each
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        if len(found) > _MOST_PROBLEMS:
            count = f"more than {len(problems)} problems"
        raise SpecError("\n  ".join([f"{source}: {count}", *problems])) from error
    except (TypeError, ValueError) as error:
        raise SpecError(f"{source}: holds more than plain values: {error}") from error


def given(value: Any) -> str:
    """Returns a value as it may be written in YAML, cut short, with its kind where it misleads."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= 80 else text[:77] + "..."
    return f"{text} (text)" if isinstance(value, str) else text


def put(mapping: dict[str, Any], dotted: str, value: Any) -> None:
    """Sets the value of a dotted key in nested mappings, making those that are missing.

    Raises:
        SpecError: when a part of the key holds a value already.
    """
    *path, leaf = dotted.split(".")
    for part in path:
        if mapping.get(part) is None:
            mapping[part] = {}
        mapping = mapping[part]
        if not isinstance(mapping, dict):
            raise SpecError(f"{part} holds {given(mapping)} where a section of keys is expected")
    mapping[leaf] = value


def _problems(details: Any, model: type[BaseModel]) -> list[str]:
    """Returns a line for each problem in one of pydantic's errors."""
    kind, location = details["type"], details["loc"]
    key = ".".join(part for part in location if isinstance(part, str))
    index = "".join(f"[{part}]" for part in location if isinstance(part, int))
    if kind == "default_factory_not_called":  # of the name, where the data settings are wrong
        return []
    if kind == "too_short" and details["input"]:  # its items are wrong, which is said already
        return []
    if not location:
        return str(details.get("ctx", {}).get("error", details["msg"])).splitlines()
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return [keys.unknown(key, model)]
    if kind in ("missing", "too_long"):  # of a list, which is then the place
        index = ""
    known = (*keys.leaves(model), *keys.sections(model))
    while key not in known and "." in key:  # the last part says which of the key's kinds was tried
        key = key.rpartition(".")[0]
    expected = keys.expectation(key, model, item=bool(index))
    line = meanings.meaning(key, model)
    said = f". {line}" if line else ""
    return [f"{key}{index}: expected {expected}, given {given(details['input'])}{said}"]
