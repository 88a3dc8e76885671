"""Where a measurement comes from."""

import subprocess
from datetime import date
from typing import Any

import cpuinfo
import torch


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
