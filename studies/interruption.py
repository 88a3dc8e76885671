"""Ctrl-C that cannot be lost on its way."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Signals as a KeyboardInterrupt, and remembered; without signals it never comes.

    An exception is not enough. Python drops one that is raised in a destructor or the callback of
    a weak reference, and SQLAlchemy runs the latter by the thousand; an error of somebody's
    clean-up takes the place of another. So whoever works for long looks whether it `asked`.
    """

    def __init__(self, *signals: signal.Signals, once: bool = False) -> None:
        self.asked = self._held = False
        self._once = once
        for number in signals:
            signal.signal(number, self._handle)

    def check(self) -> None:
        """Raises KeyboardInterrupt once a signal has come, however long ago."""
        if self.asked:
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
        self.asked = True
        sys.unraisablehook = _say_unless_interrupted
        if self._once:
            signal.signal(number, signal.SIG_IGN)
        if not self._held:
            raise KeyboardInterrupt


def _say_unless_interrupted(dropped: "sys.UnraisableHookArgs") -> None:
    """Says what Python drops, but for the interruptions, which are remembered."""
    if dropped.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(dropped)
