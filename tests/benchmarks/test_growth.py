"""What grows with the data, and what does not: seconds an event, and memory."""

import json
import subprocess
import sys
from pathlib import Path

import torch
from comparison import note

SCRIPT = Path(__file__).with_name("grow.py")


def measured(*arguments: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_growth(benchmark):
    """An epoch and a forecast of 1, 4 and 16 times the events, then of 100 000."""
    benchmark.extra_info["growth"] = [
        measured("sequences", str(n_events)) for n_events in (2_000, 8_000, 32_000, 100_000)
    ]
    benchmark.extra_info["threads"] = torch.get_num_threads()
    benchmark.pedantic(lambda: None, rounds=1)


def test_long_sequences(benchmark):
    """A training step on one sequence of 1, 4 and 16 times the longest context."""
    benchmark.extra_info["growth"] = [
        measured("long", str(n_events)) for n_events in (1_024, 4_096, 16_384)
    ]
    benchmark.extra_info["threads"] = torch.get_num_threads()
    benchmark.pedantic(lambda: None, rounds=1)


def test_help(benchmark):
    """Processor seconds of `run_experiment.py --help`, beside the second it may take."""
    root = Path(__file__).parents[2]
    program = (
        "import resource, runpy, sys\n"
        "sys.argv = ['run_experiment.py', '--help']\n"
        "try:\n    runpy.run_path('run_experiment.py', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(used.ru_utime + used.ru_stime)\n"
    )
    command = [sys.executable, "-c", program]
    seconds = min(
        float(subprocess.run(command, cwd=root, capture_output=True, text=True).stdout.split()[-1])
        for _ in range(3)
    )
    note(benchmark, seconds, 1.0, "s", "one second", target=1)
    benchmark.pedantic(lambda: None, rounds=1)
