"""A report in headless Chromium: nothing wider than the page, light and dark, no script needed."""

import pytest
from patience import HANGING
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
        page.set_default_timeout(1000 * HANGING)
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


@pytest.fixture
def unfolded(opened):
    """A function that opens a page at a width with everything on it unfolded."""

    def unfolded(width, scheme="light"):
        page = opened(width, scheme)
        page.evaluate('document.querySelectorAll("details").forEach(e => { e.open = true })')
        return page

    return unfolded


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_wide_page_no_table_is_cut(unfolded, scheme):
    page = unfolded(1400, scheme)
    cut = page.evaluate(
        """[...document.querySelectorAll(".table")]
        .filter(e => [...e.querySelectorAll(".scroll")].some(s => s.scrollWidth > s.clientWidth))
        .map(e => e.querySelector(".caption").textContent)"""
    )
    assert cut == []
    assert page.locator(".table").count() > 10


def test_on_a_narrow_page_every_table_scrolls_to_its_end_with_its_first_column_in_view(unfolded):
    page = unfolded(380)
    tables = page.evaluate(
        """[...document.querySelectorAll(".scroll:has(table)")].map(box => {
            box.scrollLeft = box.scrollWidth;
            const [first, ...rest] = box.querySelector("tbody tr").children;
            const [seen, own, last] = [box, first, rest.at(-1)].map(e => e.getBoundingClientRect());
            const ground = getComputedStyle(first).backgroundColor;
            const head = box.querySelector("th"), lines = document.createRange();
            lines.selectNodeContents(head);
            return {
                name: box.getAttribute("aria-labelledby"), scrolled: box.scrollLeft > 0,
                first: own.left - seen.left, room: seen.right - own.right,
                end: last.right - seen.right, clear: ground === "rgba(0, 0, 0, 0)",
                torn: lines.getClientRects().length > head.textContent.trim().split(" ").length,
            };
        })"""
    )
    assert sum(table["scrolled"] for table in tables) > 5
    for table in tables:
        assert abs(table["first"]) < 1, table
        assert table["end"] < 1, table
        assert table["room"] > 100, table
        assert not table["clear"], table
        assert not table["torn"], table


def test_sources_are_folded_and_a_link_to_them_opens_them(opened):
    page = opened(1400, "light")
    runs = page.get_by_text("The runs of this report.")
    assert not runs.is_visible()
    page.get_by_role("link", name="Sources").click()
    runs.wait_for()


def test_the_overview_stands_first_below_the_verdict(opened):
    page = opened(1400, "light")
    order = page.evaluate(
        """[...document.querySelectorAll(".verdict, table, figure")]
        .map(e => e.closest(".table")?.querySelector(".caption").textContent ?? e.className)"""
    )
    assert order[0] == "verdict"
    assert order[1].startswith("Table 1. All forecasters")


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
