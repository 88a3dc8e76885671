"""Ctrl-C that Python drops comes again, once, and not after the end."""

import signal
import time
import weakref
from collections.abc import Iterator

import pytest
from dropped_interruptions import Thing, interrupt_where_python_drops_it

from experiments.interruption import LATER, dropped_ones_again

PATIENCE = 60


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Has Ctrl-C heard in a process that a shell started in the background too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def work() -> None:
    """Goes on until it is interrupted."""
    while True:
        time.sleep(LATER / 10)


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("times", [1, 3])
def test_it_comes_again_and_no_more_than_once(times):
    interruptions = []
    with dropped_ones_again():
        for _ in range(times):
            interrupt_where_python_drops_it()
        for wait in (work, lambda: time.sleep(4 * LATER)):
            try:
                wait()
            except KeyboardInterrupt:
                interruptions.append(wait)
    assert interruptions == [work]


@pytest.mark.timeout(PATIENCE)
def test_one_that_is_dropped_again_comes_once_more():
    with pytest.raises(KeyboardInterrupt), dropped_ones_again():
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


def test_none_comes_after_the_end():
    with dropped_ones_again():
        interrupt_where_python_drops_it()
    time.sleep(4 * LATER)  # a KeyboardInterrupt here would fail the test
