"""What `mkdocs.yml` asks for besides: pages that lie elsewhere, links, pictures for dark pages.

On the site the start page is README, with the gallery's drawing of its picture. A path in backticks
that is a page of `docs/` becomes a link, as links called by such a path do. Pictures of the gallery
are there for dark pages too, and no line breaks within an option.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from smash.workbench.report.svg import dark

ELSEWHERE = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site, and the files of the repository that they are."""
PICTURE, DRAWN = "](docs/pictures/forecast.png)", "](docs/pictures/gallery/front.svg)"
PATH_LINK = re.compile(r"\[(docs/[\w-]+\.md)\]\(\1\)")
PAGE = re.compile(r"(?<!\[)`docs/([\w-]+)\.md`")
IMAGE = re.compile(r'<img([^>]* src="[^"]*pictures/gallery/[\w-]+)\.svg"([^>]*)>')
CODE = re.compile(
    r"(?<=<code>)[^<]*--[^<]*(?=</code>)|<div class=\"language-sh.*?</div>", re.DOTALL
)
OPTION = re.compile(r"(?<![\w-])--\w[\w-]*")
TITLE = re.compile(r"^# (.*)$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Returns the site's files, with those that lie outside of `docs/`."""
    root = Path(config.config_file_path).parent
    for page, source in ELSEWHERE.items():
        text = (root / source).read_text(encoding="utf-8")
        text = PATH_LINK.sub(r"`\1`", text.replace(PICTURE, DRAWN)).replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    kept = sorted((root / "experiments" / "pretrained").glob("*/README.md"))
    cards = ["\n" + path.read_text(encoding="utf-8") for path in kept]
    text = "# Kept models\n" + "".join(cards).replace("\n#", "\n##")
    files.append(File.generated(config, "models.md", content=text))
    for picture in sorted((root / "docs" / "pictures" / "gallery").glob("*.svg")):
        text = dark(picture.read_text(encoding="utf-8"))
        name = f"pictures/gallery/{picture.stem}-dark.svg"
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Returns a page whose mentions of other pages are links, called by their titles."""
    folder = Path(config.docs_dir)

    def link(found: re.Match[str]) -> str:
        path = folder / f"{found[1]}.md"
        if not path.exists():
            return found[0]
        title = TITLE.search(path.read_text(encoding="utf-8"))
        return f"[{title[1] if title else found[1]}]({path.name})"

    return PAGE.sub(link, markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Returns a page's HTML with whole options, and a figure for either light.

    Of the figures the theme shows one.
    """
    html = CODE.sub(lambda code: OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)
    return IMAGE.sub(r'<img\1.svg#only-light"\2><img\1-dark.svg#only-dark"\2>', html)
