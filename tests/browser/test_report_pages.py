"""A report in headless Chromium: nothing wider than the page, light and dark, no script needed."""

import pytest
from tiny_runs import CHROMIUM

from smash.workbench.report.production import make_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(workshop, finished, tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; install it to look at reports")
    folder = tmp_path_factory.mktemp("report")
    uri = f"sqlite:///{workshop.folder / 'mlflow.db'}"
    made = make_report(run_ids=[finished.run_id], out=folder, uri=uri, attached=False)
    return made.written.html.as_uri()


@pytest.fixture
def opened(address, browser):
    pages = []

    def opened(width, scheme, script=True):
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        pages.append(page)
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url))
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_wide_as_the_window(opened, width, scheme):
    page = opened(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    wide = page.evaluate(
        """[...document.querySelectorAll("h1, h2, h3, p, li, figcaption, pre")]
        .filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML)"""
    )
    assert wide == []


def test_dark_pages_are_dark_and_figures_follow(opened):
    inks = {}
    for scheme in ("light", "dark"):
        page = opened(1400, scheme)
        inks[scheme] = page.evaluate(
            """[getComputedStyle(document.documentElement).backgroundColor,
            getComputedStyle(document.querySelector("figure svg text, figure svg g[id*=text] path, "
                + "figure svg g[id*=text] g")).fill]"""
        )
    assert inks["light"][0] == "rgb(255, 255, 255)"
    assert inks["dark"][0] != inks["light"][0]
    assert inks["dark"][1] != inks["light"][1]


def test_it_fetches_nothing_and_needs_no_script(opened, address):
    page = opened(1400, "light", script=False)
    assert page.requested == [address]
    assert page.get_by_text("Table 1.").is_visible()
    assert page.locator("figure svg").first.is_visible()
