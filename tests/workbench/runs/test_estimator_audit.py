"""The audit of estimators: the default ones give a perfect forecaster chance alone."""

import json

import pytest
from tiny_runs import environment
from typer.testing import CliRunner

from smash.data.scaling import fit_scaler
from smash.model.smash import Smash
from smash.settings import ModelSettings, ScalingSettings, ScoreSettings, SimulatorSettings
from smash.simulate.simulator import simulate_dataset
from smash.workbench.cli.data import app
from smash.workbench.runs.estimator_audit import audited, perfect_table, some

LEVELS = ScoreSettings().levels
SMALL_AUDIT = ["estimators", "simulated", "--events", "40", "--samples", "10", "--summary"]


@pytest.fixture(scope="module")
def dataset():
    return simulate_dataset(SimulatorSettings(sequences=(20, 4, 12), events=(30, 40)))


def test_by_default_a_perfect_forecaster_scores_chance_and_more_as_published(
    dataset,
):
    perfect, climatology = audited(dataset, {}, 600, 100, LEVELS)
    assert (perfect["forecaster"], climatology["forecaster"]) == ("perfect", "climatology")
    assert max(perfect["cs_time"], perfect["cs_space"]) < 2.5 * perfect["floor"]
    assert perfect["cs_time_original"] > 4 * perfect["floor"]
    assert perfect["n"] == perfect["n_distinct"] == 600


def test_tested_forecasters_are_rows_as_they_are(dataset):
    table = perfect_table(dataset.train, 80, 20).drop(columns="level_time_original")
    rows = audited(dataset, {"climatology": table, "model": table}, 50, 20, LEVELS)
    assert [row["forecaster"] for row in rows] == ["perfect", "climatology", "model"]
    assert [row["n"] for row in rows] == [50, 80, 80]
    assert rows[2]["cs_time_original"] is None
    assert rows[2]["cs_space_original"] is not None


def test_some_sequences_have_about_the_number_of_events(dataset):
    assert some(dataset.test, 100).is_target.sum() == pytest.approx(100, abs=40)
    assert len(some(dataset.test, 1)) == 1
    assert len(some(dataset.test, 10**6)) == len(dataset.test)


def test_the_command_prints_the_rows_and_writes_them(tmp_path):
    path = tmp_path / "rows.json"
    done = CliRunner().invoke(app, [*SMALL_AUDIT, str(path)], env=environment())
    assert done.exit_code == 0, done.output
    rows = json.loads(path.read_text())["rows"]
    for row in rows:
        assert row["forecaster"] in done.output
        assert f"{100 * row['cs_time']:.2f}" in done.output


def test_a_saved_model_is_audited_beside(tmp_path, dataset):
    scaler = fit_scaler([dataset.train], ScalingSettings())
    Smash(ModelSettings(cond_dim=8, n_layers=1, num_units=8), 3, scaler).save(tmp_path / "model")
    path = tmp_path / "rows.json"
    done = CliRunner().invoke(app, [*SMALL_AUDIT, str(path), "--from", str(tmp_path / "model")])
    assert done.exit_code == 0, done.output
    perfect, climatology, model = json.loads(path.read_text())["rows"]
    assert model["forecaster"] == "model"
    assert model["n"] == climatology["n"]
    assert model["cs_time"] > 2 * perfect["cs_time"]  # it has learnt nothing yet


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("crimes",), "did you mean 'crime'"), (("simulated", "--from", "nowhere"), "nowhere")],
)
def test_what_is_not_there_is_said_in_a_line(arguments, said):
    done = CliRunner().invoke(app, ["estimators", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
