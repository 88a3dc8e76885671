"""A study from its spec to its best one: what is tried, kept, tracked and handed back."""

import numpy as np
import pytest
from optuna.trial import TrialState
from tiny_runs import ROOT, Workshop
from tiny_studies import StudyRoom

from smash.model.training import Trainer
from smash.workbench.cli.tune import STUDIES
from smash.workbench.search.study_spec import load_search
from smash.workbench.specs.experiment_spec import flatten, load_spec

PUBLISHED = ROOT / "experiments" / "published"


def test_the_published_setting_comes_first_and_is_set_against_the_best(studied):
    first = studied.trials()[0]
    assert first.params == {"model.sigma_time": 0.2, "model.cond_dim": 8}
    assert first.user_attrs["published"]
    parent = studied.parent().data
    best = min(trial.value for trial in studied.trials())
    assert parent.metrics["published/relative_score"] == first.value
    assert parent.metrics["best/relative_score"] == best <= first.value


def test_the_end_shows_the_gain_and_says_that_test_data_were_left_alone(studied):
    shown = studied.run()  # once more: the budget is spent, so nothing is run
    assert "published" in shown.stdout
    assert "best (trial" in shown.stdout
    assert "test data were not touched" in shown.stderr
    assert str(studied.best().relative_to(studied.folder)) in shown.stderr
    assert len(studied.trials()) == 3


def test_a_study_is_a_run_and_its_trials_are_the_runs_below_it(studied):
    parent, children = studied.parent(), studied.children()
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["study"] == "study"
    assert sorted(children) == [0, 1, 2]
    for trial in studied.trials():
        run = children[trial.number]
        assert trial.user_attrs["mlflow_run"] == run.info.run_id
        assert run.info.status == "FINISHED"
        tags = ("study", "trial", "state")
        assert [run.data.tags[t] for t in tags] == ["study", str(trial.number), "complete"]
        assert run.data.metrics["validation/relative_score"] == trial.value
        assert float(run.data.params["model.sigma_time"]) == trial.params["model.sigma_time"]
        assert len(studied.client.get_metric_history(run.info.run_id, "train/loss")) == 2
    assert [n for n, run in children.items() if "published" in run.data.tags] == [0]


def test_the_studys_run_has_its_plots_its_table_and_its_best_spec(studied):
    parent = studied.parent()
    names = {item.path for item in studied.client.list_artifacts(parent.info.run_id, "figures")}
    plots = ("history", "importances", "parallel_coordinate", "contour", "slice")
    assert names == {f"figures/{name}.png" for name in plots}
    table = studied.table()
    assert table["trial"].tolist() == [0, 1, 2]
    assert table["validation/relative_score"].tolist() == [t.value for t in studied.trials()]
    logged = studied.artifact(parent, "best.yaml").read_text()
    assert logged == studied.best().read_text()


def test_the_best_spec_gives_the_trials_score_again_bit_for_bit(studied):
    best = min(studied.trials(), key=lambda trial: trial.value)
    spec = load_spec(studied.best())
    assert spec.threads == 1
    assert spec.model.sigma_time == best.params["model.sigma_time"]
    again = Workshop(studied.folder).run(str(studied.best()), "--stage", "train")
    figures = best.user_attrs["figures"]
    assert {f"validation/{name}": v for name, v in figures.items()}.items() <= again.metrics.items()
    assert figures["relative_score"] == best.value
    assert not again.test_metrics


def test_trials_that_differ_in_sampling_alone_share_a_training(tmp_path):
    steps = [0.005, 0.001, 0.02]
    room = StudyRoom.at(
        tmp_path, space={"langevin_step": steps}, search={"sampler": "grid"}, budget={"trials": 9}
    )
    room.run()
    trials = room.trials()
    assert sorted(t.params["sampling.langevin_step"] for t in trials) == sorted(steps)
    assert [t.user_attrs["cost"]["epochs_trained"] for t in trials] == [2, 0, 0]
    assert len(list((room.folder / "runs" / "cache").glob("*/training.json"))) == 1
    assert len({t.value for t in trials}) == 3  # sampled apart all the same
    losses = [
        [row.value for row in room.client.get_metric_history(run.info.run_id, "train/loss")]
        for run in room.children().values()
    ]
    assert losses[0] == losses[1] == losses[2]
    assert {run.data.tags["epochs_trained"] for run in room.children().values()} == {"2", "0"}


