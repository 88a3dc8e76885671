"""What each key of a spec means: the line below its field, for people who ask and who err.

The lines are read from the source, so that they stand where the field does and nowhere else.
`docs/reference-settings.md` is made of them: `python -m smash.workbench.specs.meanings`.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, is_dataclass
from functools import cache
from typing import Any

from smash.errors import SpecError
from smash.workbench.specs import keys

ASKED = "must be given"
"""Said in place of a default where there is none."""
PAGE = "docs/reference-settings.md"
_INTRODUCTION = """# All settings

Made of `smash/settings.py` and `smash/workbench/specs/experiment_spec.py` by
`python -m smash.workbench.specs.meanings`; `smash run --explain KEY` shows a row, and
`smash run --explain SECTION` a table. Units of time and place are the data's own. In brackets
stands where a default is from: `script` is the original implementation's, `paper` and `table 4`
are of the paper, `validation` is what validation data chose (`docs/performance.md`).
What settings ask of each other: `docs/settings.md`.
"""


@cache
def lines_of(section: type) -> Mapping[str, str]:
    """Returns the line below each field of a class; none where its source is not at hand."""
    try:
        source = textwrap.dedent(inspect.getsource(section))
    except (OSError, TypeError):
        return {}
    found: dict[str, str] = {}
    field = None
    for statement in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                field = name
            case ast.Expr(value=ast.Constant(value=str(line))) if field:
                found[field] = inspect.cleandoc(line)
                field = None
            case _:
                field = None
    return found


def meaning(key: str, root: type) -> str:
    """Returns the line of a known dotted key, or "" where it has none."""
    section, _, name = key.rpartition(".")
    return lines_of(keys.sections(root)[section] if section else root).get(name, "")


def explanation(key: str, root: type) -> str:
    """Returns what a key, or each key of a section, means, takes and is by default, for reading.

    Raises:
        SpecError: when nothing is called so, or more than one key may be meant.
    """
    return "\n\n".join(_paragraph(known, root) for known in _meant(key, root))


def _meant(key: str, root: type) -> list[str]:
    """Returns the key that is meant, or those below the section that is."""
    known = keys.sections(root)
    below = [section for section in known if section == key or section.endswith("." + key)]
    if not below:
        return [keys.resolve(key, root)]
    if len(below) > 1:
        raise SpecError(f"{key}: may mean {' or '.join(below)}; write one of these")
    return [other for other in (*keys.leaves(root), *known) if _section(other) == below[0]]


def _paragraph(key: str, root: type) -> str:
    expected = keys.expectation(key, root)
    lines = [key, meaning(key, root), f"takes {expected}"]
    if key in keys.leaves(root):
        lines.append(f"default: {default(key, root)}")
    return "\n  ".join(filter(None, lines))


def default(key: str, root: type) -> str:
    """Returns the default of a known key as it may be written in a spec."""
    section, _, name = key.rpartition(".")
    owner: Any = keys.sections(root)[section] if section else root
    if is_dataclass(owner):
        value = owner.__dataclass_fields__[name].default
        return ASKED if value is MISSING else _written(value)
    field = owner.model_fields[name]
    return _written(field.default) if field.default_factory is None else "that of another key"


def _written(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def page(root: type) -> str:
    """Returns the reference page: a table for each section, keys in the order of the file."""
    return "\n".join([_INTRODUCTION, *_tables(root)])


def _tables(root: type) -> Iterator[str]:
    for section in ("", *keys.sections(root)):
        title = [f"## `{section}`", "", _about(section, root)] if section else ["## Of the spec"]
        rows = [_row(leaf, root) for leaf in keys.leaves(root) if _section(leaf) == section]
        head = ["", "| key | what it is | takes | default |", "|---|---|---|---|"]
        yield "\n".join([*title, *(head if rows else []), *rows, ""])


def _about(section: str, root: type) -> str:
    """Returns what a section is, and of one that is off unless given how it may be written."""
    first = keys.parts(root).get(section)
    short = f" Off unless given; may be written as its `{first}` alone." if first else ""
    return f"{meaning(section, root)}{short}"


def _section(key: str) -> str:
    return key.rpartition(".")[0]


def _row(key: str, root: type) -> str:
    expected = keys.expectation(key, root)
    usual = default(key, root)
    line = meaning(key, root).replace("[", r"\[")  # no link
    cells = (f"`{key}`", line, expected, usual if usual == ASKED else f"`{usual}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    from pathlib import Path

    from smash.workbench.specs.experiment_spec import ExperimentSpec

    Path(PAGE).write_text(page(ExperimentSpec), encoding="utf-8")
