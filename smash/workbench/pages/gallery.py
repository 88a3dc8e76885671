"""docs/gallery.md: every figure the program draws, with the script that draws it.

A script of `docs/gallery/` is an example: its docstring is title and text, its variable `figure`
the picture. `python -m smash.workbench.pages.gallery [NAME…]` draws them anew.
"""

import ast
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from smash.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCRIPTS, PICTURES = Path("docs/gallery"), Path("docs/pictures")
ORDER = (
    *("front", "intensity", "futures", "coverage", "coverage_error", "pit", "reliability", "skill"),
    *("training", "sampling_steps", "search_trials", "search_settings"),
)
"""Of the scripts on the page; others come last."""
FRONT = "front"
"""The script whose picture stands in README, as a PNG, which every page shows."""
DOTS = 110
"""An inch of a PNG."""
HEAD = """# Gallery

Made of the scripts in `docs/gallery/` by `make pages`; `make pictures` draws them anew. Colours are
seaborn's colour-blind palette, and the figures follow the page from light to dark. Each script ends
with a `figure`, a `matplotlib.figure.Figure` that `figure.savefig("name.pdf")` writes.
"""


def page(root: Path) -> str:
    """Returns the gallery as Markdown: title, text, picture and code of each script."""
    return "\n".join([HEAD, *(_part(path) for path in scripts(root))])


def scripts(root: Path) -> list[Path]:
    """Returns the scripts in the order in which the page shows them."""
    rank = {name: place for place, name in enumerate(ORDER)}
    paths = sorted((root / SCRIPTS).glob("*.py"))
    return sorted(paths, key=lambda path: rank.get(path.stem, len(rank)))


def drawn(script: Path) -> "Figure":
    """Returns the figure that a script draws."""
    figure: Figure = runpy.run_path(str(script))["figure"]
    return figure


def draw(root: Path, names: list[str]) -> None:
    """Writes the pictures of the scripts of these names, of all where none is given."""
    from smash.workbench.report.svg import to_svg

    for script in scripts(root):
        if names and script.stem not in names:
            continue
        figure, picture = drawn(script), root / picture_of(script.stem)
        picture.parent.mkdir(parents=True, exist_ok=True)
        write_text(picture, to_svg(figure, script.stem))
        if script.stem == FRONT:
            figure.savefig(root / PICTURES / "forecast.png", dpi=DOTS, facecolor="white")


def picture_of(name: str) -> Path:
    """Returns where the picture of a script lies, below the repository's root."""
    return PICTURES / "gallery" / f"{name}.svg"


def _part(script: Path) -> str:
    code = script.read_text(encoding="utf-8")
    tree = ast.parse(code)
    title, _, text = (ast.get_docstring(tree) or script.stem).partition("\n")
    body = "\n".join(code.splitlines()[tree.body[1].lineno - 1 :])
    picture = picture_of(script.stem).relative_to("docs")
    return (
        f"## {title.rstrip('.')}\n\n{text.strip()}\n\n![{title.rstrip('.')}]({picture})\n\n"
        f"```python\n{body}\n```\n"
    )


if __name__ == "__main__":
    draw(Path.cwd(), sys.argv[1:])
