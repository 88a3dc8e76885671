"""Ctrl-C that comes again where Python drops it.

An exception that is raised in a destructor or in the callback of a weak reference goes nowhere, and
SQLAlchemy, below MLflow, runs the latter by the thousand.
"""

import sys
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

LATER = 0.05
"""Seconds after which an interruption is sent again, outside of what dropped it."""


@contextmanager
def dropped_ones_again() -> Iterator[None]:
    """Has an interruption that Python dropped sent again until it is heard."""
    before = sys.unraisablehook

    def heed(dropped: "sys.UnraisableHookArgs") -> None:
        if dropped.exc_type is not KeyboardInterrupt:
            before(dropped)
            return
        timer = Timer(LATER, interrupt_main)
        timer.daemon = True
        timer.start()

    sys.unraisablehook = heed
    try:
        yield
    finally:
        sys.unraisablehook = before
