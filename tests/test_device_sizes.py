"""Sizes follow the device: on a CPU as they were, on a GPU its memory; too large ones halve."""

import pytest
import torch

from smash import sizes
from smash.settings import SamplingSettings, TrainingSettings

GIGABYTES = 2**30


@pytest.fixture
def gpu(monkeypatch):
    """A GPU with so much free memory, of which no more than sizes is asked."""

    def with_free(free: int) -> torch.device:
        monkeypatch.setattr(sizes, "_free_memory", lambda device: free)
        return torch.device("cuda:0")

    return with_free


def test_on_a_cpu_auto_is_what_keeps_arrays_in_cache():
    assert sizes.training_sizes(TrainingSettings(), 50, 64, "cpu") == (8, 128)
    found = sizes.sampling_sizes(SamplingSettings(), 64, "cpu")
    assert found == (32, 128, 30, "highest", 0)
    few = SamplingSettings(total_samples=7)
    assert sizes.sampling_sizes(few, 64, "cpu").n_samples == 7


def test_what_is_set_is_taken_on_any_device(gpu):
    training = TrainingSettings(block_sequences=3, block_events=17)
    chosen = SamplingSettings(
        n_samples=5, block_events=9, test_batch_size=2, matmul_precision="medium", cuda_graph=True
    )
    for device in (torch.device("cpu"), gpu(80 * GIGABYTES)):
        assert sizes.training_sizes(training, 50, 64, device) == (3, 17)
        found = sizes.sampling_sizes(chosen, 64, device)
        assert found == (2, 9, 5, "medium", float("inf"))


@pytest.mark.parametrize("free", [GIGABYTES, 16 * GIGABYTES, 140 * GIGABYTES])
def test_on_a_gpu_blocks_fit_into_what_is_free(gpu, free):
    device = gpu(free)
    trained = sizes.training_sizes(TrainingSettings(), 50, 64, device)
    drawn = sizes.sampling_sizes(SamplingSettings(), 64, device)
    assert trained.block_events * 50 * 64 * sizes.NUMBER * sizes.ARRAYS < free
    assert drawn.block_events * 300 * 64 * sizes.NUMBER * sizes.ARRAYS < free
    assert trained.block_events > 128
    assert drawn.n_samples == 300


class Memory:
    """Work that fits up to some size."""

    def __init__(self, most: int) -> None:
        self.most, self.done = most, []

    def __call__(self, rows: slice) -> list[int]:
        if rows.stop - rows.start > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.done.append(rows.stop - rows.start)
        return list(range(rows.start, rows.stop))


def test_what_does_not_fit_goes_on_by_halves_and_misses_nothing():
    memory = Memory(7)
    with pytest.warns(sizes.SmallerBlocks, match="by halves"):
        parts = list(sizes.in_blocks(45, 100, memory))
    assert [row for part in parts for row in part] == list(range(45))
    assert max(memory.done) == 5  # 45, 22, 11 did not fit


def test_what_fits_is_not_cut():
    memory = Memory(10)
    assert len(list(sizes.in_blocks(25, 10, memory))) == 3
    assert memory.done == [10, 10, 5]


def test_one_that_does_not_fit_is_an_error():
    with (
        pytest.warns(sizes.SmallerBlocks),
        pytest.raises(torch.OutOfMemoryError),
    ):
        list(sizes.in_blocks(4, 4, Memory(0)))


def test_a_training_halves_what_can_be_halved():
    with pytest.warns(sizes.SmallerBlocks):
        assert sizes.TrainingSizes(1, 128).halved() == (1, 64)
    assert sizes.TrainingSizes(1, 1).smallest
    assert not sizes.TrainingSizes(1, 2).smallest
