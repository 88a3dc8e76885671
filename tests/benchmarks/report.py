"""Writes docs/performance.md from the JSON of a `make bench`: python report.py bench.json FILE."""

import json
import sys
from pathlib import Path

HEAD = """# Performance

Written by `make bench`; nothing here is typed by hand. Each line compares two ways of doing the
same work, timed in turns in one run: medians, and the ratio slow / fast.

- machine: {machine}
- threads: {threads}
- commit: {commit}
- date: {date}

| work | compared with | fast (s) | slow (s) | ratio |
|---|---|---|---|---|
"""


def main(source: str, target: str) -> None:
    """Reads pytest-benchmark's JSON and writes the table."""
    report = json.loads(Path(source).read_text())
    machine, commit = report["machine_info"], report["commit_info"]
    text = HEAD.format(
        machine=f"{machine['cpu'].get('brand_raw', machine['machine'])}, "
        f"{machine['cpu'].get('count', '?')} cores",
        threads=report["benchmarks"][0]["extra_info"].get("threads", "?"),
        commit=commit.get("id", "unknown")[:12] + (" (dirty)" if commit.get("dirty") else ""),
        date=report["datetime"][:10],
    )
    for result in report["benchmarks"]:
        info, name = result["extra_info"], result["name"].removeprefix("test_").replace("_", " ")
        text += (
            f"| {name} | {info['against']} | {info['fast_seconds']:.3g} "
            f"| {info['slow_seconds']:.3g} | {info['ratio']:.1f} |\n"
        )
    Path(target).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
