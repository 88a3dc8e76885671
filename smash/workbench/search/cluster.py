"""Trials as Ray tasks: on this machine, or on all machines of a cluster."""

import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from smash.errors import StudyError
from smash.workbench.runs import console
from smash.workbench.runs.signals import Interruption
from smash.workbench.search.local import Watch

if TYPE_CHECKING:  # a task sets its environment before it imports these
    from smash.workbench.search.trial import Office
    from smash.workbench.search.worker import Plan

POLL = 1.0
RETRIES = 3
"""Times that Ray runs a task again whose machine is gone. Each time it claims what is next."""
LEAVE = 15.0
PATIENCE = 5.0
"""Seconds within which the head of a cluster has to answer."""

_offices: dict[float, "Office"] = {}
"""The office of a call of tune.py: Ray runs many tasks in one process."""


def connect_cluster(address: str | None, jobs: int | None) -> None:
    """Connects to the cluster at `address`, or starts one of `jobs` CPUs on this machine.

    Raises:
        StudyError: when Ray is missing or does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:  # it listens to this machine alone, and no token is left in the home
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    try:
        import ray
    except ImportError as error:
        raise StudyError(
            '--engine ray: Ray is not installed; install the extra: pip install "smash-workbench'
            '[cluster]"'
        ) from error
    own: dict[str, Any] = {} if address else {"num_cpus": jobs, "include_dashboard": False}
    try:
        _knock(address or "")
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StudyError(
            f"--address {address}: no Ray cluster can be reached there ({reason})"
        ) from error


def _knock(address: str) -> None:
    """Raises OSError within seconds when nothing listens at HOST:PORT; Ray tries for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), PATIENCE).close()


def run_on_cluster(
    plan: "Plan",
    environment: dict[str, str],
    jobs: int | None,
    watch: Watch,
    interruption: Interruption,
) -> None:
    """Runs a study's trials as Ray tasks, at most `jobs` at once, by default as many as fit.

    A task claims the study's next trial when it starts. When its machine goes, Ray runs it again
    elsewhere, and the lost trial is queued again once it is known to be lost.

    Raises:
        StudyError: when no machine has what a trial needs, or a task met what is no trial's fault.
    """
    import ray

    needs = plan.search.study.resources
    check_fit(needs.cpus, needs.gpus)
    # Without a limit of calls, or Ray takes a new process for each task that uses a GPU.
    task = ray.remote(num_cpus=needs.cpus, num_gpus=needs.gpus, max_retries=RETRIES, max_calls=0)(
        run_one
    )
    running: list[Any] = []
    plan_ref, over = ray.put(plan), False
    try:
        while running or not over:
            interruption.check()
            room = min(jobs or 10**6, _capacity(needs.cpus, needs.gpus)) - len(running)
            if not over:
                running += [task.remote(plan_ref, environment) for _ in range(room)]
            done, running = ray.wait(running, num_returns=1, timeout=POLL)
            verdicts = [_verdict(ref) for ref in done]
            over = over or any(verdict not in ("trial", "wait") for verdict in verdicts)
            watch()
            if "wait" in verdicts:
                time.sleep(POLL)
    except BaseException:
        _cancel(running)
        raise


def run_one(plan: "Plan", environment: dict[str, str]) -> str:
    """Returns "trial" after running the study's next trial, else the name of the verdict."""
    os.environ.update(environment)  # before PyTorch is imported, which reads it then
    from smash.workbench.search.worker import open_office, run_next

    if plan.call.started not in _offices:
        _offices[plan.call.started] = open_office(plan)
    verdict = run_next(_offices[plan.call.started], plan.call)
    return "trial" if verdict is None else verdict.name.lower()


def _verdict(ref: Any) -> str:
    import ray

    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        reason = error.cause if error.cause is not None else error
        raise StudyError(f"a task failed: {type(reason).__name__}: {reason}") from error
    except ray.exceptions.RayError as error:  # killed, or its machine is gone for good
        console.warn(f"a task was lost ({type(error).__name__}); its trial is tried again")
        return "trial"


def _capacity(cpus: float, gpus: float) -> int:
    """Returns how many trials the cluster can hold as it is now."""
    import ray

    there = ray.cluster_resources()
    fits = [there.get("CPU", 0.0) / cpus]
    fits += [there.get("GPU", 0.0) / gpus] if gpus else []
    return int(min(fits) + 1e-9)


def check_fit(cpus: float, gpus: float) -> None:
    """Raises StudyError when no machine of the cluster has what a trial needs."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        most = {kind: max(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU")}
        raise StudyError(
            f"resources: a trial needs {cpus:g} CPUs and {gpus:g} GPUs, and the largest machine "
            f"has {most['CPU']:g} and {most['GPU']:g}; set resources.cpus and resources.gpus"
        )


def _cancel(refs: list[Any]) -> None:
    """Interrupts tasks, which give their trials back, and waits for them."""
    import ray

    for ref in refs:
        ray.cancel(ref, force=False)
    if refs:
        ray.wait(refs, num_returns=len(refs), timeout=LEAVE)
