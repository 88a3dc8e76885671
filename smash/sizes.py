"""What `auto` stands for in settings: how much is done at a time, by device and free memory.

On a CPU blocks are small, so that their working arrays stay in cache; a GPU is quick where many
events go at once. Results do not depend on sizes beyond rounding and the order of draws.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal, NamedTuple, TypeVar

import torch

from smash.settings import AUTO, SamplingSettings, TrainingSettings

Part = TypeVar("Part")

NUMBER = 4
"""Bytes of a float32."""
SHARE = 0.25
"""Share of a GPU's free memory that one block's working arrays may take."""
ARRAYS = 16
"""Arrays of hidden units that a score network holds of each event and time."""
SEQUENCE = 2**26
"""Bytes that encoding a sequence takes, at most, where sequences are of the usual lengths."""
MOST_EVENTS, MOST_SEQUENCES = 2**16, 2**8
"""Blocks on a GPU, however much memory it has."""
FEW_CHAINS = 2**17
"""Chains up to which starting a step's kernels takes longer than running them."""


class TrainingSizes(NamedTuple):
    """Sequences encoded, and events whose loss is computed, at a time."""

    block_sequences: int
    block_events: int

    @property
    def smallest(self) -> bool:
        """True where nothing is left to halve."""
        return self.block_sequences == self.block_events == 1

    def halved(self) -> "TrainingSizes":
        """Returns sizes half as large, and says so."""
        _say_smaller()
        return TrainingSizes(*(max(1, size // 2) for size in self))


class SamplingSizes(NamedTuple):
    """Sequences encoded, events sampled and their draws made at a time; and how.

    `cuda_graph_up_to`: chains at a time up to which a step is replayed from a graph.
    """

    test_batch_size: int
    block_events: int
    n_samples: int
    matmul_precision: Literal["highest", "high", "medium"]
    cuda_graph_up_to: float


class SmallerBlocks(UserWarning):
    """Said once a process where a block was too large for the GPU's memory."""


def training_sizes(
    settings: TrainingSettings, n_points: int, units: int, device: torch.device | str
) -> TrainingSizes:
    """Returns the sizes of a training.

    Args:
        settings: those that are not `auto` are taken as they are.
        n_points: times, of each event, that a loss asks the score network about.
        units: the score network's width H.
        device: where it is trained.
    """
    device, sequences, events = torch.device(device), 8, 128
    if device.type == "cuda":
        # Twice the arrays, for their gradients.
        bytes_an_event = NUMBER * (2 * ARRAYS * n_points * units + 2 * units**2)
        sequences = _fitting(device, SEQUENCE, MOST_SEQUENCES)
        events = _fitting(device, bytes_an_event, MOST_EVENTS)
    return TrainingSizes(
        _given(settings.block_sequences, sequences), _given(settings.block_events, events)
    )


def sampling_sizes(
    settings: SamplingSettings, units: int, device: torch.device | str
) -> SamplingSizes:
    """Returns the sizes of sampling with a score network of width `units`."""
    device, total = torch.device(device), settings.total_samples
    on_gpu = device.type == "cuda"
    precision = settings.matmul_precision
    graph_up_to = float("inf") if settings.cuda_graph else 0.0
    if settings.cuda_graph == AUTO:
        graph_up_to = float(FEW_CHAINS if on_gpu else 0)
    if precision == AUTO:
        precision = "high" if on_gpu else "highest"
    n_samples = _given(settings.n_samples, total if on_gpu else min(30, total))
    sequences, events = 32, 128
    if on_gpu:
        points = max(n_samples, settings.grid_points)
        bytes_an_event = NUMBER * (ARRAYS * points * units + 2 * units**2)
        sequences = _fitting(device, SEQUENCE, MOST_SEQUENCES)
        events = _fitting(device, bytes_an_event, MOST_EVENTS)
    return SamplingSizes(
        _given(settings.test_batch_size, sequences),
        _given(settings.block_events, events),
        n_samples,
        precision,
        graph_up_to,
    )


def paths_at_once(device: torch.device) -> int:
    """Returns how many futures are rolled out together, drawn on a device."""
    return 2048 if device.type == "cuda" else 256


def in_blocks(total: int, size: int, work: Callable[[slice], Part]) -> Iterator[Part]:
    """Yields what `work` makes of slices of at most `size` that cover 0 to `total`.

    Where a GPU's memory does not hold a block, it and all that follow are half as large.

    Raises:
        torch.OutOfMemoryError: when not even one at a time fits.
    """
    start = 0
    while start < total:
        rows = slice(start, min(start + size, total))
        try:
            part = work(rows)
        except torch.OutOfMemoryError:
            if rows.stop == start + 1:
                raise
            size = (rows.stop - start) // 2
            _say_smaller()
            continue
        yield part
        start = rows.stop


def _say_smaller() -> None:
    warnings.warn(
        "the GPU's memory does not hold what was to be done at a time; it goes on by halves. "
        "Smaller block sizes (training.block_events, sampling.block_events) spare it the attempt",
        SmallerBlocks,
        stacklevel=3,
    )


def _given(size: int | Literal["auto"], otherwise: int) -> int:
    return otherwise if size == AUTO else size


def _fitting(device: torch.device, bytes_each: int, most: int) -> int:
    """Returns how many fit, a power of two."""
    fitting = max(1, int(SHARE * _free_memory(device) / bytes_each))
    return min(1 << (fitting.bit_length() - 1), most)


@cache
def _free_memory(device: torch.device) -> int:
    """Returns the bytes of a GPU that were free when first asked for."""
    free, _ = torch.cuda.mem_get_info(device)
    return free
