"""tune.py: answers at once, and refuses in a line what cannot be, before any training."""

import os
import socket
import subprocess
import sys

import optuna
import pytest
import yaml
from patience import HANGING
from tiny_runs import environment
from tiny_studies import STUDY, TUNE, StudyRoom

HEAVY = ("torch", "mlflow", "optuna", "numpy", "pandas", "ray", "pydantic")


def test_help_names_every_option_and_loads_nothing_heavy():
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", str(TUNE), "--help"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=HANGING,
    )
    for option in ("dataset", "study", "set", "trials", "timeout", "jobs", "storage", "engine"):
        assert f"--{option}" in shown.stdout
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert not imported & set(HEAVY)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


NOBODY = f"postgresql://me:secret@127.0.0.1:{free_port()}/studies"
WRONG = {
    "a key that is none": (("--set", "simga_time=1"), "model.sigma_time"),
    "a study key that is none": (("--set", "budget.trails=1"), "budget.trials"),
    "a key without a value": (("--set", "trials"), "key=value"),
    "an ambiguous key": (("--set", "sampler=tpe"), "search.sampler or sampling.sampler"),
    "no trials": (("--trials", "0"), "budget.trials: expected a whole number >= 1, given 0"),
    "no jobs": (("--jobs", "0"), "--jobs 0"),
    "a time without a unit": (("--timeout", "600"), "600s"),
    "an unknown sampler": (("--set", "search.sampler=bayes"), "one of tpe, gp, nsga2"),
    "an unknown figure": (("--set", "goal.figures=[f1]"), "relative_score"),
    "a figure twice": (("--set", "goal.figures=[ece, ece]"), "each figure once"),
    "no figure": (("--set", "goal.figures=[]"), "goal.figures"),
    "an empty space": (("--set", "space={}"), "is empty"),
    "a key out of the space": (
        ("--set", "space.sigma_time=null", "--set", "space.cond_dim=null"),
        "is empty",
    ),
    "bounds in the wrong order": (
        ("--set", "space.sigma_time={low: 0.5, high: 0.1}"),
        "low (0.5) has to be less than high (0.1)",
    ),
    "a bound missing": (("--set", "space.sigma_time={low: 0.5}"), "high missing"),
    "a bound's name": (("--set", "space.sigma_time={low: 0.1, hihg: 1}"), "high"),
    "the logarithm of nothing": (
        ("--set", "space.loss_lambda={low: 0, high: 1, log: true}"),
        "has to be positive",
    ),
    "bounds of what has none": (
        ("--set", "space.denoise={low: 0, high: 1}"),
        "one of none, tweedie, posterior; give a list",
    ),
    "a fraction of a whole number": (
        ("--set", "space.cond_dim={low: 8.5, high: 16}"),
        "low: expected a whole number",
    ),
    "an impossible bound": (("--set", "space.sigma_time={low: -1, high: 1}"), "a number >= 0.001"),
    "an impossible value": (("--set", "space.cond_dim=[8, 2]"), "cond_dim: expected"),
    "one value": (("--set", "space.cond_dim=8"), "a list of values"),
    "a value twice": (("--set", "space.cond_dim=[8, 8]"), "each value once"),
    "what a score depends on": (
        ("--set", "space.data.name=[crime, simulated]"),
        "cannot be searched",
    ),
    "a space without the base's own": (
        ("--set", "space.cond_dim=[16, 32]"),
        "8 is not among its values",
    ),
    "bounds without the base's own": (
        ("--set", "space.sigma_time={low: 0.3, high: 1}"),
        "0.2 is not within its bounds",
    ),
    "a grid of bounds": (("--set", "search.sampler=grid"), "a grid needs a list"),
    "pruning by two figures": (
        ("--set", "goal.figures=[ece, crps_time]", "--set", "pruner=median"),
        "needs a single figure",
    ),
    "a search on the test set": (("--set", "protocol=original"), "test set"),
    "a mark's figure without marks": (
        ("--set", "goal.figures=[accuracy]", "--set", "marked=false"),
        "has no marks",
    ),
    "an unknown data set": (("--set", "data.name=crimes"), "crime"),
    "data that are not there": (("--set", "data.path=none.csv"), "none.csv"),
    "a base that is not there": (("--set", "base=none.yaml"), "none.yaml"),
    "a device that is not one": (("--set", "device=gpu"), "cuda:N"),
    "a storage of no kind": (("--storage", "studies.db"), "sqlite:///FILE"),
    "a storage of another kind": (("--storage", "mysql://me:secret@h/d"), "postgresql://"),
    "a storage in no folder": (("--storage", "sqlite:///no/where.db"), "no folder no"),
    "a storage in no file": (("--storage", "sqlite://"), "names no file"),
    "a missing driver": (("--storage", "postgresql+pg8000://h/d"), "pg8000 is not installed"),
    "a storage nobody serves": (("--storage", NOBODY), "cannot be used"),
    "a cluster without Ray": (("--address", "127.0.0.1:1"), "--engine ray"),
    "a cluster on a file": (("--engine", "ray", "--address", "127.0.0.1:1"), "SQLite"),
}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory) -> StudyRoom:
    return StudyRoom.at(tmp_path_factory.mktemp("refusing"))


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_in_a_line_before_anything_is_done(refusing, case):
    arguments, expected = WRONG[case]
    before = set(refusing.folder.iterdir())
    result = refusing.invoke(*arguments)
    message = result.stderr.strip()
    assert result.exit_code == 2, (message, result.exception)
    assert message.startswith("error: ")
    assert expected in message
    assert "secret" not in message
    assert len(message.splitlines()[1:]) <= 1  # a problem of a file stands below it
    assert not {path.name for path in set(refusing.folder.iterdir()) - before} - {"studies.db.lock"}
    assert not optuna.get_all_study_names(refusing.storage)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "--dataset"),
        (("--dataset", "crimes"), "did you mean crime?"),
        (("--dataset", "crime", "--study", "study.yaml"), "either"),
        (("--study", "none.yaml"), "none.yaml"),
    ],
)
def test_a_study_has_to_be_named(arguments, expected, tmp_path):
    done = subprocess.run(
        [sys.executable, str(TUNE), *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
        timeout=HANGING,
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert not os.listdir(tmp_path)


def test_problems_of_a_file_are_listed_one_a_line(tmp_path):
    room = StudyRoom.at(tmp_path, goal={"samples": 1}, budget={"trails": 3}, serach={})
    lines = room.invoke().stderr.splitlines()
    assert lines[0].endswith("study.yaml: 3 problems")
    assert sorted(line.partition(":")[0].strip() for line in lines[1:]) == [
        "budget.trails",
        "goal.samples",
        "serach",
    ]


def test_a_study_of_another_search_is_left_alone(studied):
    for change, said in (
        ("space.sigma_time={low: 0.05, high: 0.9, log: true}", "space.model.sigma_time was"),
        ("space.n_layers=[1, 2]", "space.model.n_layers was not there"),
        ("goal.samples=7", "scores.validation_samples was 6, is 7"),
        ("goal.figures=[ece]", "goal.figures was"),
        ("epochs=3", "training.total_epochs was 2, is 3"),
        ("simulator.seed=4", "data.simulator.seed was 0, is 4"),
    ):
        before = studied.trials()
        result = studied.invoke("--set", change)
        assert result.exit_code == 2
        assert said in result.stderr
        assert "--set name=" in result.stderr
        assert studied.trials() == before


def test_a_study_made_by_other_hands_is_left_alone(room):
    study = optuna.create_study(storage=room.storage, study_name="study")
    study.add_trial(optuna.create_trial(value=1.0))
    result = room.invoke()
    assert result.exit_code == 2
    assert "not made by tune.py" in result.stderr


def test_overrides_reach_study_experiment_and_space(tmp_path):
    from smash.workbench.search.study_spec import load_search

    StudyRoom.at(tmp_path)
    changes = ["trials=7", "epochs=3", "sigma_loc=0.3", "space.n_layers={low: 1, high: 4}"]
    changes += ["space.model.cond_dim=[8]", "data.simulator.seed=9"]
    search = load_search(tmp_path / "study.yaml", changes)
    assert search.study.budget.trials == 7
    assert search.base.training.total_epochs == 3
    assert search.base.model.sigma_loc == 0.3
    assert search.base.data.simulator.seed == 9
    assert list(search.space) == ["model.sigma_time", "model.n_layers", "model.cond_dim"]
    spec = search.trial_spec({"model.n_layers": 3}, threads=2)
    assert (spec.model.n_layers, spec.threads, spec.model.cond_dim) == (3, 1, 8)


def test_a_study_file_says_nothing_twice(tmp_path):
    room = StudyRoom.at(tmp_path)
    space = {**STUDY["space"], "model.sigma_time": [0.1, 0.2]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**STUDY, "space": space}))
    result = room.invoke()
    assert result.exit_code == 2
    assert "twice" in result.stderr
