"""YAML without its surprises: what a spec file may hold, read and written.

YAML 1.1, as PyYAML reads it, turns `5e-3` into text, `1:30` into 90, `no` into false, and lets a
key repeated further down win silently. Here the scalars are those of YAML 1.2's core schema, and
repeated keys, aliases and tags that make anything but plain values are refused. So is more than a
spec could need.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from smash.errors import SpecError

_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
)
MOST_TEXT = 2**18
"""Bytes of a file; reading takes time for every value, and a spec has a few hundred of them."""
_MOST_VALUES = 50_000
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")


class _Loader(yaml.SafeLoader):
    """Reads plain values only."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's own way of declaring them)
    yaml_constructors = {  # noqa: RUF012
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (None, *(_TAG + name for name in _PLAIN))
    }

    values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.values += 1
        if self.values > _MOST_VALUES:
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "too many values for a spec", mark)
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases are not read here", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is not text", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands here twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back: text that looks like a number there is quoted."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Returns text in double quotes where it holds a line end that PyYAML loses otherwise."""
    style = '"' if re.search("[\x85\u2028\u2029]", text) else None
    return dumper.represent_scalar(_TAG + "str", text, style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(
    list, lambda dumper, data: dumper.represent_sequence(_TAG + "seq", data, flow_style=True)
)
for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


def parse(text: str, source: str) -> Any:
    """Returns the plain values written in `text`: None, bool, int, float, str, list and dict.

    Raises:
        SpecError: naming `source`, line and column of what is not YAML or not plain.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader that reads even less)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(f"{source}{place}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SpecError(f"{source}: not readable as YAML: {first_line}") from error


def dump(values: Any) -> str:
    """Returns YAML text that `parse` reads back as the same values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
