"""The site in headless Chromium: as wide as the window, in both lights, from files alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import HANGING
from tiny_runs import CHROMIUM, ROOT

from smash.workbench.pages.gallery import scripts

pytest.importorskip("mkdocs", reason="the extra docs is not installed")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the site, built strictly."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; install it to look at the site")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=HANGING,
    )
    assert done.returncode == 0, done.stderr
    return folder


def pages(site: Path) -> list[Path]:
    return sorted(path for path in site.glob("**/*.html") if path.name != "404.html")


def opened(browser, page: Path, width: int, scheme: str):
    """Returns a page with the addresses that it asked for."""
    window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    window.asked = []
    window.on("request", lambda request: window.asked.append(request.url))
    window.goto(page.as_uri(), timeout=1000 * HANGING)
    return window


@pytest.mark.parametrize("width", [380, 1400])
def test_no_page_is_wider_than_the_window_or_asks_for_anything_but_files(site, browser, width):
    assert len(pages(site)) > 20
    for page in pages(site):
        window = opened(browser, page, width, "light")
        assert window.evaluate("document.documentElement.scrollWidth") <= width, page.name
        assert all(url.startswith("file:") for url in window.asked), page.name
        window.close()


def test_figures_are_drawn_for_the_page_they_stand_on(site, browser):
    shown = {}
    for scheme in ("light", "dark"):
        window = opened(browser, site / "gallery.html", 1400, scheme)
        shown[scheme] = window.evaluate(
            """[...document.querySelectorAll("img[src*=gallery]")]
            .filter(e => e.offsetWidth > 0 && e.naturalWidth > 0).map(e => e.src.split("#")[1])"""
        )
        window.close()
    assert set(shown["light"]) == {"only-light"}
    assert set(shown["dark"]) == {"only-dark"}
    assert len(shown["light"]) == len(shown["dark"]) == len(scripts(ROOT))


def test_a_dark_start_page_has_a_dark_picture(site, browser):
    window = opened(browser, site / "index.html", 1400, "dark")
    shown = window.evaluate(
        """[...document.querySelectorAll("article img")]
        .filter(e => e.offsetWidth > 0 && e.naturalWidth > 0).map(e => e.src.split("/").pop())"""
    )
    window.close()
    assert shown == ["front-dark.svg#only-dark"]


def test_a_table_scrolls_to_its_end_with_its_first_column_in_view(site, browser):
    window = opened(browser, site / "contests.html", 380, "light")
    first, last = window.evaluate(
        """() => {
            const table = document.querySelector("article table");
            const box = table.closest(".md-typeset__scrollwrap");
            box.scrollLeft = box.scrollWidth;
            const cells = [...table.querySelector("tbody tr").children];
            return [cells[0], cells.at(-1)].map(e => e.getBoundingClientRect().right);
        }"""
    )
    window.close()
    assert 50 < first < 200
    assert last <= 380


def test_no_line_breaks_within_an_option(site, browser):
    window = opened(browser, site / "run.html", 380, "light")
    lines = window.evaluate(
        """[...document.querySelectorAll("code .option")].map(e => e.getClientRects().length)"""
    )
    window.close()
    assert set(lines) == {1}


def test_the_search_finds_without_a_server(site, browser):
    window = opened(browser, site / "index.html", 1400, "light")
    window.locator("input[name=query]").press_sequentially("recalibration")  # it heeds keys alone
    window.locator(".md-search-result__item").first.wait_for(timeout=1000 * HANGING)
    window.close()
