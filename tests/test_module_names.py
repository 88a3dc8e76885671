"""A module's name says which one is meant, wherever in the tree it stands."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
OF_PYTHON = {"__init__", "__main__"}
AFTER_A_ROOM = {
    "smash": "the model that the package is named after",
    "search": "what its room is for",
    "data": "a command, as it is typed",
    "forecast": "a command, as it is typed",
    "report": "a command, as it is typed",
}
"""Modules with the name of a room, and why."""


def modules(folder: str) -> list[str]:
    return [path.stem for path in (ROOT / folder).rglob("*.py") if path.stem not in OF_PYTHON]


def repeated(names: list[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_two_modules_have_one_name():
    assert repeated(modules("smash")) == set()
    assert repeated(modules("tests")) == {"conftest"}


def test_a_module_has_the_name_of_a_room_for_a_reason():
    rooms = [path.parent.name for path in (ROOT / "smash").rglob("__init__.py")]
    assert repeated(rooms) == set()
    assert set(rooms) & set(modules("smash")) == set(AFTER_A_ROOM)
