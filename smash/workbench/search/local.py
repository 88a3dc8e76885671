"""Trials in processes of this machine, which live through the study and import once."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import TYPE_CHECKING

from smash.errors import SmashError, StudyError
from smash.workbench.runs import console
from smash.workbench.runs.signals import Interruption

if TYPE_CHECKING:  # imported by the workers, which it takes seconds
    from smash.workbench.search.worker import Plan

POLL = 0.5
LEAVE = 15.0
"""Seconds that workers have to give their trials back when they are asked to end."""

TERMINAL = {signal.SIGINT, signal.SIGHUP}
"""Signals that a terminal sends to all of its processes."""

Watch = Callable[[], None]


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    pipe: Connection


def run_locally(plan: "Plan", jobs: int, watch: Watch, interruption: Interruption) -> None:
    """Runs a study's trials in `jobs` processes and calls `watch` now and then.

    A process that is killed (out of memory, say) is replaced; its trial is tried again.

    Raises:
        StudyError: when a worker met what is not a trial's fault.
        KeyboardInterrupt: after the workers have given their trials back.
    """
    workers: list[_Worker] = []
    try:
        with interruption.held():  # or a worker that is just starting would be forgotten
            workers = [_start(plan) for _ in range(jobs)]
        while workers:
            with interruption.held():
                workers = [after for worker in workers if (after := _look_after(worker, plan))]
            watch()
            time.sleep(POLL)
    except BaseException:
        _end(workers)
        raise


def _start(plan: "Plan") -> _Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(plan, there), name="trials", daemon=True)
    # Ctrl-C and a closed terminal reach all of its processes; workers are told by this one, when it
    # is time. They inherit that these are blocked; ignored here, one that comes now would be lost.
    resource_tracker.ensure_running()  # its start, which would be part of theirs, unblocks them
    signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL)
    there.close()
    return _Worker(process, here)


def _look_after(worker: _Worker, plan: "Plan") -> _Worker | None:
    """Returns the worker, another in the place of one that was killed, None once it is done."""
    if worker.process.is_alive():
        return worker
    worker.process.join()
    code = worker.process.exitcode
    if code == 0:
        return None
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        console.warn(f"a worker was killed ({name}); its trial is tried again")
        return _start(plan)
    raise StudyError(_last_words(worker.pipe))


def _last_words(pipe: Connection) -> str:
    with suppress(EOFError, OSError):
        if pipe.poll():
            return pipe.recv()
    return "a worker ended by itself; what it said last is above"


def _end(workers: list[_Worker]) -> None:
    """Asks workers to give their trials back and leave; those that do not are killed."""
    for worker in workers:
        worker.process.terminate()
    last = time.monotonic() + LEAVE
    for worker in workers:
        worker.process.join(max(0.0, last - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(plan: "Plan", pipe: Connection) -> None:
    """What a worker process does."""
    for number in TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    Thread(target=leave_with_parent, args=(pipe,), daemon=True).start()
    from smash.workbench.search.worker import open_office, work

    interruption = Interruption(signal.SIGTERM)
    try:
        with interruption.heard():
            work(replace(open_office(plan), interruption=interruption), plan.call)
    except KeyboardInterrupt:
        sys.exit(0)
    except SmashError as error:
        pipe.send(str(error))
        sys.exit(1)


def leave_with_parent(pipe: Connection) -> None:
    """Ends this process at once when the one that started it is gone, even by `kill -9`."""
    with suppress(OSError, EOFError):
        pipe.recv()
    os._exit(1)
