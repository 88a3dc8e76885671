"""The pages that code makes hold what it makes; none was edited by hand."""

import importlib
import re

import pytest
from tiny_runs import ROOT

from smash.errors import DataError
from smash.workbench.cli.made_pages import made, marked
from smash.workbench.pages.gallery import SCRIPTS, drawn, picture_of, scripts
from smash.workbench.pages.model_cards import cards
from smash.workbench.pages.records import Recorded
from smash.workbench.runs.kept_models import PRETRAINED


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


def test_every_figure_of_the_program_is_in_the_gallery(pages):
    folders = (ROOT / "smash" / "plots", ROOT / "smash" / "workbench" / "report")
    modules = [path for folder in folders for path in folder.glob("*.py")]
    public = re.compile(
        r"^def ([a-z]\w*)\((?:(?!^def ).)*?\) -> Figure\b", re.MULTILINE | re.DOTALL
    )
    drawing = {name for path in modules for name in public.findall(path.read_text())}
    assert {"coverage_curve", "pit_histograms", "future_maps"} <= drawing
    of_a_report = {name for name in drawing if "def " + name in PICTURES}
    assert {name for name in drawing - of_a_report if name not in pages["docs/gallery.md"]} == set()


PICTURES = (ROOT / "smash/workbench/report/pictures.py").read_text()
"""What chooses events for the figures of a report, which draws none of its own."""


@pytest.mark.parametrize("script", scripts(ROOT), ids=lambda path: path.stem)
def test_every_script_of_the_gallery_has_its_picture_and_calls_what_exists(script):
    assert (ROOT / picture_of(script.stem)).stat().st_size > 10_000
    for module, names in re.findall(r"^from (smash[\w.]*) import (.*)$", script.read_text(), re.M):
        found = importlib.import_module(module)
        assert all(hasattr(found, name.strip()) for name in names.strip("()").split(",") if name)


def test_a_script_of_the_gallery_draws():
    assert len(drawn(ROOT / SCRIPTS / "coverage.py").axes) == 2


def test_the_matrix_tells_forecasters_apart(pages):
    lines = pages["docs/forecasters.md"].splitlines()
    rows = {
        row[1]: row[2:-1] for row in ([c.strip() for c in x.split("|")] for x in lines) if row[1:]
    }
    assert rows["SMASH, score matching"][:3] == ["–"] * 3
    assert rows["climatology"][:4] == ["yes", "yes", "yes", "–"]
    assert "needed" in rows["etas"][5]
    assert len(rows) > 12


def test_every_kept_model_has_a_card_with_intervals(pages):
    kept = [path.parent.name for path in (ROOT / PRETRAINED).glob("*/manifest.json")]
    assert len(kept) >= 3
    for name in kept:
        card = pages[f"experiments/pretrained/{name}/README.md"]
        assert re.search(r"\| CRPS time \(\w+\) \| [\d.]+ \| [\d.]+ to [\d.]+ \|", card)
        assert all(f"## {part}" in card for part in ("Data", "Training", "Limits", "Licence"))


def test_a_card_says_that_a_run_is_not_recorded(pages):
    card = cards(ROOT, Recorded())["experiments/pretrained/crime/README.md"]
    assert "no intervals are known" in card


def test_all_commands_are_on_their_page(pages):
    page = pages["docs/commands.md"]
    assert all(f"## `smash {name}`" in page for name in ("run", "tune", "data check", "keep"))
    assert "`--horizon`" in page
