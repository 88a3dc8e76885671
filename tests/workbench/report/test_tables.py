"""Tables: what is bold, how numbers are shown, and that text stays text in every format."""

import csv
import io
import sys

import numpy as np
import pytest
from made_up import run

from smash.workbench.report.density_tables import log_losses
from smash.workbench.report.display_tables import (
    Column,
    Row,
    Table,
    Value,
    cells,
    to_csv,
    to_latex,
    to_markdown,
)
from smash.workbench.report.labels import Units
from smash.workbench.report.run_groups import arrange, by_setting

NAME = Column("name", "forecaster")
LOW = Column("score", "score (s)", best="low")


def table(rows, *columns, **options):
    return Table("key", "Caption.", [NAME, *(columns or (LOW,))], rows, **options)


def bold(shown):
    return [[cell.text for cell in row if cell.bold] for row in cells(shown)]


def test_the_best_is_bold_and_so_is_what_looks_equal():
    rows = [Row({"name": n, "score": v}) for n, v in (("a", 1.23456), ("b", 1.23457), ("c", 2.0))]
    assert bold(table(rows)) == [["1.235"], ["1.235"], []]


def test_the_highest_is_bold_where_more_is_better():
    rows = [Row({"name": "a", "score": 0.5}), Row({"name": "b", "score": 0.75})]
    assert bold(table(rows, Column("score", "accuracy", best="high"))) == [[], ["0.7500"]]


def test_only_rows_of_one_contest_compete_and_one_alone_wins_nothing():
    rows = [Row({"score": 1.0}, "all"), Row({"score": 2.0}, "all"), Row({"score": 0.5}, "few")]
    assert bold(table(rows)) == [["1.000"], [], []]
    assert bold(table([Row({"score": 9.0}, None), *rows])) == [[], ["1.000"], [], []]


def test_an_infinite_score_of_one_seed_is_infinite_over_all():
    as_kept = (2.0, sys.float_info.max)
    seeds = [run(seed=seed, time_mark_log_loss=loss) for seed, loss in enumerate(as_kept)]
    value = by_setting(seeds)[0].value("time_mark_log_loss")
    assert value == Value(np.inf)
    assert cells(table([Row({"score": value})]))[0][1].text == "∞"
    for losses, explained in (((2.0, 2.5), False), (as_kept, True)):
        (data,) = arrange(run(seed=s, time_mark_log_loss=v) for s, v in enumerate(losses))
        notes = log_losses(data, Units()).notes
        assert any(note.startswith("∞: ") for note in notes) == explained


def test_a_score_that_is_not_a_number_is_said_and_never_wins():
    rows = [Row({"score": float("nan")}), Row({"score": 2.0}), Row({"score": 3.0})]
    assert [row[1].text for row in cells(table(rows))] == ["not a number", "2", "3"]
    assert bold(table(rows)) == [[], ["2"], []]


def test_a_column_has_equal_decimals_as_many_as_its_largest_value_needs():
    rows = [Row({"score": v}) for v in (0.040412, 0.057)]
    assert [row[1].text for row in cells(table(rows))] == ["0.04041", "0.05700"]
    rows = [Row({"score": v}) for v in (25.5162, 0.5)]
    assert [row[1].text for row in cells(table(rows))] == ["25.52", "0.50"]


def test_deviations_and_intervals_stand_beside_the_mean():
    column = Column("score", "skill (%)", factor=100, decimals=1, signed=True)
    rows = [
        Row({"score": Value(0.012, sd=0.003)}),
        Row({"score": Value(-0.5, low=-0.6, high=-0.4)}),
    ]
    shown = [row[1].text for row in cells(table(rows, column))]
    assert shown == ["+1.2 ± 0.3", "−50.0 (−60.0 to −40.0)"]


def test_a_number_breaks_before_its_interval_alone_and_text_anywhere():
    rows = [Row({"name": "of (two) words", "score": Value(1500.5, 0.25, low=1, high=2000)})]
    name, score = cells(table(rows, Column("score", "score (s)", decimals=1)))[0]
    assert name.wrapping == "of (two) words"
    assert score.wrapping.split(" ") == [
        "1\u202f500.5\u00a0±\u00a00.2",
        "(1.0\u00a0to\u00a02\u202f000.0)",
    ]


def test_csv_holds_every_row_unrounded():
    rows = [Row({"name": "a, b", "score": Value(1 / 3, sd=0.1)}), Row({"name": "c", "score": 2.5})]
    read = list(csv.DictReader(io.StringIO(to_csv(table(rows, most=1)))))
    assert [float(row["score"]) for row in read] == [1 / 3, 2.5]
    assert [row["score_sd"] for row in read] == ["0.1", ""]
    assert read[0]["name"] == "a, b"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_text_of_a_csv_is_a_formula(start):
    evil = f"{start}HYPERLINK(1)"
    text = to_csv(table([Row({"name": evil, "score": -1.5})], Column(evil, "x"), LOW))
    for row in csv.reader(io.StringIO(text)):
        assert all(cell.startswith("'") for cell in row if "HYPERLINK" in cell)
    assert text.count("HYPERLINK") == 2


@pytest.mark.parametrize("number", ["-1", "-1.5e-3", "+2", "-inf", "-0.0"])
def test_numbers_of_a_csv_stay_numbers(number):
    rows = [Row({"name": number, "score": float(number)})]
    (read,) = csv.DictReader(io.StringIO(to_csv(table(rows))))
    assert read == {"name": number, "score": str(float(number))}


def test_rows_beyond_the_most_are_counted_not_shown():
    shown = table([Row({"name": str(i)}) for i in range(5)], most=3)
    assert len(cells(shown)) == 3
    assert shown.remarks() == ["2 more rows are in key.csv."]


EVIL = r"\input{x} $a_b$ & 50% #1 ~^ <script> | `c` *d*" + "\n\x00"


def test_latex_prints_markup_and_breaks_no_line():
    text = to_latex(table([Row({"name": EVIL, "score": 1.0})], notes=[EVIL]))
    for escaped in (r"\textbackslash{}input\{x\}", r"\$a\_b\$", r"\&", r"50\%", r"\#1"):
        assert text.count(escaped) == 2
    assert "<script>" not in text
    assert r"\input" not in text
    assert "\x00" not in text


@pytest.mark.parametrize("writer", [to_latex, to_markdown])
def test_each_row_is_a_line(writer):
    few, more = (writer(table([Row({"name": EVIL})] * n)) for n in (1, 2))
    assert len(more.splitlines()) == len(few.splitlines()) + 1


def test_markdown_has_as_many_cells_as_columns_and_bold_best():
    text = to_markdown(table([Row({"name": "a|b", "score": 1.0}), Row({"name": "c", "score": 2})]))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {3}
    assert "**1**" in rows[2]
