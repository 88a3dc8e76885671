"""Altered files of every kind, each read in a process of its own: `python tests/fuzz.py`.

A case is a kind and a seed. Its process must end within 10 s and 1 GB, without a traceback: the
file is read, or refused with one of our errors. A case is done again with `--kind KIND --seed N`.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

# Before PyTorch is imported: a forked process has no use for its parent's threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzzing import alterations, readings

MOST_SECONDS, MOST_BYTES = 10.0, 10**9
KINDS: dict[str, tuple[Callable[[Path, random.Random], None], Callable[[Path], None]]] = {
    "description": (alterations.json_of("model/model.json"), readings.model),
    "description, bytes": (alterations.bytes_of("model/model.json"), readings.model),
    "weights": (alterations.weights, readings.model),
    "weights, bytes": (alterations.bytes_of("model/weights.safetensors"), readings.model),
    "recalibration": (alterations.json_of("model/recalibration.json"), readings.model),
    "manifest": (alterations.json_of("kept/manifest.json"), readings.kept_model),
    "study": (alterations.bytes_of("study.yaml"), readings.study),
    "mixture": (alterations.json_of("mixture/mixture.json"), readings.mixture),
    "progress": (alterations.json_of("training/epoch-00002/progress.json"), readings.training),
    "training": (alterations.training, readings.training),
    "training, bytes": (
        alterations.bytes_of("training/epoch-00002/training.pt"),
        readings.training,
    ),
    "original": (alterations.original, readings.original),
    "original, bytes": (alterations.bytes_of("original.pkl"), readings.original),
    "spec": (alterations.spec, readings.spec),
    "spec, bytes": (alterations.bytes_of("spec.yaml"), readings.spec),
    "csv": (alterations.csv, readings.table("events.csv")),
    "csv, bytes": (alterations.bytes_of("events.csv"), readings.table("events.csv")),
    "parquet": (alterations.parquet, readings.table("events.parquet")),
    "parquet, bytes": (alterations.bytes_of("events.parquet"), readings.table("events.parquet")),
    "npz": (alterations.npz, readings.table("events.npz")),
    "npz, bytes": (alterations.bytes_of("events.npz"), readings.table("events.npz")),
    "pickle": (alterations.pickled, readings.table("events.pkl")),
    "pickle, bytes": (alterations.bytes_of("events.pkl"), readings.table("events.pkl")),
    "pickle, instructions": (alterations.instructions, readings.table("events.pkl")),
    "jsonl": (alterations.json_lines, readings.table("events.jsonl")),
    "jsonl, bytes": (alterations.bytes_of("events.jsonl"), readings.table("events.jsonl")),
    "npz, sequences": (alterations.npz_sequences, readings.table("sequences.npz")),
    "npz, splits": (alterations.npz_objects, readings.splits),
    "npz, splits, bytes": (alterations.bytes_of("splits.npz"), readings.splits),
    "easytpp": (alterations.json_of("easytpp.json"), readings.table("easytpp.json")),
    "easytpp, bytes": (
        alterations.bytes_of("easytpp.json"),
        readings.table("easytpp.json"),
    ),
    "easytpp pickle": (
        alterations.bytes_of("easytpp.pkl"),
        readings.table("easytpp.pkl"),
    ),
    "samples": (alterations.bytes_of("samples.parquet"), readings.samples),
    "anything": (alterations.in_place_of_a_file, readings.everything),
}


@dataclass(frozen=True)
class Ending:
    """How a case ended: `read`, `refused`, `traceback`, `crash` or `hang`, and what it took."""

    how: str
    message: str
    seconds: float
    n_bytes: int

    @property
    def is_fault(self) -> bool:
        fine = self.how in ("read", "refused") and self.message.count("\n") < 40
        return not fine or self.seconds > MOST_SECONDS or self.n_bytes > MOST_BYTES


def run_case(kind: str, seed: int, base: Path) -> Ending:
    """Returns how a case ended, a process of its own having read the altered file."""
    alter, read = KINDS[kind]
    folder = Path(tempfile.mkdtemp(prefix="fuzz."))
    try:
        shutil.copytree(base, folder / "case")
        # In a process of its own too: some make large things small.
        made = _forked(
            lambda: alter(folder / "case", random.Random(f"{kind} {seed}")), folder / "made"
        )
        if made.how != "read":
            raise RuntimeError(f"{kind}, {seed}: not altered: {made}")
        return _forked(lambda: read(folder / "case"), folder / "said")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forked(work: Callable[[], None], said: Path) -> Ending:
    started, before = time.monotonic(), psutil.Process().memory_info().rss
    pid = os.fork()
    if pid == 0:
        _work_and_leave(work, said)
    overdue = False
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        if not overdue and time.monotonic() - started > 6 * MOST_SECONDS:
            overdue = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    how, _, message = (said.read_text() if said.exists() else "").partition("\n")
    if overdue or not how:
        how, message = ("hang" if overdue else "crash"), f"status {status}"
    # Time on a processor, which other processes of the machine do not lengthen.
    seconds = 6 * MOST_SECONDS if overdue else used.ru_utime + used.ru_stime
    # Without what this process has itself, which its children begin with.
    return Ending(how, message, seconds, max(0, used.ru_maxrss * 1024 - before))


def _work_and_leave(work: Callable[[], None], said: Path) -> None:
    from smash.errors import SmashError

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    warnings.simplefilter("ignore")
    try:
        work()
        said.write_text("read\n")
    except SmashError as error:
        said.write_text(f"refused\n{error}")
    except BaseException:  # noqa: BLE001 (that is what is looked for)
        said.write_text(f"traceback\n{traceback.format_exc()}")
    os._exit(0)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2500, help="how many, over all kinds")
    parser.add_argument("--seed", type=int, default=0, help="of the first case of each kind")
    parser.add_argument("--kind", choices=KINDS, help="cases of one kind alone")
    options = parser.parse_args()
    kinds = [options.kind] if options.kind else list(KINDS)
    each = 1 if options.kind and options.cases == 2500 else -(-options.cases // len(kinds))
    counts: Counter[str] = Counter()
    worst = Ending("", "", 0.0, 0)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        base = readings.make_base(Path(folder) / "base")
        for kind in kinds:
            for seed in range(options.seed, options.seed + each):
                ending = run_case(kind, seed, base)
                counts[ending.how] += 1
                worst = Ending(
                    "", "", max(worst.seconds, ending.seconds), max(worst.n_bytes, ending.n_bytes)
                )
                if ending.is_fault or (options.kind and each == 1):
                    faults += ending.is_fault
                    say(f"--kind {kind!r} --seed {seed}: {ending}"[:3000].replace("\\n", "\n"))
            say(f"{kind}: {each} cases, {dict(counts)}")
    say(
        f"{sum(counts.values())} altered files: {counts['traceback']} tracebacks, "
        f"{counts['crash']} crashes, {counts['hang']} hung; most {worst.seconds:.1f} s of a "
        f"processor and {worst.n_bytes / 1e6:.0f} MB; {counts['read']} read, "
        f"{counts['refused']} refused; {faults} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
