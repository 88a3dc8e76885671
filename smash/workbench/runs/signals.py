"""Signals that end a command as Ctrl-C does: a KeyboardInterrupt that cannot be lost on its way.

Ctrl-C (SIGINT), what schedulers send (SIGTERM) and what a closed terminal sends (SIGHUP) are one to
everything that runs: it is put in order, kept, and how to go on is said. Imports nothing that takes
time, so that a command can hear signals before it imports the rest.
"""

import os
import signal
import sys
import time
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from types import FrameType

LATER = 0.05
"""Seconds after which an interruption is sent again, outside of what dropped it."""
TWICE = 2.0
"""Seconds within which signals are one: a closed terminal and many schedulers send it twice."""


def heeded() -> list[signal.Signals]:
    """Returns the signals that end a command; `nohup` and a script's `&` have some ignored."""
    known = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    return [n for n in known if n and signal.getsignal(n) is not signal.SIG_IGN]


def leave_at_once() -> None:
    """Has a signal end this process in a line, as nothing needs to be put in order yet."""
    for number in heeded():
        signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    with suppress(OSError):  # the terminal may be gone
        os.write(2, b"interrupted\n")
    os._exit(128 + number)


class Interruption:
    """Signals as a KeyboardInterrupt, and remembered; without signals it never comes.

    An exception is not enough. Python drops one that is raised in a destructor or the callback of
    a weak reference, and SQLAlchemy, below MLflow and Optuna, runs the latter by the thousand: such
    a one is sent again until it is heard. An error of somebody's clean-up takes the place of
    another: so whoever works for long looks whether it was `asked`.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self._signals = signals
        self._number: signal.Signals | None = None
        self._last = float("-inf")
        self._held = self._dropped = self._resent = False
        self._again: Timer | None = None
        self._terminals: list[int] = []

    @property
    def asked(self) -> bool:
        """True once a signal has come."""
        return self._number is not None

    @property
    def code(self) -> int:
        """The exit code of a process that a signal ended, as shells have it."""
        return 128 + (self._number or signal.SIGINT)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Has the signals heard within, and none of them after the end.

        One that is sent again would come in the middle of the clean-up, or as Python ends.
        """
        before = {number: signal.getsignal(number) for number in self._signals}
        hook = sys.unraisablehook

        def heed(dropped: "sys.UnraisableHookArgs") -> None:
            if dropped.exc_type is KeyboardInterrupt and self._signals:
                self._send_again()
            else:
                hook(dropped)

        self._terminals = [number for number in (1, 2) if os.isatty(number)]
        sys.unraisablehook = heed
        self.listen()
        try:
            yield
        finally:
            self._held, self._dropped = True, False
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = hook
            if self._again is not None:
                self._again.cancel()
                self._again.join()
            self._held = False

    def listen(self) -> None:
        """Takes the signals, also back from a library that took them."""
        for number in self._signals:
            signal.signal(number, self._handle)

    def check(self) -> None:
        """Raises KeyboardInterrupt once a signal has come, however long ago."""
        if self.asked:
            self._dropped = False
            raise KeyboardInterrupt

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Raises KeyboardInterrupt, in the place of an error too, if a signal came by the end."""
        self.check()
        try:
            yield
        except Exception:
            self.check()
            raise
        self.check()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps an interruption back until the end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        resent, self._resent = self._resent, False
        now = time.monotonic()
        if not resent and now < self._last + TWICE:
            return
        self._last = now
        if self._number is None:
            self._number = signal.Signals(number)
        if number == getattr(signal, "SIGHUP", None):
            self._leave_terminal()
        if not self._held:
            raise KeyboardInterrupt

    def _leave_terminal(self) -> None:
        """Has what is said to a terminal that is gone go nowhere, as it would raise an error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in self._terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)

    def _send_again(self) -> None:
        """Sends the signal once more in a moment; however many were dropped, one is under way."""
        if not self._dropped:
            self._dropped = True
            self._again = Timer(LATER, self._send)
            self._again.daemon = True
            self._again.start()

    def _send(self) -> None:
        if self._dropped:
            self._dropped, self._resent = False, True
            interrupt_main(self._number or signal.SIGINT)
