"""Two ways of doing the same work, timed in turns on the same machine in the same minutes."""

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
) -> None:
    """Notes the median times of both and their ratio on the benchmark.

    Args:
        benchmark: pytest-benchmark's fixture.
        fast: the way that is shipped.
        slow: the way it is compared with.
        against: what `slow` is, in words.
        rounds: how many times each runs, in turns, after one warm-up of each.
        work: how much more work `fast` did than `slow`, where `slow` was cut short.
    """
    fast(), slow()
    times: dict[str, list[float]] = {"fast": [], "slow": []}
    for _ in range(rounds):
        for name, function in (("slow", slow), ("fast", fast)):
            started = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - started)
    fast_seconds, slow_seconds = median(times["fast"]), work * median(times["slow"])
    benchmark.extra_info |= {
        "against": against,
        "threads": torch.get_num_threads(),
        "fast_seconds": fast_seconds,
        "slow_seconds": slow_seconds,
        "ratio": slow_seconds / fast_seconds,
    }
    benchmark.pedantic(fast, rounds=1)
