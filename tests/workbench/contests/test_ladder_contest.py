"""Skill and distance from the oracle, of rows of a contest on ladders."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from smash.errors import DataError, SpecError
from smash.plots.ladder_figure import ladder_figure
from smash.settings import SimulatorSettings
from smash.workbench.cli.app import app
from smash.workbench.contests import grounds
from smash.workbench.contests.contest_rows import Asked, ContestRow
from smash.workbench.contests.contests_page import page_of
from smash.workbench.contests.ladder_contest import climbs, ladder_table, read_climbs, rung_names


def row(data: str, forecaster: str, **figures: float) -> ContestRow:
    asked = Asked(data, forecaster, 0, 1.0, 1.0, 2, 0, {})
    return ContestRow(asked, {f"{name}_log_loss": value for name, value in figures.items()})


def test_distance_and_skill_add_up_to_what_there_is_to_know():
    rung = "ladder:seasonality:3"
    losses = {"oracle": 1.0, "climatology": 1.5, "mine": 1.2}
    rows = [row(rung, name, unmarked=loss) for name, loss in losses.items()]
    rows += [row("crime", "mine", unmarked=9.0), ContestRow(rows[0].asked, reason="ill")]
    found = climbs(rows).set_index("forecaster")
    assert found.loc["mine", ["distance", "skill"]].tolist() == pytest.approx([0.2, 0.3])
    assert found["distance"].add(found["skill"]).to_numpy() == pytest.approx([0.5] * 3)
    assert found.loc["mine", "value"] == 0.75
    assert climbs(rows[1:3]).empty  # nobody there knows the law


def test_a_ladder_of_marks_is_climbed_by_whole_events_of_those_who_know_marks():
    rung = "ladder:marks:0"
    rows = [
        row(rung, "oracle", unmarked=1.0, event=2.0, mark_given_time=1.0),
        row(rung, "climatology", unmarked=1.0, event=2.5, mark_given_time=1.5),
        row(rung, "unmarked", unmarked=1.0, event=1.0),
    ]
    found = climbs(rows).set_index("forecaster")
    assert list(found.index) == ["oracle", "climatology"]
    assert found.loc["climatology", "distance"] == 0.5


def test_the_command_makes_table_and_figure_of_which_the_page_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(grounds, "RUNGS", SimulatorSettings(sequences=(12, 4, 4), events=(6, 9)))
    outputs = [
        "--figure",
        str(tmp_path / "new" / "l.png"),
        "--table",
        str(tmp_path / "ladders.csv"),
    ]
    arguments = ["contest", "ladder", "inhibition", "--forecasters", "poisson", "--samples", "2"]
    arguments += ["--into", str(tmp_path / "rows"), *outputs]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = read_climbs(tmp_path / "ladders.csv")
    assert len(found) == 5 * 3
    figure = ladder_figure(found)
    assert len(figure.axes) >= 2
    assert (tmp_path / "new" / "l.png").read_bytes()[:4] == b"\x89PNG"
    table = ladder_table("inhibition", found)
    assert [r.values["forecaster"] for r in table.rows] == ["climatology", "poisson"]
    assert "Ladder inhibition" in page_of(tmp_path)
    again = CliRunner().invoke(app, arguments)
    assert again.output.count("kept: ") == 15


def test_what_is_not_known_is_said(tmp_path):
    with pytest.raises(SpecError, match="known are marks"):
        rung_names(["mraks"])
    (tmp_path / "ladders.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"ladders\.csv: no table"):
        read_climbs(tmp_path / "ladders.csv")
    pd.DataFrame(columns=["a"]).to_csv(tmp_path / "empty.csv")
    arguments = ["contest", "ladder", "--figure", str(tmp_path / "l.txt")]
    result = CliRunner().invoke(app, [*arguments, "--into", str(tmp_path / "rows")])
    assert result.exit_code == 2
    assert "ends with none of" in result.output
