"""Results kept as JSON, and the page that is made of them."""

import json
from dataclasses import replace

import made_up
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from reports.recorded import read_recorded, record
from reports.results import app, page
from reports.store import open_store
from smash.errors import DataError

PUBLIC = {"env/commit": "c0ffee00", "env/threads": "1", "data/time_unit": "hours"}
PRIVATE = {"env/host": "my-laptop", "mlflow.user": "my-login"}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(uri)
    good = {"cs_time": 0.01, "mae_time_median": 2.0, "mark_log_loss": 1.0, "crps_time": 0.9}
    tags = PUBLIC | PRIVATE
    for seed in (1, 2):
        params = {"name": "crime"}
        made_up.write(client, "crime", made_up.run(seed=seed, params=params, tags=tags, **good))
    climatology = made_up.run("c", "climatology", params={"name": "crime"}, tags=tags)
    made_up.write(client, "crime", climatology)
    made_up.write(client, "crime", made_up.run(seed=3, params={"name": "crime"}), "FAILED")
    with open_store(uri) as store:
        selection = store.select(["crime"], ())
        paths = record(store, selection, folder / "kept")
    assert [path.name for path in paths] == ["crime.json"]
    return folder / "kept", selection


def test_what_is_read_is_what_the_store_held_but_for_names_of_people_and_machines(records):
    folder, selection = records
    runs, comparisons = read_recorded(folder)
    finished = [run for run in selection.runs if run.status == "FINISHED"]
    assert [run.run_id for run in runs] == [run.run_id for run in finished]
    for kept, held in zip(runs, finished, strict=True):
        tags = {k: v for k, v in held.tags.items() if k not in PRIVATE}
        assert kept == replace(held, tags={k: v for k, v in kept.tags.items() if k in tags})
        assert kept.tags["env/commit"] == "c0ffee00"
    assert comparisons == {}
    assert not any(word in (folder / "crime.json").read_text() for word in PRIVATE.values())


def test_the_page_holds_every_goal_met_or_not(records):
    text = page(records[0])
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    met = {row[0]: row[-1] for row in rows if row[-1] in ("yes", "no")}
    assert met["CS time (%)"] == "yes"
    assert met["MAE time, median (hours)"] == "no"
    assert met["mark log loss (nats)"] == "yes"
    assert met["skill time, CRPS time (%)"] == "yes"  # 1 - 0.9 / 1.0
    assert met["skill location, energy score location (%)"] == "no"
    assert len(met) == 9


def test_a_figure_that_no_run_has_is_a_goal_not_met(records, tmp_path):
    found = json.loads((records[0] / "crime.json").read_text())
    for one in found["runs"]:
        one["run"]["metrics"].pop("test/cs_time")
    (tmp_path / "crime.json").write_text(json.dumps(found))
    row = next(line for line in page(tmp_path).splitlines() if line.startswith("| CS time"))
    assert row.count("–") == 2
    assert row.rstrip(" |").endswith("no")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 0}', '{"format": 1, "runs": [{"run": {}}]}']
)
def test_a_file_that_is_no_record_is_named(tmp_path, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(DataError, match=r"broken\.json: not (a record|readable).*record"):
        read_recorded(tmp_path)
    result = CliRunner().invoke(app, ["write", "--records", str(tmp_path), "--out", "x.md"])
    assert result.exit_code == 2
    assert "broken.json" in result.output
