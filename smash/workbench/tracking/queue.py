"""A queue with one worker thread: the caller never waits, order is kept, failures are retried."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from smash.workbench.tracking.operations import Metrics, Write, merge, split

logger = logging.getLogger(__name__)

LINGER = 5.0
"""Seconds that metrics wait for more of their kind, so that many go in one request."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
"""Seconds between attempts while the server is away; doubled each time up to the longest."""

LAST = 2.0
"""Seconds that a Ctrl-C leaves to a server that answers, so that the run's end still arrives."""

SAID = 3
"""Refused writes that are said; a run deleted on the server would refuse hundreds."""


class BackgroundWriter:
    """Sends writes in order from a thread of its own.

    An error for which `is_final` is true refuses a write for good: it is said and kept, and the
    queue goes on. Any other error means that the server is away: that is said once, and the write
    is sent again until it arrives.
    """

    def __init__(
        self,
        send: Callable[[Write], None],
        is_final: Callable[[Exception], bool],
        destination: str,
        linger: float = LINGER,
    ) -> None:
        self._send, self._is_final = send, is_final
        self._destination, self._linger = destination, linger
        self._queue: deque[tuple[float, Write]] = deque()
        self._current: Write | None = None
        self._refused: list[Write] = []
        self._changed = threading.Condition()
        self._draining = 0
        self._closing = self._abandoned = False
        self.interrupted = False
        self.requests, self.seconds = 0, 0.0
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queues a write."""
        with self._changed:
            self._queue.append((time.monotonic(), write))
            self._changed.notify_all()

    def drain(self, deadline: float) -> bool:
        """Returns True once everything queued has been dealt with, False after `deadline` s."""
        with self._changed:
            self._draining += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(self._is_idle, timeout=deadline)
            finally:
                self._draining -= 1

    def close(self, deadline: float) -> list[Write]:
        """Returns, in order, what could not be sent within `deadline` seconds; then it is over.

        Ctrl-C soon ends the waiting, so that what is left can still be kept; `interrupted` says so.
        """
        try:
            self.drain(deadline)
        except KeyboardInterrupt:
            self.interrupted = True
            with suppress(KeyboardInterrupt):
                self.drain(min(deadline, LAST))
        with self._changed:
            self._closing = self._abandoned = True
            unsent = [] if self._current is None else [self._current]
            unsent += [write for _, write in self._queue]
            self._queue.clear()
            self._changed.notify_all()
        return [*self._refused, *unsent]

    def _is_idle(self) -> bool:
        return not self._queue and self._current is None

    def _work(self) -> None:
        while (write := self._next()) is not None:
            self._deliver(write)
            with self._changed:
                if self._abandoned:
                    return
                self._current = None
                self._changed.notify_all()

    def _next(self) -> Write | None:
        """Returns the next write with those merged that can go with it; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._wait_for_more()
            if not self._queue:
                return None
            write = self._queue.popleft()[1]
            while self._queue and (merged := merge(write, self._queue[0][1])) is not None:
                write = merged
                self._queue.popleft()
            self._current = write
            return write

    def _wait_for_more(self) -> None:
        """Waits while the queue holds nothing but metrics younger than `linger` seconds."""
        while self._queue and not (self._draining or self._closing):
            left = self._queue[0][0] + self._linger - time.monotonic()
            if left <= 0 or not all(isinstance(write, Metrics) for _, write in self._queue):
                return
            self._changed.wait(left)

    def _deliver(self, write: Write) -> None:
        """Sends a write, again and again if need be, until it arrives, is refused or is over."""
        pause, away = FIRST_PAUSE, False
        while not self._abandoned:
            try:
                self._attempt(write)
            except Exception as error:  # noqa: BLE001 (whatever happens, the run goes on)
                if self._is_final(error):
                    self._refuse(write, error)
                    return
                if not away:
                    logger.warning(
                        "tracking: %s cannot be reached (%s); the run goes on and what it logs "
                        "is kept until it can",
                        self._destination,
                        _in_one_line(error),
                    )
                away = True
                self._rest(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if away:
                    logger.info("tracking: %s can be reached again", self._destination)
                return

    def _attempt(self, write: Write) -> None:
        started = time.monotonic()
        try:
            self._send(write)
        finally:
            self.requests += 1
            self.seconds += time.monotonic() - started

    def _refuse(self, write: Write, error: Exception) -> None:
        parts = split(write)
        if len(parts) > 1:
            for part in parts:
                self._deliver(part)
            return
        self._refused.append(write)
        level = logging.WARNING if len(self._refused) <= SAID else logging.DEBUG
        message = "tracking: %s refused %s: %s"
        logger.log(level, message, self._destination, write, _in_one_line(error))

    def _rest(self, pause: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned, timeout=pause)


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
