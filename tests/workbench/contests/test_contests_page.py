"""The page of contests is what the kept rows give."""

from pathlib import Path

import smash.workbench.contests.contests_page as made

ROOT = Path(__file__).parents[3]
RECORDS, PAGE = ROOT / "experiments" / "contests", ROOT / "docs" / "contests.md"


def test_the_page_of_contests_is_that_of_the_rows():
    assert PAGE.read_text(encoding="utf-8") == made.page_of(RECORDS)


def test_the_picture_that_the_page_names_is_there():
    named = "docs/ladders.png" in PAGE.read_text(encoding="utf-8")
    assert named == (RECORDS / made.LADDERS).exists()
    assert not named or (ROOT / "docs" / "ladders.png").exists()
