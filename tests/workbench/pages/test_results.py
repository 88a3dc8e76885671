"""Results kept as JSON, and the page that is made of them."""

import csv
import json
import re
from dataclasses import replace

import made_up
import pytest
from mlflow import MlflowClient
from tiny_runs import ROOT
from typer.testing import CliRunner

from smash.errors import DataError
from smash.workbench.cli.results import app
from smash.workbench.pages.ablations import ablations
from smash.workbench.pages.records import read_recorded, record
from smash.workbench.pages.reproduction import reproduction
from smash.workbench.pages.results_page import page, runs_csv
from smash.workbench.report.display_tables import cells
from smash.workbench.report.labels import Units
from smash.workbench.report.published_rows import published_smash
from smash.workbench.report.run_groups import arrange, latest
from smash.workbench.report.run_store import open_store
from smash.workbench.specs.experiment_spec import flatten, load_spec

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
    read = read_recorded(folder)
    runs = read.runs
    finished = [run for run in selection.runs if run.status == "FINISHED"]
    assert [run.run_id for run in runs] == [run.run_id for run in finished]
    for kept, held in zip(runs, finished, strict=True):
        tags = {k: v for k, v in held.tags.items() if k not in PRIVATE}
        assert kept == replace(held, tags={k: v for k, v in kept.tags.items() if k in tags})
        assert kept.tags["env/commit"] == "c0ffee00"
    assert read.comparisons == {}
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


def test_the_page_opens_with_the_models_beside_their_rivals_and_has_no_ids_or_commands(records):
    text = page(records[0])
    first = next(line for line in text.splitlines() if line.startswith("**"))
    assert first.startswith("**All forecasters on crime")
    assert text.index("climatology") < text.index("## Nats by part")
    assert "c0ffee00" not in text
    assert not any(run.run_id in text for run in records[1].runs)


