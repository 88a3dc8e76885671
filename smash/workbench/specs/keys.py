"""The keys of a spec: which there are, what each takes, and which one was meant."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from smash.errors import SpecError

ALIASES = {
    "epochs": "training.total_epochs",
    "samplingsteps": "sampling.sampling_steps",
    "dataset": "data.name",
}
"""Other names of some keys, for `--set` only; the files use one name for one thing."""

_LONGEST = 200
_WORDS: dict[Any, tuple[str, str]] = {
    float: ("a number", "numbers"),
    int: ("a whole number", "whole numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "true or false"),
}


@cache
def leaves(section: type) -> Mapping[str, Any]:
    """Returns each dotted key below `section` that takes a value, with its annotation."""
    return {key: kind for key, kind in _walk(section) if _section(kind) is None}


@cache
def sections(section: type) -> Mapping[str, Any]:
    """Returns each dotted key below `section` that holds further keys, with their class."""
    return {key: found for key, kind in _walk(section) if (found := _section(kind)) is not None}


@cache
def parts(section: type) -> Mapping[str, str]:
    """Returns the sections that are off unless given, each with the name of its first key.

    Such a part may be written as the value of that key alone.
    """
    optional = (key for key, kind in _walk(section) if type(None) in get_args(kind))
    known = sections(section)
    return {key: next(iter(known[key].__dataclass_fields__)) for key in optional if key in known}


def _walk(section: Any) -> Iterator[tuple[str, Any]]:
    names = getattr(section, "__dataclass_fields__", None) or section.model_fields
    hints = get_type_hints(section, include_extras=True)
    for name in names:
        yield name, hints[name]
        if (below := _section(hints[name])) is not None:
            for key, kind in _walk(below):
                yield f"{name}.{key}", kind


def _section(kind: Any) -> Any:
    """Returns the dataclass that an annotation admits, or None."""
    options = (part for part in (kind, *get_args(kind)) if isinstance(part, type))
    return next(filter(is_dataclass, options), None)


def resolve(key: str, root: type) -> str:
    """Returns the dotted key that `key` stands for: itself, an alias, or an unambiguous ending.

    A part that may be left out (`parts`) is a key too.

    Raises:
        SpecError: when no key or more than one is meant.
    """
    known = {**leaves(root), **parts(root)}
    if key in known:
        return key
    if key in ALIASES:
        return ALIASES[key]
    meant = [dotted for dotted in known if dotted.endswith("." + key)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise SpecError(f"{key}: may mean {' or '.join(meant)}; write one of these")
    if key in sections(root):
        raise SpecError(f"{key}: is a section; name one of its keys, such as {_below(key, root)}")
    raise SpecError(unknown(key, root))


def _below(key: str, root: type) -> str:
    return next(dotted for dotted in leaves(root) if dotted.startswith(key + "."))


def unknown(key: str, root: type) -> str:
    """Returns the line that says `key` is unknown and names the nearest known one."""
    if key in leaves(root):
        section, _, name = key.rpartition(".")
        return f"{key}: a file nests its keys; write {name} below {section}"
    return f"{key[:_LONGEST]}: unknown key; the nearest known key is {nearest(key, root)}"


def nearest(key: str, root: type) -> str:
    """Returns the known dotted key most like `key`, which may be dotted, bare or an alias."""
    section, _, name = key[:_LONGEST].rpartition(".")
    written = {dotted: dotted for dotted in (*leaves(root), *sections(root))}
    endings = {dotted.rpartition(".")[2]: dotted for dotted in leaves(root)}
    scored = [(_likeness(key[:_LONGEST], other), dotted) for other, dotted in written.items()]
    # An ending says less about a key that was written with its section.
    weight = 0.9 if section else 1.0
    for other, dotted in (endings | ALIASES).items():
        scored.append((weight * _likeness(name, other), dotted))
    return max(scored, key=lambda pair: pair[0])[1]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def expectation(key: str, root: type, item: bool = False) -> str:
    """Returns what the known key `key` takes, or an item of its list, such as "a number > 0"."""
    if key in parts(root):
        return f"a section of keys, or {parts(root)[key]} alone; off unless given"
    if key in sections(root):
        return "a section of keys"
    kind = leaves(root)[key]
    if item:
        listed = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        kind = get_args(listed)[0]
    return describe(kind)


def describe(kind: Any, plural: bool = False) -> str:
    """Returns the values an annotation admits, in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        words = describe(arguments[0], plural)
        bounds = [words for words in map(_bound, arguments[1:]) if words]
        bounds.sort(key=lambda bound: not bound.startswith(">"))
        reasons = [f"({reason})" for reason in map(_reason, arguments[1:]) if reason]
        return " ".join([words, *([" and ".join(bounds)] if bounds else []), *reasons])
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join(describe(part, plural) for part in arguments)
    if origin is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a list of {count}{describe(arguments[0], plural=True)}"
    if kind is type(None):
        return "null"
    if origin is dict:
        return "keys and values"
    return _WORDS[kind][plural]


def _bound(metadata: Any) -> str:
    match metadata:
        case Ge(ge=value):
            return f">= {value:g}" if isinstance(value, float) else f">= {value}"
        case Gt(gt=value):
            return f"> {value:g}"
        case Le(le=value):
            return f"<= {value:g}" if isinstance(value, float) else f"<= {value}"
        case Lt(lt=value):
            return f"< {value:g}"
        case MinLen(min_length=length):
            return f"(length >= {length})"
        case MaxLen(max_length=length):
            return f"(length <= {length})"
        case MultipleOf(multiple_of=value):
            return f"a multiple of {value}"
        case str():
            return metadata
    return ""


def _reason(metadata: Any) -> str:
    """Returns why a bound is there, as `annotated_types.doc` says it."""
    return str(getattr(metadata, "documentation", ""))
