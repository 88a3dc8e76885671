"""SIGINT where Python drops the KeyboardInterrupt that it raises."""

import os
import signal
import weakref


class Thing:
    """Something a weak reference can point to."""


def interrupt_where_python_drops_it() -> None:
    """Sends SIGINT to this process in the callback of a weak reference."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
    assert reference() is None
