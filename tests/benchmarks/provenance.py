"""Where a measurement comes from, and where it goes."""

import json
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import cpuinfo
import torch

MEASUREMENTS = Path("docs/measurements")
"""What took long to measure and is kept, from the repository's root, where studies are run."""


def write_study(name: str, study: dict[str, Any]) -> None:
    """Keeps a study for `report.py`."""
    (MEASUREMENTS / f"{name}.json").write_text(json.dumps(study, indent=1) + "\n")


def provenance() -> dict[str, Any]:
    """Returns the machine, the commit, the date and the number of threads."""
    machine = cpuinfo.get_cpu_info()
    return {
        "machine": f"{machine.get('brand_raw', machine['arch'])}, {machine['count']} cores",
        "commit": _git("rev-parse", "--short=12", "HEAD") + (_git("diff", "--stat") and " (dirty)"),
        "date": date.today().isoformat(),
        "threads": torch.get_num_threads(),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
