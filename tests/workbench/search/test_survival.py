"""A study killed, interrupted and run from two sides at once ends as if nothing had happened."""

import os
import signal
import subprocess
import time

import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from patience import HANGING
from tiny_studies import SHARED, StudyRoom, is_running, values_of, wait_until

from smash.workbench.search.trial_history import History

TRIALS = 6
# Many epochs, so that something can be killed in the middle of the training that trials share.
COMMAND = ("--trials", str(TRIALS), "--set", "epochs=40")


def running(room: StudyRoom) -> list[FrozenTrial]:
    """Returns the trials that run and have said in which process."""
    trials = [t for t in room.trials() if t.state == TrialState.RUNNING]
    return [trial for trial in trials if "worker" in trial.user_attrs]


def history(room: StudyRoom) -> History:
    return History(room.trials(), retries=3)


def done(room: StudyRoom) -> int:
    return len(values_of(room.trials()))


def workers(room: StudyRoom) -> list[int]:
    return [trial.user_attrs["worker"]["pid"] for trial in running(room)]


@pytest.mark.slow
def test_nothing_that_was_finished_is_lost_however_often_it_is_stopped(tmp_path):
    room = StudyRoom.at(tmp_path, space=SHARED)
    kept = kill_a_worker_and_then_the_whole(room)
    assert values_of(room.trials()).items() >= kept.items()
    go_on_from_two_sides_and_interrupt_one(room)
    trials = room.trials()
    assert values_of(trials).items() >= kept.items()
    assert [trial.state for trial in history(room).counted] == [TrialState.COMPLETE] * TRIALS
    check_runs(room)


def kill_a_worker_and_then_the_whole(room: StudyRoom) -> dict:
    with room.process(*COMMAND, "--jobs", "2") as process:
        wait_until(lambda: in_training(room) and running(room), process, HANGING)
        victim = running(room)[0]
        os.kill(victim.user_attrs["worker"]["pid"], signal.SIGKILL)
        wait_until(lambda: victim.number in history(room).lost, process, HANGING)
        wait_until(lambda: trained(room), process, HANGING)
        with room.hold_training():
            wait_until(lambda: done(room), process, HANGING)
            wait_until(lambda: len(running(room)) == 2, process, HANGING)
            pids, kept = workers(room), dict(values_of(room.trials()))
            process.kill()
            errors = process.communicate()[1]
            wait_until_gone(pids)
    assert "a worker was killed (SIGKILL)" in errors
    return kept


def go_on_from_two_sides_and_interrupt_one(room: StudyRoom) -> None:
    with room.process(*COMMAND) as one, room.process(*COMMAND) as other:
        with room.hold_training():
            wait_until(lambda: mine(room, one), one, HANGING)
            wait_until(lambda: mine(room, other), other, HANGING)
            one.send_signal(signal.SIGINT)
            interrupted = one.communicate(timeout=HANGING)[1]
            assert not mine(room, one)
        finished = other.communicate(timeout=HANGING)[1]
    assert one.returncode == 130, interrupted
    assert "the same command goes on" in interrupted
    assert other.returncode == 0, finished
    for said in (interrupted, finished):
        assert "Traceback" not in said
        assert "locked" not in said


def in_training(room: StudyRoom) -> bool:
    """Returns whether the training that trials share has come to its first checkpoint."""
    return any((room.folder / "runs" / "cache").glob("*/checkpoints/epoch-*"))


def trained(room: StudyRoom) -> bool:
    """Returns whether the training that trials share is done."""
    return any((room.folder / "runs" / "cache").glob("*/training.json"))


def wait_until_gone(pids: list[int]) -> None:
    last = time.monotonic() + HANGING
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < last, "workers outlived the process that started them"
        time.sleep(0.1)


def mine(room: StudyRoom, process: subprocess.Popen) -> bool:
    """Returns whether a trial runs in a worker of a process."""
    return any(parent_of(pid) == process.pid for pid in workers(room))


def parent_of(pid: int) -> int | None:
    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return None


def check_runs(room: StudyRoom) -> None:
    """Every trial has its run, which ended as the trial did."""
    statuses = {"complete": "FINISHED", "lost": "KILLED", "interrupted": "KILLED"}
    children, lost = room.children(), history(room).lost
    assert room.parent().info.status == "FINISHED"
    for number, run in children.items():
        state = run.data.tags["state"]
        assert (state == "complete") == (number not in lost)
        assert run.info.status == statuses[state]
    assert {t.number for t in history(room).counted} <= set(children)
    table = room.table()
    assert set(table["state"]) == {"complete", "lost"}
