"""The published setting run by run, and the kept epochs of its training."""

import json
from dataclasses import replace

import made_up
import numpy as np
import pytest
from mlflow import MlflowClient

from smash.data.events import Targets
from smash.errors import DataError
from smash.law.samples import Forecast, Samples
from smash.workbench.pages.epochs import Detail, along_the_chain, epochs, without_epochs
from smash.workbench.pages.records import read_recorded, record
from smash.workbench.report.display_tables import cells
from smash.workbench.report.labels import Units
from smash.workbench.report.run_groups import arrange
from smash.workbench.report.run_store import open_store
from smash.workbench.runs.samples_file import SamplesWriter

TRAINED = "a" * 32


def of_epoch(epoch=None, seed=1, **about):
    """Returns the test of a published run, or of one of its kept epochs."""
    name = "crime-published" + ("" if epoch is None else f"-epoch-{epoch}")
    params = {"name": name, "protocol": "original", "sampling.sampler": "langevin"}
    tags = {"protocol": "original", **about.pop("tags", {})}
    made = made_up.run(name, seed=seed, params=params, tags=tags, **about)
    return replace(made, experiment=name)


def rows_of(table):
    return [[cell.text for cell in row] for row in cells(table)]


def test_every_run_and_every_kept_epoch_has_a_row_and_the_least_loss_is_the_chosen_one():
    runs = [of_epoch(), of_epoch(seed=2), of_epoch(40, cs_time_original=0.2), of_epoch(5)]
    losses = {5: 1.5, 30: 1.25, 40: 1.375}
    details = {
        run.run_id: Detail(losses, {}, 0.09, 0.0451) for run in runs if run.params["seed"] == "1"
    }
    (data,) = arrange(runs)
    table = epochs(data, details, Units("hours", "degrees"))
    rows = rows_of(table)
    assert [row[:6] for row in rows] == [
        ["1", "30, chosen", "langevin", "1.2500", "4.5", "14.00"],
        ["2", "–", "langevin", "–", "–", "14.00"],
        ["1", "5", "langevin", "1.5000", "4.5", "14.00"],
        ["1", "40", "langevin", "1.3750", "4.5", "20.00"],
    ]
    assert "9.0 % of the events have none" in table.notes[1]
    assert [group.first.experiment for group in without_epochs(data).models] == ["crime-published"]


def test_a_chain_is_shown_by_its_steps_the_last_one_always():
    run = of_epoch()
    chain = {100 * n: {"accuracy_original": n / 25} for n in range(1, 22)}
    (data,) = arrange([run])
    rows = rows_of(along_the_chain(data, {run.run_id: Detail({}, chain)}, Units("hours")))
    assert [row[0] for row in rows] == ["300", "600", "900", "1200", "1500", "1800", "2100"]
    assert rows[-1][-2] == "84.00"
    assert along_the_chain(data, {}, Units()) is None


def test_where_no_event_is_without_a_gap_the_table_says_nothing_of_such():
    run = of_epoch()
    (data,) = arrange([run])
    table = epochs(data, {run.run_id: Detail({30: 1.0})}, Units())
    assert "draws without a gap (%)" not in [column.heading for column in table.columns]
    assert len(table.notes) == 1


def test_without_such_runs_there_is_no_table():
    (data,) = arrange([replace(made_up.run("crime"), experiment="crime")])
    assert epochs(data, {}, Units()) is None


def test_a_record_keeps_the_losses_of_the_training_and_the_shares_without_a_gap(tmp_path):
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    trained = made_up.write(client, "crime-published", replace(of_epoch(), metrics={}))
    for epoch, loss in ((10, 2.0), (20, 1.5)):
        client.log_metric(trained, "validation/loss", loss, step=epoch)
    tested = made_up.write(
        client,
        "crime-published",
        of_epoch(tags={"from": f"runs/{trained}/checkpoints/epoch-00010"}),
    )
    targets = Targets(
        sequence=np.zeros(4, int), event=np.arange(1, 5), time=np.arange(4.0),
        gap=np.array([0.0, 2.0, 1.0, 3.0]), location=np.zeros((4, 2)), mark=None,
    )  # fmt: skip
    gaps = np.array([[0.1, 0.6], [0.0, 1.0], [2.0, 3.0], [0.4, 9.0]])
    with SamplesWriter(tmp_path / "samples.parquet") as kept:
        kept.write(Forecast(targets, Samples(gaps, np.zeros((4, 2, 2)))))
    for step, ece in ((250, 0.5), (500, 0.25)):
        client.log_metric(tested, "blocks/ece", ece, step=step)
    client.log_artifact(tested, str(tmp_path / "samples.parquet"), "samples")
    unknown = made_up.write(client, "crime-published", of_epoch(seed=2, tags={"from": TRAINED}))

    with open_store(f"sqlite:///{tmp_path / 'mlflow.db'}") as store:
        record(store, store.select(["crime-published"], ()), tmp_path / "kept")
    details = read_recorded(tmp_path / "kept").details
    assert details[tested] == Detail(
        {10: 2.0, 20: 1.5}, {250: {"ece": 0.5}, 500: {"ece": 0.25}}, 0.25, 3 / 8
    )
    assert details[unknown] == Detail()


def test_a_damaged_detail_is_one_error_that_names_the_file(tmp_path):
    run = {"run": {**of_epoch().__dict__}, "comparison": None, "detail": {"losses": {"ten": 1.0}}}
    (tmp_path / "crime.json").write_text(json.dumps({"format": 1, "runs": [run]}))
    with pytest.raises(DataError, match=r"crime\.json: not a record of runs"):
        read_recorded(tmp_path)


def test_a_key_that_a_run_is_older_than_has_its_default():
    older, newer = (of_epoch(seed=seed) for seed in (1, 2))
    newer = replace(newer, params=newer.params | {"sampling.cuda_graph": "auto"})
    (data,) = arrange([older, newer])
    assert [len(group.runs) for group in data.models] == [2]
    other = replace(newer, params=newer.params | {"sampling.cuda_graph": "true", "seed": "3"})
    (data,) = arrange([older, other])
    assert len(data.models) == 2
