"""How exactly float32 matrices are multiplied while samples are drawn.

A chain of noisy steps needs no more than a few digits of each: TF32 on a GPU, bfloat16 on a CPU
that has it. PyTorch's setting is global, so it holds while blocks are drawn and no longer.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from smash.sampling.chains import ChainBlock


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """Sets PyTorch's float32 matmul precision, until the end of the block it is used for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def drawn_with(precision: str, blocks: Iterator[ChainBlock]) -> Iterator[ChainBlock]:
    """Yields `blocks`, each drawn with PyTorch's float32 matmul precision of that name."""
    while True:
        with matmul_precision(precision):
            block = next(blocks, None)
        if block is None:
            return
        yield block