def test_where_figures_come_from_stands_in_a_table_beside_the_page(records, tmp_path):
    out = tmp_path / "page.md"
    result = CliRunner().invoke(
        app, ["write", "--records", str(records[0]), "--out", str(out)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert "[page.csv](page.csv)" in out.read_text()
    beside = out.with_suffix(".csv").read_text()
    assert beside == runs_csv(records[0])
    rows = list(csv.DictReader(beside.splitlines()))
    finished = {run.run_id for run in records[1].runs if run.status == "FINISHED"}
    assert {row["run_id"] for row in rows} == finished
    assert {(row["commit"], row["threads"], row["data_digest"]) for row in rows} == {
        ("c0ffee00", "1", "d" * 64)
    }


def test_a_figure_that_no_run_has_is_a_goal_not_met(records, tmp_path):
    found = json.loads((records[0] / "crime.json").read_text())
    for one in found["runs"]:
        one["run"]["metrics"].pop("test/cs_time")
    (tmp_path / "crime.json").write_text(json.dumps(found))
    row = next(line for line in page(tmp_path).splitlines() if line.startswith("| CS time"))
    assert row.count("–") == 2
    assert row.rstrip(" |").endswith("no")


def test_runs_made_elsewhere_stay_in_a_record_and_quick_ones_do_not_come_into_it(tmp_path):
    for seed, profile in ((1, "full"), (2, "full"), (3, "quick")):
        uri = f"sqlite:///{tmp_path / str(seed)}.db"
        made = made_up.run(seed=seed, params={"name": "crime"}, tags={"profile": profile})
        made_up.write(MlflowClient(uri), "crime", made)
        with open_store(uri) as store:
            for _ in range(2):
                record(store, store.select(["crime"], ()), tmp_path / "kept")
    seeds = [run.params["seed"] for run in read_recorded(tmp_path / "kept").runs]
    assert seeds == ["1", "2"]


def test_a_model_scored_on_validation_data_alone_is_recorded_and_a_trial_is_not(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    made_up.write(MlflowClient(uri), "crime", validated("crime", 1))
    made_up.write(MlflowClient(uri), "crime", validated("crime", 2, tags={"trial": "0"}))
    with open_store(uri) as store:
        record(store, store.select(["crime"], ()), tmp_path / "kept")
    (run,) = read_recorded(tmp_path / "kept").runs
    assert run.params["seed"] == "1"
    assert not run.tested


def validated(experiment, seed=0, relative=0.9, tags=None, params=None, dataset="crime"):
    """Returns a run with scores on validation data alone."""
    params = {"name": experiment, "model.skip": "true"} | (params or {})
    run = made_up.run(experiment, None, seed, params=params, tags=tags or {}, dataset=dataset)
    scores = {"relative_score": relative, "crps_time": 1.0, "n_events": 10.0, "n_samples": 50.0}
    metrics = {f"validation/{name}": value for name, value in scores.items()}
    return replace(run, metrics=metrics, experiment=experiment)


def scored(experiment, protocol="strict", baseline=None, seed=0, started=0, **figures):
    tags = {"protocol": protocol, "data/time_unit": "hours"}
    tags |= figures.pop("tags", {})
    params, name = {"name": experiment, "protocol": protocol}, f"{experiment}-{protocol}"
    run = made_up.run(name, baseline, seed, params=params, tags=tags, **figures)
    return replace(run, experiment=experiment, started=started)


def rows_of(table):
    return {row[0].text: [cell.text for cell in row[1:]] for row in cells(table)}


def test_an_ablation_is_told_by_the_keys_that_differ_and_set_against_the_winner():
    runs = [validated("crime", seed, relative) for seed, relative in ((1, 0.90), (2, 0.92))]
    changes = {"model.skip": "false", "scores.futures_horizon": "3.0", "threads": "2"}
    runs.append(validated("crime-ablation-skip", 1, 0.95, params=changes))
    runs.append(validated("crime-other", 1, 0.8))
    runs.append(validated("crime-ablation-peeked", 1, 0.7, tags={"protocol": "original"}))
    (data,) = arrange(runs)
    rows = rows_of(ablations(data, Units()))
    assert list(rows) == ["crime", "crime-ablation-skip"]
    assert rows["crime"][:3] == ["nothing", "2", "0.9100 ± 0.0141"]
    assert rows["crime-ablation-skip"][0] == "model.skip=false (was true)"
    assert rows["crime-ablation-skip"][3] == "+0.0400"


def test_without_a_winner_ablations_say_so_and_without_ablations_there_is_no_table():
    (data,) = arrange([validated("crime-ablation-skip")])
    assert "No run of experiments/crime.yaml" in ablations(data, Units()).notes[-1]
    (data,) = arrange([validated("crime")])
    assert ablations(data, Units()) is None


def test_every_published_figure_stands_beside_ours_and_far_ones_are_marked():
    figures = {
        "cs_time_original": 0.0693,
        "mae_time": 1.30,
        "ece": 0.1136,
        "accuracy_original": 0.3,
    }
    runs = [scored("crime-published", "original", seed=seed, **figures) for seed in (1, 2, 3)]
    runs.append(scored("crime-published", cs_time_original=0.5, started=9))  # not what is meant
    (data,) = arrange(runs)
    rows = rows_of(reproduction(data, Units("hours", "degrees")))
    assert rows["CS time (%)"] == ["6.93 ± 0.36", "6.93 ± 0.00", "+0.0", "within"]
    assert rows["MAE time, mean (hours)"] == ["1.16 ± 0.06", "1.30 ± 0.00", "+2.3", "beyond"]
    assert rows["accuracy (%)"][2:] == ["−6.0", "beyond"]
    assert len(rows) == 6
    assert "seeds (1, 2, 3)" in reproduction(data, Units()).notes[0]


def test_far_figures_say_what_was_found_to_be_why_or_that_nothing_was():
    figures = {"cs_time_original": 0.5, "mae_time": 9.0, "accuracy_original": 0.394}
    (data,) = arrange([scored("crime-published", "original", **figures)])
    notes = reproduction(data, Units("hours", "degrees")).notes
    assert any(note.startswith("CS time (%): The loss that chooses") for note in notes)
    assert "MAE time, mean (hours): not explained yet." in notes
    assert not any(note.startswith("accuracy") for note in notes)


def test_reasons_are_of_figures_that_there_are():
    with (ROOT / "reports" / "reproduction.csv").open(encoding="utf-8") as lines:
        reasons = list(csv.DictReader(lines))
    assert reasons
    for reason in reasons:
        assert reason["figure"] in published_smash(reason["dataset"])
        assert reason["why"].strip()


def test_runs_of_other_settings_than_the_shipped_spec_are_told_by_the_keys():
    shipped = flatten(load_spec(ROOT / "experiments" / "published" / "crime.yaml"))
    for changes, said in (
        ({"seed": "9", "threads": "3"}, ""),
        ({"model.cond_dim": "8"}, "=8 (now"),
    ):
        run = replace(scored("crime-published", "original"), params=shipped | changes)
        (data,) = arrange([run])
        other = [note for note in reproduction(data, Units()).notes if "as it is now" in note]
        assert len(other) == bool(said)
        assert all(said in note for note in other)


def test_what_was_not_run_is_said_so_beside_goals_and_published_figures(tmp_path):
    text = page(tmp_path)
    for name, cs in (("crime", "6.93 ± 0.36"), ("earthquake", "3.53 ± 0.55"), ("football", "6.38")):
        part = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert f"Ours: not run yet. No run of experiments/published/{name}.yaml" in part
        assert cs in part
        assert f"Not run yet. No run of experiments/{name}.yaml is recorded" in part
        assert part.count("≤") + part.count("≥") == 9
        assert not re.search(r"\| (yes|no) \|", part)


def test_a_model_is_held_against_the_climatology_of_its_own_protocol():
    runs = [
        scored("c", "original", "climatology", crps_time=1.0),
        scored("c", "strict", "climatology", crps_time=2.0),
        scored("crime", "strict", crps_time=1.0),
        scored("crime-published", "original", crps_time=1.5),
    ]
    (data,) = arrange(runs)
    skill = {group.first.experiment: data.skill(group, "crps_time") for group in data.models}
    assert skill == {"crime": 0.5, "crime-published": -0.5}
    assert [group.first.experiment for group in data.under("strict").models] == ["crime"]


def test_of_several_settings_the_last_run_stands_for_an_experiment_whatever_it_scored():
    runs = [
        scored("crime", crps_time=0.5, started=1),
        replace(
            scored("crime", crps_time=0.9, started=2), params={"name": "crime", "model.x": "1"}
        ),
        scored("crime", crps_time=0.1, started=3, tags={"ensemble": "a, b"}),
        scored("crime", crps_time=0.2, started=4, tags={"profile": "quick"}),
    ]
    (data,) = arrange(runs)
    assert latest(data.models, "crime").mean("crps_time") == 0.9
    assert latest(data.models, "football") is None


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


def test_a_record_names_no_path_of_a_machine_and_keeps_what_was_asked_for(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    asked = {"from": "pretrained:football", "env/command": "run.py a.yaml --from runs/1"}
    machine = {
        "from": "/home/me/secret/pretrained/football",
        "changed/data.path": "/home/me/secret/a.csv",
        "data/warnings": "see /home/me/secret/a.csv: no header",
        "env/command": "run.py /home/me/secret/a.yaml --seed 1",
        "mlflow.note.content": "made in /home/me/secret",
    }
    for seed, tags in enumerate((asked, machine)):
        params = {"name": "crime", "data.path": machine["from"], "data.train": "data/train.csv"}
        made_up.write(client, "crime", made_up.run(seed=seed, params=params, tags=tags))
    with open_store(uri) as store:
        [path] = record(store, store.select(["crime"], ()), tmp_path / "kept")
    assert "secret" not in path.read_text()
    first, second = read_recorded(tmp_path / "kept").runs
    assert {key: first.tags[key] for key in asked} == asked
    assert first.params["data.train"] == "data/train.csv"
    assert second.tags["env/command"].endswith(" --seed 1")
    assert second.tags["data/warnings"].endswith("no header")
    assert not {"from", "changed/data.path"} & second.tags.keys()
    assert "data.path" not in second.params
