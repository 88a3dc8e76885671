"""Histories from files: read by the rules of `check`, one sequence at a time, by the same names."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic import random_sequences
from test_next_event import ABOUT, forecaster, quakes, untrained
from typer.testing import CliRunner

from smash.data.table_files import read_table
from smash.errors import DataError
from smash.forecast.histories import read_history
from smash.workbench.cli.app import app

OWN = replace(
    ABOUT,
    mark_names=("a", "b", "NA"),
    mark_edges=(),
    location_names=("lon", "lat"),
    time_column="when",
    mark_column="kind",
    sequence_column="trip",
)


def own(**columns) -> pd.DataFrame:
    table = quakes(mark=["a", "b", "NA"], trip=["01", "01", "2"])
    names = {"time": "when", "x": "lon", "y": "lat", "mark": "kind"}
    return table.rename(columns=names).assign(**columns)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model that knows the columns of its own table."""
    folder = tmp_path_factory.mktemp("own") / "model"
    untrained(about=OWN).save(folder)
    return folder


def forecast(folder, table: pd.DataFrame, *options, model):
    path = folder / "mine.csv"
    table.to_csv(path, index=False)
    arguments = ["forecast", str(model), str(path), "--paths", "2", "--horizon", "1h"]
    return CliRunner().invoke(app, [*arguments, *map(str, options)], env={"COLUMNS": "200"})


def next_event(folder, table: pd.DataFrame, form: str = "csv", **options):
    path = folder / f"mine.{form}"
    table.to_csv(path, index=False)
    return forecaster(about=OWN).next(read_table(path), **options).samples


def test_one_history_of_several_is_asked_for_by_name(tmp_path, model):
    merged = forecast(tmp_path, own(), model=model)
    assert merged.exit_code == 2
    assert "column 'trip' holds 2 sequences ('01', '2')" in merged.output
    assert "--history NAME" in merged.output
    alone = forecast(tmp_path, own()[:2], model=model)
    chosen = forecast(tmp_path, own(), "--history", "1", model=model)
    assert chosen.exit_code == 0, chosen.output
    assert chosen.stdout == alone.stdout
    unknown = forecast(tmp_path, own(), "--history", "3", model=model)
    assert "no sequence '3' in column 'trip'" in unknown.output
    as_one = forecast(tmp_path, own(), "--sequence", "", model=model)
    assert as_one.exit_code == 0
    assert as_one.stdout == forecast(tmp_path, own().drop(columns="trip"), model=model).stdout


def test_what_training_left_out_is_left_out_of_histories_too():
    table = quakes().assign(size=[2.0, 3.0, 1.0])
    cut = replace(ABOUT, magnitude_column="size", completeness=2.0)
    every, kept = (read_history(table, about, 3) for about in (ABOUT, cut))
    assert kept.notes == ("1 events below magnitude 2 left out, as in training",)
    np.testing.assert_array_equal(kept.events.time, every.events.time[:2])
    np.testing.assert_array_equal(kept.events.magnitude, [2.0, 3.0])
    # The row that is left out says how long none came.
    assert kept.now == every.now > kept.last
    low, high = every.events.location.min(axis=0) - 1, every.events.location.max(axis=0) + 1
    middle = float(np.sort(every.events.location[:, 0])[0]) + 1e-6
    corners = ((middle, low[1]), (high[0], low[1]), (high[0], high[1]), (middle, high[1]))
    within = read_history(table, replace(ABOUT, region=corners), 3)
    assert len(within) == 2
    assert within.notes == ("1 events beyond the region left out, as in training",)
    assert read_history(quakes(), cut, 3).notes == ()


def test_a_table_without_rows_is_forecast_from_where_its_window_starts(tmp_path, model):
    nothing, since = own()[:0], ("--start", "2024-04-01", "--now", "2024-04-02")
    refused = forecast(tmp_path, nothing, *since, model=model)
    assert refused.exit_code == 2
    assert "no law of a first event" in refused.output
    kept = untrained(about=OWN)
    kept.first.fit(random_sequences([20] * 40, seed=1), 3)
    kept.save(tmp_path / "kept")
    assert forecast(tmp_path, nothing, *since, model=tmp_path / "kept").exit_code == 0
    unsaid = forecast(tmp_path, nothing, model=tmp_path / "kept")
    assert "say when the forecast is made" in unsaid.output


