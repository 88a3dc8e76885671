"""Ctrl-C ends a search at whatever moment it comes; nothing finished is lost, nobody is left."""

import signal
import subprocess
import time

import psutil
import pytest
from patience import HANGING
from tiny_studies import SHARED, StudyRoom, values_of, wait_until

COMMAND = ("--trials", "200", "--jobs", "2", "--set", "epochs=1")
LOST = """
from dropped_interruptions import interrupt_where_python_drops_it
from smash.workbench.search import progress, search
def interrupted(function):
    def called(*arguments, **named):
        interrupt_where_python_drops_it()
        return function(*arguments, **named)
    return called
{0} = interrupted({0})
"""
"""Sends SIGINT where Python drops what it raises, at each call of a function."""


@pytest.mark.slow
def test_it_ends_a_search_whenever_it_comes(tmp_path):
    """The signal goes to the first process alone, from its imports to the middle of its trials."""
    room = StudyRoom.at(tmp_path, space=SHARED)
    for seconds in (0.0, 2.0, 4.0, 7.0):
        begun = room.folder / "begun"
        begun.unlink(missing_ok=True)
        with room.process(*COMMAND, plots=True) as process:  # whose imports are part of it
            wait_until(begun.exists, process, HANGING)
            time.sleep(seconds)
            interrupt(process)
    with room.process(*COMMAND) as process:
        wait_until(lambda: finished(room), process, HANGING)
        kept = finished(room)
        assert "trials are kept" in interrupt(process)
    assert finished(room).items() >= kept.items()


@pytest.mark.parametrize(
    "function",
    ["search.load_dataset", "search.connect", "progress.Watcher.__call__", "search.log_results"],
)
def test_it_ends_a_search_even_where_python_drops_it(function, tmp_path):
    room = StudyRoom.at(tmp_path, space=SHARED)
    with room.process("--trials", "1", prelude=LOST.format(function)) as process:
        _, errors = process.communicate(timeout=HANGING)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1].startswith("interrupted")
    assert "Traceback" not in errors


def interrupt(process: subprocess.Popen) -> str:
    """Returns what a search says that is interrupted, after checks that all of it ends."""
    assert process.poll() is None, process.communicate()
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=HANGING)
    assert process.returncode == 130, (said, errors)
    assert "interrupted" in errors
    assert "Traceback" not in errors
    _, left = psutil.wait_procs(below, timeout=HANGING)
    assert not left
    return errors


def finished(room: StudyRoom) -> dict:
    return dict(values_of(room.trials())) if "study" in room.studies() else {}