def test_other_events_or_other_training_keys_are_trained_anew(tmp_path):
    room = StudyRoom.at(tmp_path, space={"langevin_step": [0.005]}, budget={"trials": 1})
    for name, change in (("a", "seed=5"), ("b", "loss_lambda=0.4"), ("c", "simulator.seed=1")):
        room.run("--set", f"name={name}", "--set", change)
        assert room.trials(name)[0].user_attrs["cost"]["epochs_trained"] == 2
    room.run("--set", "name=d")
    assert room.trials("d")[0].user_attrs["cost"]["epochs_trained"] == 0


def test_a_training_that_was_broken_off_goes_on_where_it_was(room, monkeypatch):
    epochs = []
    original = Trainer._epoch

    def epoch(self, number):
        if len(epochs) == 1:
            epochs.append("broken off")
            raise KeyboardInterrupt
        epochs.append(number)
        return original(self, number)

    monkeypatch.setattr(Trainer, "_epoch", epoch)
    broken = room.invoke("--trials", "1")
    assert broken.exit_code == 130
    assert room.parent().info.status == "KILLED"
    room.run("--trials", "1")
    assert epochs == [0, "broken off", 1]
    first, second = room.trials()
    assert first.state == TrialState.FAIL
    assert second.state == TrialState.COMPLETE
    assert second.params == first.params
    assert second.user_attrs["published"]
    assert room.table()["state"].tolist() == ["lost", "complete"]
    assert room.children()[0].data.tags["state"] == "interrupted"


def test_more_trials_go_on_with_the_same_study_and_run(room):
    room.run("--trials", "1")
    before, parent = room.trials(), room.parent()
    room.run("--trials", "2")
    after = room.trials()
    assert len(after) == 2
    assert after[0].params == before[0].params
    assert room.parent().info.run_id == parent.info.run_id
    assert sorted(room.children()) == [0, 1]


def test_a_trial_that_fails_is_recorded_with_its_error_and_the_study_goes_on(tmp_path, monkeypatch):
    rate_of = Trainer.learning_rate

    def learning_rate(trainer, epoch):
        """Returns the epoch's rate, one that diverges where it is set to 0.5."""
        return 1e30 if trainer.settings.learning_rate == 0.5 else rate_of(trainer, epoch)

    monkeypatch.setattr(Trainer, "learning_rate", learning_rate)
    rates = [0.001, 0.5, 0.002]
    room = StudyRoom.at(
        tmp_path,
        space={"training.learning_rate": rates},
        search={"sampler": "grid"},
        budget={"trials": 9},
    )
    room.run("--set", "warmup_epochs=0")
    by_rate = {t.params["training.learning_rate"]: t for t in room.trials()}
    failed = by_rate.pop(0.5)
    assert failed.state == TrialState.FAIL
    assert {trial.state for trial in by_rate.values()} == {TrialState.COMPLETE}
    run = room.children()[failed.number]
    assert run.info.status == "FAILED"
    assert run.data.tags["state"] == "fail"
    assert run.data.tags["error"] == failed.user_attrs["error"]
    assert "the loss is" in failed.user_attrs["error"]
    assert "Traceback" in room.artifact(run, "error.txt").read_text()


def test_a_trial_taken_for_lost_while_it_ran_is_tried_again_and_its_run_says_so(room, monkeypatch):
    def silent_for_long(*_):
        monkeypatch.setattr(
            "smash.workbench.search.trial.validate", lambda *_: {"relative_score": 1.0}
        )
        room.study().tell(0, state=TrialState.FAIL)
        return {"relative_score": 2.0}

    monkeypatch.setattr("smash.workbench.search.trial.validate", silent_for_long)
    room.run("--trials", "1")
    assert [trial.state.name for trial in room.trials()] == ["FAIL", "COMPLETE"]
    ends = [(run.data.tags["state"], run.info.status) for _, run in sorted(room.children().items())]
    assert ends == [("lost", "KILLED"), ("complete", "FINISHED")]


def test_failures_in_a_row_end_the_call_with_the_last_error(room, monkeypatch):
    def fail(*_):
        raise MemoryError("no more memory")

    monkeypatch.setattr("smash.workbench.search.trial.validate", fail)
    result = room.invoke("--trials", "9", "--set", "failures=2")
    assert result.exit_code == 2
    assert "2 trials in a row failed" in result.stderr
    assert "MemoryError: no more memory" in result.stderr
    assert len(room.trials()) == 2
    monkeypatch.undo()
    room.run("--trials", "3", "--set", "failures=2")  # the next call tries on
    assert [trial.state.name for trial in room.trials()] == ["FAIL", "FAIL", "COMPLETE"]


