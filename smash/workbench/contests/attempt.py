"""One forecaster on one data set, in a process of its own: what it scores and what it costs.

In a process of its own its memory is its own, what it leaves behind ends with it, and so does what
it does wrong. Cost is processor seconds: those of the clock tell more of who else is at work.
"""

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import smash
from smash.baselines.plug_ins import blamed
from smash.errors import BaselineError, SmashError, in_a_line
from smash.workbench.contests.contest_rows import Asked, ContestRow, keep, kept
from smash.workbench.search.local import leave_with_parent

GRACE = 2.0
"""A fit that does not end by itself is ended at so many budgets."""
START = 60.0
"""Processor seconds that a fit may take besides, for what it imports and validates."""


def attempt(asked: Asked, folder: Path) -> ContestRow:
    """Returns the row of a forecaster, which is kept in `folder` too.

    Raises:
        KeyboardInterrupt: once the forecaster's process is ended; nothing is kept.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(asked, folder, there), daemon=True)
    process.start()
    there.close()
    try:
        process.join()
    except BaseException:
        process.kill()
        process.join()
        raise
    here.close()
    if process.exitcode == 0 and (row := kept(asked, folder)) is not None:
        return row
    row = ContestRow(asked, reason=_ended(process.exitcode))
    keep(row, folder)
    return row


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was ended by {name}" + (", for want of memory?" * (name == "SIGKILL"))
    return f"its process ended by itself with code {code}"


def _work(asked: Asked, folder: Path, pipe: Connection) -> None:
    """What the process of a forecaster does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one is told
    Thread(target=leave_with_parent, args=(pipe,), daemon=True).start()
    keep(row_of(asked), folder)


def row_of(asked: Asked) -> ContestRow:
    """Returns the row of a forecaster, fitted and scored in this very process."""
    from smash.workbench.contests.grounds import forecaster_of, ground_of
    from smash.workbench.runs.environment import environment_tags

    row = ContestRow(asked, environment=_public(environment_tags()))
    try:
        ground = ground_of(asked.data, asked.seed)
        row = replace(row, units=(ground.dataset.time_unit, ground.dataset.location_unit))
        allowed = GRACE * asked.budget + START
        with (
            _measured() as fit,
            _limited(f"{asked.forecaster}: its fit", allowed),
            _fitted_anew(),
        ):
            forecaster = forecaster_of(asked.forecaster, ground, asked.budget)
        row = replace(row, fit_seconds=fit())
        with (
            _measured() as score,
            _limited(f"{asked.forecaster}: its scoring", asked.scoring),
            blamed(asked.forecaster, "its scoring failed"),
        ):
            evaluation = _evaluated(forecaster, asked, ground)
    except (SmashError, OSError, MemoryError) as error:
        return replace(row, reason=in_a_line(error) or "out of memory", megabytes=peak_megabytes())
    return replace(
        row,
        figures=evaluation.figures,
        lacking=evaluation.lacking,
        score_seconds=score(),
        megabytes=peak_megabytes(),
    )


def _evaluated(forecaster: Any, asked: Asked, ground: Any) -> Any:
    import torch

    from smash.scores.evaluation import scales_of, score_forecasts
    from smash.workbench.contests.grounds import some_of

    return score_forecasts(
        forecaster,
        some_of(ground.data.test, asked.events),
        asked.samples,
        replace(ground.spec.scores, original=False),
        torch.Generator(forecaster.device).manual_seed(asked.seed),
        scales_of(ground.data.train),
    )


@contextmanager
def _fitted_anew() -> Iterator[None]:
    """Keeps fits of before out of use, which would cost nothing."""
    before = os.environ.get("SMASH_REUSE")
    os.environ["SMASH_REUSE"] = "0"
    try:
        yield
    finally:
        os.environ.pop("SMASH_REUSE")
        if before is not None:
            os.environ["SMASH_REUSE"] = before


@contextmanager
def _measured() -> Iterator[Callable[[], float]]:
    """Yields what tells the processor seconds of the block."""
    start = time.process_time()
    end = start

    def seconds() -> float:
        return end - start

    try:
        yield seconds
    finally:
        end = time.process_time()


@contextmanager
def _limited(what: str, seconds: float) -> Iterator[None]:
    """Ends a block after so many processor seconds.

    Python drops an error that is raised in a destructor or a callback, as this may be: the kernel
    sends the signal again each second, until the block has ended.

    Raises:
        BaselineError: saying what was ended.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)

    def stop(number: int, frame: object) -> None:
        raise BaselineError(f"{what} was ended after {seconds:g} processor seconds, its limit")

    before = signal.signal(signal.SIGXCPU, stop)
    last = int(time.process_time() + seconds) + 1
    last = last if hard == resource.RLIM_INFINITY else min(last, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (last, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        signal.signal(signal.SIGXCPU, before)


def peak_megabytes() -> float:
    """Returns the most memory this process has held.

    From the kernel's account of this very process: what `getrusage` tells is that of the one that
    started it, where that had more.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1e6 if sys.platform == "darwin" else 1e3)
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


def _public(tags: dict[str, str]) -> dict[str, str]:
    """Returns what a record may say of where it was made."""
    private = ("host", "command")
    found = {key.removeprefix("env/"): value for key, value in tags.items()}
    found["version_smash-workbench"] = smash.__version__
    with suppress(PackageNotFoundError):
        found["version_seahorse-stpp"] = version("seahorse-stpp")
    return {key: value for key, value in found.items() if key not in private}
