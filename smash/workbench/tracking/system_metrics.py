"""What the machine does during a run: CPU, memory, disk, network, GPU, under `system/`."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

INTERVAL = 10.0


class SystemMetrics:
    """Hands the machine's figures to `log(values, step)` every `interval` seconds.

    They are MLflow's own (its pages know them by the prefix `system/`), but they are handed on
    instead of written: MLflow's monitor thread stops for good when the server is away once. The
    step is the number of seconds since `start_time`, so a resumed run goes on where it was.
    """

    def __init__(
        self,
        log: Callable[[Mapping[str, float], int], None],
        start_time: float,
        interval: float | None = None,
    ) -> None:
        chosen = interval or os.environ.get("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL") or INTERVAL
        self._log, self._start_time, self._interval = log, start_time, float(chosen)
        self._monitors = _monitors()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes the last figures and ends the thread."""
        self._stop.set()
        self._thread.join(timeout=self._interval)

    def _work(self) -> None:
        self._figures()  # CPU use is counted from the first look on
        stopped = False
        while not stopped:
            stopped = self._stop.wait(self._interval)
            self._log(self._figures(), int(time.time() - self._start_time))

    def _figures(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            values |= monitor.aggregate_metrics()
            monitor.clear_metrics()
        return {f"system/{name}": value for name, value in values.items()}


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        monitors.append(GPUMonitor())
    except (ImportError, RuntimeError):  # no NVIDIA GPU, or no library to ask it with
        return monitors
    return monitors
