"""A signal where Python drops the KeyboardInterrupt that it raises."""

import os
import signal
import weakref


class Thing:
    """Something a weak reference can point to."""


def interrupt_where_python_drops_it(number: int = signal.SIGINT) -> None:
    """Sends a signal to this process in the callback of a weak reference."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), number))
    del thing
    assert reference() is None
