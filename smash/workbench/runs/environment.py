"""Where a run took place: commit, versions, machine. What cannot be known is "unknown"."""

import os
import platform
import re
import shlex
import socket
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from smash.shipped_files import shipped_root

PACKAGES = ("torch", "numpy", "scipy", "pandas", "mlflow", "optuna", "smash-workbench")
UNKNOWN = "unknown"


def environment_tags(device: str = "cpu", folder: Path | None = None) -> dict[str, str]:
    """Returns a run's tags `env/…`: commit, dirty flag, versions, host, CPUs, threads, device.

    Args:
        device: where tensors live, such as "cpu" or "cuda:0"; a GPU is named by its model.
        folder: the checkout whose commit is meant; by default the one this file lies in.
    """
    import torch

    commit, dirty = git_state(folder or Path(__file__).resolve().parent)
    tags = {
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cpus": str(os.cpu_count() or UNKNOWN),
        "threads": str(torch.get_num_threads()),
        "device": device,
        "device_name": device_name(device),
        "command": command_of(sys.argv),
    }
    tags |= {f"version_{name}": _version(name) for name in PACKAGES}
    return {f"env/{name}": value for name, value in tags.items()}


def command_of(arguments: list[str]) -> str:
    """Returns a command line as it would be typed in the checkout, whose files it names."""
    program, *others = arguments
    within = f"{shipped_root()}{os.sep}"
    within_checkout = (other.removeprefix(within) for other in others)
    return " ".join([Path(program).name, *map(_typed, within_checkout)])


def _typed(argument: str) -> str:
    """Returns an argument as a shell takes it for one."""
    return shlex.quote(argument) if re.search(r"\s", argument) else argument


@cache
def environment_text() -> str:
    """Returns Python's version and every installed package with its version, one a line."""
    installed = {f"{found.name}=={found.version}" for found in distributions() if found.name}
    python = f"# Python {platform.python_version()} on {platform.platform()}"
    return "\n".join([python, *sorted(installed, key=str.lower)]) + "\n"


def git_state(folder: Path) -> tuple[str, str]:
    """Returns the commit of the checkout around `folder` and "true" or "false" for uncommitted
    changes; "unknown" for what git cannot tell, or where there is no git.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    dirty = UNKNOWN if changes is None else str(changes != "").lower()
    return commit or UNKNOWN, dirty


@cache
def device_name(device: str) -> str:
    """Returns the model of the CPU or GPU behind `device`."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device) if torch.cuda.is_available() else UNKNOWN
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or UNKNOWN
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or UNKNOWN)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return UNKNOWN
