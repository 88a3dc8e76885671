"""Two ways of doing the same work, timed in turns on the same machine in the same minutes.

Seconds are the processor's, not the clock's, so that other work on the machine changes them
little; `make bench` gives both ways one thread.
"""

import time
from collections.abc import Callable
from statistics import median

import torch


def compare(
    benchmark,
    fast: Callable[[], object],
    slow: Callable[[], object],
    against: str,
    rounds: int = 3,
    work: float = 1.0,
    target: float | None = None,
    warm_up: bool = True,
) -> None:
    """Notes the median processor seconds of both and the median of their ratios on the benchmark.

    A round's ratio is of times taken next to each other; other work that comes and goes between
    rounds changes it less than the times.

    Args:
        benchmark: pytest-benchmark's fixture.
        fast: the way that is shipped.
        slow: the way it is compared with.
        against: what `slow` is, in words.
        rounds: how many times each runs, in turns.
        work: how much more work `fast` did than `slow`, where `slow` was cut short.
        target: the ratio that is asked for.
        warm_up: False where both have run something like it before.
    """
    if warm_up:
        fast(), slow()
    times: dict[str, list[float]] = {"fast": [], "slow": []}
    for _ in range(rounds):
        for name, function in (("slow", slow), ("fast", fast)):
            started = time.process_time()
            function()
            times[name].append(time.process_time() - started)
    fast_seconds = times["fast"]
    slow_seconds = [work * seconds for seconds in times["slow"]]
    note(benchmark, median(fast_seconds), median(slow_seconds), "s", against, target)
    ratios = [theirs / ours for theirs, ours in zip(slow_seconds, fast_seconds, strict=True)]
    benchmark.extra_info["ratio"] = median(ratios)
    benchmark.pedantic(lambda: None, rounds=1)


def note(
    benchmark, fast: float, slow: float, unit: str, against: str, target: float | None = None
) -> None:
    """Notes a comparison that was made elsewhere."""
    benchmark.extra_info |= {
        "against": against,
        "threads": torch.get_num_threads(),
        "unit": unit,
        "fast": fast,
        "slow": slow,
        "ratio": slow / fast,
        "target": target,
    }
