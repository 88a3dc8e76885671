"""A run's model in MLflow: one of them, whatever happens on the way, with its data and figures."""

import mlflow.artifacts
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model as PackedModel
from test_tracking import make_dataset, start

from smash.workbench.tracking import delivery, model_delivery
from smash.workbench.tracking.operations import Model, save_writes
from smash.workbench.tracking.server import find_run
from smash.workbench.tracking.store import connect


@pytest.fixture
def store(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return connect(f"models-{tmp_path.name}", uri, tmp_path / "spool")


@pytest.fixture
def packed(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    PackedModel().add_flavor("python_function", loader_module="nothing").save(folder / "MLmodel")
    return folder


def models(store):
    return list(store.client.search_logged_models([store.experiment_id]))


def test_a_model_stands_with_its_data_and_the_figures_it_was_scored_by(store, packed):
    dataset = make_dataset()
    with start(store) as run:
        run.log_dataset(dataset)
        run.log_metrics({"train/loss": 2.0})
        run.log_model(packed, "a/b: c", "smash", {"seed": 1})
        run.log_metrics({"test/crps": 0.5, "test/nan": float("nan"), "system/cpu": 3.0})
    [model] = models(store)
    assert (model.name, model.model_type, model.status) == ("a-b- c", "smash", "READY")
    assert model.params == {"seed": "1"}
    [figure] = model.metrics
    assert (figure.key, figure.value, figure.dataset_name) == ("test/crps", 0.5, dataset.name)
    found = find_run(run.run_id, store.uri)
    [given] = found.inputs.dataset_inputs
    assert figure.dataset_digest == given.dataset.digest
    assert [made.model_id for made in found.outputs.model_outputs] == [model.model_id]
    assert found.data.metrics.keys() == {"train/loss", "test/crps", "test/nan", "system/cpu"}
    about = PackedModel.load(_at(model))
    assert (about.run_id, about.model_id) == (run.run_id, model.model_id)


def _at(model):
    return mlflow.artifacts.download_artifacts(artifact_uri=model.artifact_location)


def test_a_resumed_run_goes_on_with_its_model(store, packed):
    run = start(store)
    run.log_dataset(make_dataset())
    run.log_model(packed, "first", "smash", {})
    run.close("KILLED")
    with store.resume(run.run_id, system_metrics=False) as again:
        again.log_dataset(make_dataset())
        again.log_metrics({"test/crps": 0.5})
        again.log_model(packed, "first", "smash", {})
    [model] = models(store)
    assert [figure.key for figure in model.metrics] == ["test/crps"]


def test_what_failed_half_way_is_gone_on_with(store, packed):
    away = [MlflowException("away")]

    class Flaky:
        def __getattr__(self, name):
            return getattr(store.client, name)

        def finalize_logged_model(self, *arguments):
            if away:
                raise away.pop()
            return store.client.finalize_logged_model(*arguments)

    run = start(store)
    write = Model(run.run_id, "m", "smash", (), str(packed))
    with pytest.raises(MlflowException):
        model_delivery.send_model(Flaky(), write)
    model_delivery.send_model(Flaky(), write)
    run.close()
    [model] = models(store)
    assert model.status == "READY"


def test_a_model_that_was_kept_is_sent_later(store, uri, packed, tmp_path):
    run = start(store)
    run.close()
    folder = tmp_path / "left"
    folder.mkdir()
    save_writes([Model(run.run_id, "later", "smash", (), str(packed))], folder / "writes.jsonl")
    assert delivery.resend(folder, uri) == {run.run_id}
    assert [model.name for model in models(store)] == ["later"]
