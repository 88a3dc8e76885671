"""The trials that processes share: none is run twice, none is lost, the budget is kept."""

import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState
from patience import HANGING
from tiny_runs import ROOT, environment
from tiny_studies import StudyRoom

from smash.workbench.search import ledger as ledger_module
from smash.workbench.search.ledger import Ledger, Verdict, enqueue
from smash.workbench.search.storage import create_storage, storage_url
from smash.workbench.search.study_spec import load_search
from smash.workbench.search.trial_history import Call, error_of


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return open_ledger(StudyRoom.at(tmp_path))


def open_ledger(room: StudyRoom, *changes: str) -> Ledger:
    search = load_search(room.folder / "study.yaml", changes)
    storage = create_storage(room.storage, search.study.survival.heartbeat)
    study = optuna.create_study(study_name="study", storage=storage, load_if_exists=True)
    ledger = Ledger(storage, study, search)
    enqueue(study, search)
    return ledger


def claim(ledger: Ledger, **call: float) -> optuna.Trial:
    claimed = ledger.claim(Call(**{"started": time.time(), **call}))
    assert isinstance(claimed, optuna.Trial), claimed
    return claimed


def test_the_budget_counts_trials_that_run(ledger):
    call = Call.now()
    claimed = [claim(ledger) for _ in range(3)]
    assert ledger.claim(call) is Verdict.WAIT
    for trial in claimed:
        assert ledger.tell(trial, TrialState.COMPLETE, (1.0,))
    assert ledger.claim(call) is Verdict.DONE


def test_no_trial_starts_after_the_time_is_up(ledger):
    assert ledger.claim(Call(time.time(), time.time() - 1)) is Verdict.TIMEOUT
    claim(ledger, deadline=time.time() + HANGING)


def test_a_trial_whose_process_is_gone_is_tried_again_with_its_parameters(ledger, monkeypatch):
    killed = {"host": ledger_module._host(), "pid": 2**22 + 1, "born": 0.0}
    trial = claim(ledger)
    trial.set_user_attr("worker", killed)
    again = claim(ledger)
    assert (trial.number, again.number) == (0, 1)
    assert again.params == trial.params
    assert again.user_attrs["published"]
    assert [t.number for t in ledger.history().counted] == [1]
    assert not ledger.tell(trial, TrialState.COMPLETE, (1.0,))  # its process was but asleep
    assert ledger.study.get_trials()[0].state == TrialState.FAIL


def test_a_trial_killed_while_it_was_claimed_is_tried_again(ledger):
    orphan = ledger.study.ask()
    again = claim(ledger)
    assert orphan.number == 0
    assert [t.number for t in ledger.history().counted] == [again.number]


def test_a_trial_silent_for_long_is_lost_wherever_it_ran(ledger):
    trial = claim(ledger)
    trial.set_user_attr("worker", {"host": "elsewhere", "pid": 1, "born": 0.0})
    ledger.recover()
    assert ledger.study.get_trials()[0].state == TrialState.RUNNING
    long_ago = datetime.now() - timedelta(days=1)
    with ledger.storage.engine.begin() as connection:
        update = sqlalchemy.text("UPDATE trial_heartbeats SET heartbeat = :then")
        connection.execute(update, {"then": long_ago})
    ledger.recover()
    states = [t.state for t in ledger.study.get_trials()]
    assert states == [TrialState.FAIL, TrialState.WAITING]


def test_heartbeats_keep_a_trial_alive(tmp_path):
    ledger = open_ledger(StudyRoom.at(tmp_path), "survival.heartbeat=1")
    trial = claim(ledger)
    trial.set_user_attr("worker", {"host": "elsewhere", "pid": 1, "born": 0.0})

    def last_sign() -> str:
        with ledger.storage.engine.begin() as connection:
            return connection.execute(
                sqlalchemy.text("SELECT heartbeat FROM trial_heartbeats")
            ).scalar_one()

    before = last_sign()
    with ledger.heartbeats(trial):
        last = time.monotonic() + HANGING
        while last_sign() == before and time.monotonic() < last:
            time.sleep(0.1)
    assert last_sign() > before


def test_a_trial_lost_again_and_again_is_given_up_and_counts_as_failed(ledger):
    killed = {"host": ledger_module._host(), "pid": 2**22 + 1, "born": 0.0}
    call = Call.now()
    retries = ledger.search.study.survival.retries
    for _ in range(retries + 1):
        trial = claim(ledger)
        assert trial.user_attrs["published"]
        trial.set_user_attr("worker", killed)
    ledger.recover()
    (given_up,) = ledger.history().ended
    assert given_up.number == retries
    assert "killed or lost" in error_of(given_up)
    assert ledger.history().failures_in_a_row(call) == 1