def test_a_sequence_column_may_be_named_where_training_had_none(tmp_path, model):
    table = own().rename(columns={"trip": "case"})
    assert forecast(tmp_path, table, model=model).exit_code == 0
    refused = forecast(tmp_path, table, "--sequence", "case", model=model)
    assert "column 'case' holds 2 sequences" in refused.output
    assert "name the column of sequences" in (
        forecast(tmp_path, table, "--history", "2", model=model).output
    )
    empty = own(case=["1", None, "1"]).drop(columns="trip")
    said = forecast(tmp_path, empty, "--sequence", "case", "--history", "1", model=model)
    assert "mine.csv, row 3: column 'case' is empty" in said.output


def test_columns_are_those_of_the_training_table_unless_named(tmp_path, model):
    known = forecast(tmp_path, own()[:2], model=model)
    usual = own()[:2].rename(columns={"when": "time", "lon": "x", "lat": "y", "kind": "mark"})
    assert known.exit_code == 0, known.output
    assert forecast(tmp_path, usual, model=model).stdout == known.stdout
    other = own()[:2].rename(columns={"when": "at"})
    assert forecast(tmp_path, other, "--time", "at", model=model).stdout == known.stdout
    assert "no column 'time'" in forecast(tmp_path, other, model=model).output


def test_the_newest_may_come_first_and_blanks_may_follow(tmp_path):
    table = own(trip="1")
    first = next_event(tmp_path, table)
    path = tmp_path / "backwards.csv"
    table.assign(kind=table["kind"] + "  ")[::-1].to_csv(path, index=False)
    event = forecaster(about=OWN).next(read_table(path))
    pd.testing.assert_frame_equal(event.samples, first)
    assert "2 rows came before the row above them: sorted by time" in event.warnings


def test_a_wrong_cell_is_named_by_file_row_and_column(tmp_path, model):
    wrong = {
        "row 3: column 'lat' holds 'north', which is not a number": {"lat": [0.0, "north", 1.0]},
        "row 4: mark 'c' is unknown; known are 'a', 'b', 'NA'": {"kind": ["a", "b", "c"]},
        "row 2: the mark (column 'kind') is missing": {"kind": [None, "b", "a"]},
        "row 4: time 2200-01-01 00:00:00 UTC lies after": {
            "when": ["2024-04-01", "2024-04-02", "2200-01-01"]
        },
    }
    for message, columns in wrong.items():
        done = forecast(tmp_path, own(trip="1", **columns), model=model)
        assert done.exit_code == 2
        assert f"error: {tmp_path / 'mine.csv'}, {message}" in done.output


def test_places_have_the_digits_of_the_history(tmp_path):
    """A metre of a place in metres is not lost on the way to the terminal."""
    metres = replace(OWN, location_unit="m")
    folder = tmp_path / "metres"
    untrained(about=metres).save(folder)
    table = own(trip="1", lon=[5985.82, 4214.25, 1718.2], lat=[4641.67, 4643.7, 4.5])
    done = forecast(tmp_path, table, "--out", tmp_path / "futures.parquet", model=folder)
    assert done.exit_code == 0, done.output
    [row] = [line for line in done.stdout.splitlines() if "lon, lat (median)" in line]
    x, y = row.strip(" │").split("│")[1].split(",")
    assert min(len(number.partition(".")[2].strip()) for number in (x, y)) >= 2
    assert pd.read_parquet(tmp_path / "futures.parquet")["x"].dtype == np.float64
    whole = forecaster(about=metres)._read(own(trip="1"), None, None, None, None)
    assert whole.decimals == 1


def test_a_sequence_is_chosen_in_python_too():
    table = own()
    one = forecaster(about=OWN).next(table, sequence="01").samples
    pd.testing.assert_frame_equal(one, forecaster(about=OWN).next(table[:2]).samples)
    with pytest.raises(DataError, match="holds 2 sequences"):
        forecaster(about=OWN).next(table)
