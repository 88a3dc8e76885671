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
    """Has an interruption that Python dropped sent again until it is heard.

    However many were dropped, one is under way at a time, and none outlives this context: it would
    come in the middle of the clean-up after the one that was heard, or as Python ends.
    """
    before = sys.unraisablehook
    again: Timer | None = None
    waiting = False

    def send() -> None:
        nonlocal waiting
        waiting = False
        interrupt_main()

    def heed(dropped: "sys.UnraisableHookArgs") -> None:
        nonlocal again, waiting
        if dropped.exc_type is not KeyboardInterrupt:
            before(dropped)
        elif not waiting:
            waiting = True
            again = Timer(LATER, send)
            again.daemon = True
            again.start()

    sys.unraisablehook = heed
    try:
        yield
    finally:
        sys.unraisablehook = before
        if again is not None:
            again.cancel()
            again.join()