def test_an_interrupted_trial_is_never_given_up(ledger):
    for number in range(8):
        trial = claim(ledger)
        assert trial.number == number
        assert trial.user_attrs["published"]
        ledger.release(trial)
    assert not ledger.history().counted


def test_failures_are_counted_since_the_last_success_of_a_call(ledger):
    before = Call.now()
    for state in (TrialState.FAIL, TrialState.COMPLETE, TrialState.FAIL):
        trial = claim(ledger)
        trial.set_user_attr("error", "it went wrong")
        ledger.tell(trial, state, (1.0,) if state == TrialState.COMPLETE else None)
    assert ledger.history().failures_in_a_row(before) == 1
    assert ledger.history().failures_in_a_row(Call.now()) == 0


def test_a_grid_is_queued_once_and_ends_the_study(tmp_path):
    room = StudyRoom.at(
        tmp_path,
        space={"cond_dim": [8, 16], "n_layers": [1, 2]},
        search={"sampler": "grid"},
        budget={"trials": 99},
    )
    ledger = open_ledger(room)
    first = claim(ledger)
    assert first.params == {"model.cond_dim": 8, "model.n_layers": 1}
    ledger = open_ledger(room)  # as another call would
    drawn = [first.params, *(claim(ledger).params for _ in range(3))]
    assert ledger.claim(Call.now()) is Verdict.WAIT
    assert Counter(map(str, drawn)).most_common(1)[0][1] == 1


CROWD = """
import sys, time
import optuna
from optuna.trial import TrialState
from smash.workbench.search.trial_history import Call
from smash.workbench.search.ledger import Ledger, Verdict, enqueue
from smash.workbench.search.study_spec import load_search
from smash.workbench.search.storage import create_storage, only_one, storage_url
search = load_search("study.yaml", ["budget.trials=12"])
storage = create_storage(storage_url(sys.argv[1]), search.study.survival.heartbeat)
with only_one(storage, "study"):
    study = optuna.create_study(study_name="study", storage=storage, load_if_exists=True)
    ledger = Ledger(storage, study, search)
    enqueue(study, search)
call = Call.now()
while (trial := ledger.claim(call)) is not Verdict.DONE:
    if trial is Verdict.WAIT:
        time.sleep(0.1)
        continue
    with ledger.heartbeats(trial):
        trial.report(1.0, 1)
        assert ledger.tell(trial, TrialState.COMPLETE, (trial.params["model.sigma_time"],))
"""


def crowd(folder, url: str, n_processes: int) -> list[optuna.trial.FrozenTrial]:
    """Returns the trials of a study that processes began at once in a storage that was empty."""
    environs = environment() | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CROWD, url]
    processes = [
        subprocess.Popen(command, cwd=folder, env=environs, stderr=subprocess.PIPE, text=True)
        for _ in range(n_processes)
    ]
    errors = [process.communicate(timeout=HANGING)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * n_processes, errors
    assert not any("locked" in error for error in errors)
    return optuna.load_study(study_name="study", storage=storage_url(url)).get_trials()


def test_many_processes_share_a_fresh_file_without_a_lock_error(tmp_path):
    StudyRoom.at(tmp_path)
    trials = crowd(tmp_path, f"sqlite:///{tmp_path / 'fresh.db'}", 3)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 12
    assert len({trial.value for trial in trials}) == 12


def test_a_url_gets_the_driver_that_is_there(monkeypatch):
    there = {"psycopg2"}
    monkeypatch.setattr("smash.workbench.search.storage.find_spec", lambda name: name in there)
    rest = "me:secret@host/studies"
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        assert storage_url(f"{scheme}://{rest}") == f"postgresql+psycopg2://{rest}"
    there.add("psycopg")
    assert storage_url(f"postgresql://{rest}") == f"postgresql+psycopg://{rest}"
    there.clear()
    with pytest.raises(Exception, match="cluster") as refused:
        storage_url(f"postgresql://{rest}")
    assert "secret" not in str(refused.value)


def test_a_kill_between_a_loss_and_its_queueing_loses_nothing(ledger):
    trial = claim(ledger)
    ledger.study.tell(trial.number, state=TrialState.FAIL)  # and here the process is killed
    assert ledger.history().lost == {trial.number}
    assert claim(ledger).params == trial.params
    assert ledger.history().failures_in_a_row(Call(0.0)) == 0