def test_the_pruner_hears_the_validation_loss_and_spares_the_published_setting(room, monkeypatch):
    monkeypatch.setattr("optuna.pruners.MedianPruner.prune", lambda *_: True)
    result = room.run("--set", "pruner=median", "--trials", "2")
    assert "mean different things for different model.sigma_time" in result.stderr
    first, second = room.trials()
    assert first.state == TrialState.COMPLETE
    assert sorted(first.intermediate_values) == [1, 2]
    assert second.state == TrialState.PRUNED
    assert sorted(second.intermediate_values) == [1]
    run = room.children()[1]
    assert (run.info.status, run.data.tags["state"]) == ("KILLED", "pruned")
    losses = room.client.get_metric_history(run.info.run_id, "validation/loss")
    assert [row.value for row in losses] == list(second.intermediate_values.values())


def test_several_figures_give_a_front_of_specs(tmp_path):
    goal = {"figures": ["crps_time", "accuracy"], "samples": 6}
    room = StudyRoom.at(tmp_path, goal=goal)
    room.run()
    study = room.study()
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    pareto = sorted((room.best().parent / "pareto").iterdir())
    front = [f"trial-{trial.number:04d}.yaml" for trial in study.best_trials]
    assert sorted(path.name for path in pareto) == sorted(front)
    best = load_spec(room.best())
    assert best.model.sigma_time in [t.params["model.sigma_time"] for t in study.best_trials]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2"])
def test_every_sampler_proposes_trials_within_the_space(room, monkeypatch, sampler):
    scores = iter(np.linspace(1, 2, 9))
    monkeypatch.setattr("smash.workbench.search.trial.trained", lambda *_: FakeTraining)
    monkeypatch.setattr(
        "smash.workbench.search.trial.validate", lambda *_: {"relative_score": next(scores)}
    )
    room.run("--trials", "6", "--set", f"search.sampler={sampler}", "--set", "startup=2")
    params = [(t.params["model.sigma_time"], t.params["model.cond_dim"]) for t in room.trials()]
    assert len(params) == 6
    assert len(set(params)) > 3  # NSGA-II may repeat a trial
    assert all(0.05 <= sigma <= 0.8 and cond in (8, 16) for sigma, cond in params)


class FakeTraining:
    model, records, best_loss, epochs = None, (), 1.0, 0


def test_a_search_repeats_from_its_seed(tmp_path_factory, monkeypatch):
    monkeypatch.setattr("smash.workbench.search.trial.trained", lambda *_: FakeTraining)
    monkeypatch.setattr("smash.workbench.search.trial.validate", lambda *_: {"relative_score": 1.0})
    rooms = [StudyRoom.at(tmp_path_factory.mktemp("seeded")) for _ in range(3)]
    for room, seed in zip(rooms, (0, 0, 1), strict=True):
        room.run("--set", f"search.seed={seed}")
    drawn = [[trial.params for trial in room.trials()] for room in rooms]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("keys", "dotted"),
    [
        (("epochs", "total_epochs", "budget.epochs"), "training.total_epochs"),
        (("goal.samples", "validation_samples"), "scores.validation_samples"),
        (("goal.sequences", "validation_sequences"), "scores.validation_sequences"),
    ],
)
def test_what_has_two_names_may_be_set_by_either(keys, dotted):
    path = STUDIES / "earthquake.yaml"
    assert flatten(load_search(path).base)[dotted] != "3"
    for key in keys:
        assert flatten(load_search(path, [f"{key}=3"]).base)[dotted] == "3"


def test_the_shipped_studies_hold_their_published_setting_and_leave_test_data_alone():
    for name in ("earthquake", "crime", "football", "simulated"):
        search = load_search(STUDIES / f"{name}.yaml")
        assert search.base.data.name == name
        assert search.base.protocol == "strict"
        if name != "simulated":
            assert search.base.name == f"{name}-search"
            published = flatten(load_spec(PUBLISHED / f"{name}.yaml"))
            assert {k: published[k] for k in search.space}.items() <= flatten(search.base).items()
        assert search.figures == ("relative_score",)
        keys = ("model.sigma_time", "model.sigma_loc", "model.cond_dim", "sampling.langevin_step")
        assert tuple(search.space) == keys
        assert search.trial_spec(search.published()) == search.base
