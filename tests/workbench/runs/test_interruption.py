"""Ctrl-C and what is like it: none is lost, however many Python drops, and none after the end."""

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator

import pytest
from dropped_interruptions import Thing, interrupt_where_python_drops_it
from tiny_runs import IMPORTED_FROM, ROOT, environment

from smash.workbench.runs.signals import LATER, Interruption, heeded

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def heard_signals() -> Iterator[None]:
    """Has Ctrl-C heard in a process that a shell started in the background too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interruption() -> Interruption:
    return Interruption(*SIGNALS)


def work() -> None:
    """Goes on until it is interrupted."""
    while True:
        time.sleep(LATER / 10)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("times", [1, 3])
def test_one_that_was_dropped_comes_again_and_no_more_than_once(interruption, number, times):
    interruptions = []
    with interruption.heard():
        for _ in range(times):
            interrupt_where_python_drops_it(number)
        for wait in (work, lambda: time.sleep(4 * LATER)):
            try:
                wait()
            except KeyboardInterrupt:
                interruptions.append(wait)
    assert interruptions == [work]


def test_one_that_is_dropped_again_comes_once_more(interruption):
    with pytest.raises(KeyboardInterrupt), interruption.heard():
        work_where_python_drops_it()


def work_where_python_drops_it() -> None:
    """Goes on until an interruption comes after the one sent again, which is dropped as well."""
    interrupt_where_python_drops_it()
    begin = time.perf_counter()
    while time.perf_counter() - begin < 2 * LATER:
        thing = Thing()
        reference = weakref.ref(thing, lambda _: time.sleep(LATER / 5))
        del thing, reference
    work()


def test_none_comes_after_the_end(interruption):
    with interruption.heard():
        interrupt_where_python_drops_it()
    time.sleep(4 * LATER)  # a KeyboardInterrupt here would fail the test


def test_none_comes_after_the_check_that_heard_it(interruption):
    with interruption.heard():
        interrupt_where_python_drops_it()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
        time.sleep(4 * LATER)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_sent_twice_is_one(interruption, number):
    """A closed terminal sends it twice: the second would come in the middle of the clean-up."""
    with interruption.heard():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
    assert interruption.code == 128 + number


def test_an_interruption_that_was_dropped_comes_at_the_next_check(interruption):
    interruption.check()
    with interruption.heard():
        interrupt_where_python_drops_it()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()


def test_an_error_of_somebodys_clean_up_does_not_take_its_place(interruption):
    def clean_up() -> None:
        with interruption.checked():
            interrupt_where_python_drops_it()
            raise OSError("closed")

    with interruption.heard(), pytest.raises(KeyboardInterrupt):
        clean_up()


def test_an_error_without_an_interruption_stays_what_it_is(interruption):
    with pytest.raises(OSError, match="closed"), interruption.heard(), interruption.checked():
        raise OSError("closed")


def test_what_is_held_is_finished_first(interruption):
    finished = []

    def keep() -> None:
        with interruption.held():
            os.kill(os.getpid(), signal.SIGINT)
            finished.append(True)

    with interruption.heard(), pytest.raises(KeyboardInterrupt):
        keep()
    assert finished


def test_signals_mean_afterwards_what_they_meant_before(interruption):
    before = [signal.getsignal(number) for number in SIGNALS]
    with interruption.heard():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_nohup_has_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert heeded() == [signal.SIGINT, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)


DURING_IMPORTS = """
import os, runpy, signal, sys
# Ignored below a shell's background job and below nohup.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Interrupting())
sys.argv = {arguments}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script that gets a signal as it begins to import a module."""


RUN = ["run_experiment.py", "experiments/simulated.yaml"]
SEARCH = ["tune.py", "--dataset", "simulated"]


@pytest.mark.parametrize(
    ("command", "module", "number"),
    [
        (RUN, "typer", signal.SIGINT),
        (RUN, "torch", signal.SIGTERM),
        (RUN, "smash.workbench.runs.runner", signal.SIGHUP),
        (SEARCH, "typer", signal.SIGTERM),
        (SEARCH, "smash.workbench.runs.runner", signal.SIGINT),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_command_that_has_hardly_begun_ends_in_a_line(command, module, number, tmp_path):
    arguments = [str(ROOT / part) if (ROOT / part).exists() else part for part in command]
    code = DURING_IMPORTS.format(module=module, number=int(number), arguments=arguments)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": IMPORTED_FROM},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + number, done.stderr
    assert done.stderr == "interrupted\n"
    assert not list(tmp_path.iterdir())
