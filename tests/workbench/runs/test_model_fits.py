"""Models trained within a budget of processor seconds, without a run."""

import pytest
import torch
from tiny_runs import TINY

from smash.model.training import Trainer
from smash.workbench.runs.model_fits import fit_within
from smash.workbench.specs.experiment_spec import spec_from_mapping


@pytest.fixture
def fit(small_dataset, prepared, monkeypatch):
    """Fits the tiny model; returns it with the numbers of epochs of all trainings."""
    training = TINY["training"] | {"total_epochs": 3, "warmup_epochs": 2}
    spec = spec_from_mapping({**TINY, "training": training})
    whole, trained = Trainer.fit, []

    def counted(trainer):
        found = whole(trainer)
        trained.append(len(found.records))
        return found

    monkeypatch.setattr(Trainer, "fit", counted)

    def fitted(budget):
        trained.clear()
        model = fit_within(spec, small_dataset, prepared, "cpu", budget)
        return model.state_dict(), list(trained)

    return fitted


def test_a_budget_that_holds_all_epochs_changes_nothing(fit):
    whole, trained = fit(None)
    assert trained == [3]
    within, trained = fit(1e6)
    assert trained == [1, 3]
    assert whole.keys() == within.keys()
    assert all(torch.equal(whole[name], within[name]) for name in whole)


def test_a_small_budget_is_one_epoch(fit):
    _, trained = fit(1e-3)
    assert trained == [1]


def test_as_many_epochs_are_trained_as_the_rest_of_the_budget_holds(fit, monkeypatch):
    clock = iter([0.0, 10.0, 30.0])  # 10 s made, 20 s an epoch
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    _, trained = fit(75)  # three epochs, the first of which is done
    assert trained == [1, 2]
