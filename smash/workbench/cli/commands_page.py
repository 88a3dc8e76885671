"""docs/commands.md: every command with its flags, as `--help` has them."""

from collections.abc import Iterator
from typing import Any

import typer

HEAD = """# Commands

Made by `make pages` from what `smash COMMAND --help` says. `run_experiment.py` is `smash run`, and
`tune.py` is `smash tune`.
"""


def page() -> str:
    """Returns the page as Markdown."""
    from smash.workbench.cli.app import app

    return "\n".join([HEAD, *_parts(typer.main.get_command(app), "smash")])


def _parts(command: Any, path: str) -> Iterator[str]:
    """Yields the parts of a command, or of all below it (typer has a click of its own)."""
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _parts(below, f"{path} {name}")
        return
    options = [each for each in command.params if each.param_type_name == "option"]
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    call = " ".join([path, *(each.metavar or each.name.upper() for each in arguments)])
    text = (command.help or "").replace("\b\n", "").replace("Example: ", "Example:\n\n    ")
    yield f"## `{path}`\n\n`{call}`\n\n{text.strip()}\n"
    rows = [f"| `{', '.join(each.opts)}` | {_cell(each.help)} |" for each in options if each.help]
    if rows:
        yield "\n".join(["| flag | what it does |", "|---|---|", *rows]) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("[", r"\[")
