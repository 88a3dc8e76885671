"""The pages of this repository that are made of its code and records; none is edited by hand.

`python -m smash.workbench.cli.made_pages`, or `make pages`, writes them anew.
"""

import re
from collections.abc import Callable
from pathlib import Path

from smash.errors import DataError
from smash.files import write_text

RECORDS = Path("experiments/results")
Maker = Callable[[Path], str]


def made(root: Path) -> dict[str, str]:
    """Returns what each of them holds, by its path below the repository's `root`.

    Raises:
        DataError: naming a record that cannot be read, or a page that lacks its marks.
    """
    from smash.workbench.cli import commands_page
    from smash.workbench.pages import capabilities, gallery, results_page
    from smash.workbench.pages.model_cards import cards
    from smash.workbench.pages.records import read_recorded

    makers: dict[str, Maker] = {
        "README.md": readme,
        "docs/results.md": lambda root: results_page.page(root / RECORDS),
        f"docs/{results_page.RUNS}": lambda root: results_page.runs_csv(root / RECORDS),
        "docs/gallery.md": gallery.page,
        "docs/forecasters.md": lambda root: capabilities.page(),
        "docs/commands.md": lambda root: commands_page.page(),
    }
    pages = {path: make(root) for path, make in makers.items()}
    return pages | cards(root, read_recorded(root / RECORDS))


def readme(root: Path) -> str:
    """Returns README with its table of rivals made anew."""
    from smash.workbench.pages.records import read_recorded
    from smash.workbench.pages.rivals_table import rivals_table
    from smash.workbench.report.display_tables import to_markdown

    table = rivals_table(read_recorded(root / RECORDS))
    return marked(root / "README.md", "rivals", to_markdown(table) if table else "")


def marked(page: Path, name: str, text: str) -> str:
    """Returns a page with `text` between its marks `begin: name` and `end: name`.

    Raises:
        DataError: when the page has no such marks.
    """
    begin, end = (f"<!-- {which}: {name} -->" for which in ("begin", "end"))
    pattern = re.compile(f"{begin}.*?{end}", re.DOTALL)
    found, times = pattern.subn(lambda _: f"{begin}\n{text}{end}", page.read_text("utf-8"))
    if times != 1:
        raise DataError(f"{page}: has no part between {begin} and {end}; put both back, once")
    return found


if __name__ == "__main__":
    for path, text in made(Path.cwd()).items():
        write_text(Path(path), text)
