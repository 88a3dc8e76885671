"""Published rows: all of them, and beside figures of the published estimators alone."""

import csv
from pathlib import Path

import pytest
from made_up import run

import smash.workbench.report.published_rows
from smash.workbench.report.display_tables import cells
from smash.workbench.report.labels import Units
from smash.workbench.report.run_groups import arrange
from smash.workbench.report.score_tables import beside_published

ROWS = list(
    csv.DictReader(
        Path(smash.workbench.report.published_rows.__file__)
        .with_name("published.csv")
        .read_text()
        .splitlines()
    )
)


def table(*runs):
    (data,) = arrange(runs)
    return beside_published(data, Units("hours", "degrees"))


@pytest.mark.parametrize("dataset", ["earthquake", "crime", "football"])
def test_every_published_row_stands_there_as_published(dataset):
    shown = {row[0].text: [cell.text for cell in row] for row in cells(table(run(dataset=dataset)))}
    published = [row for row in ROWS if row["dataset"] == dataset]
    assert len(published) == 8
    for row in published:
        cs = f"{float(row['cs_time_original']):.2f} ± {float(row['cs_time_original_sd']):.2f}"
        assert cs in shown[f"{row['method']}, published"]


def test_only_figures_of_the_published_estimators_stand_beside_them():
    keys = [column.key for column in table(run()).columns]
    figures = set(keys) - {"forecaster", "protocol"}
    assert figures == {
        *("cs_time_original", "mae_time", "cs_location_original"),
        *("mae_location", "accuracy_original", "ece"),
    }
    without = run(cs_time_original=None)
    del without.metrics["test/cs_time_original"]
    assert table(without) is None


def test_a_quick_run_does_not_compete_with_published_rows():
    quick = table(run(tags={"profile": "quick"}, mae_time=0.001))
    assert not any(cell.bold for cell in cells(quick)[0])
    assert any(cell.bold for cell in cells(table(run(mae_time=0.001)))[0])


def test_other_data_have_no_published_rows():
    assert table(run(dataset="taxis")) is None
