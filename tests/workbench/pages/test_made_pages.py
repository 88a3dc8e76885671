"""The pages that code makes hold what it makes; none was edited by hand."""

import pytest
from tiny_runs import ROOT

from smash.errors import DataError
from smash.workbench.pages.made_pages import made, marked


@pytest.fixture(scope="module")
def pages():
    return made(ROOT)


def test_every_made_page_is_current(pages):
    old = [path for path, text in pages.items() if (ROOT / path).read_text() != text]
    assert old == [], "make them anew: make pages"


def test_the_readme_is_short_and_says_how_good_models_are(pages):
    assert len(pages["README.md"].splitlines()) <= 150
    table = pages["README.md"].partition("begin: rivals")[2].partition("end: rivals")[0]
    assert all(f"| {name} |" in table for name in ("crime", "earthquake", "football"))


def test_a_page_without_its_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- begin: rivals -->\n")
    with pytest.raises(DataError, match="end: rivals"):
        marked(page, "rivals", "")
