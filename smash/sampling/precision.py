"""How exactly float32 matrices are multiplied while samples are drawn.

A chain of noisy steps needs no more than a few digits of each: TF32 on a GPU, bfloat16 on a CPU
that has it. PyTorch's setting is global, so it holds while blocks are drawn and no longer.
"""

from collections.abc import Iterator

import torch

from smash.sampling.chains import ChainBlock


def drawn_with(precision: str, blocks: Iterator[ChainBlock]) -> Iterator[ChainBlock]:
    """Yields `blocks`, each drawn with PyTorch's float32 matmul precision of that name."""
    while True:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(precision)
        try:
            block = next(blocks, None)
        finally:
            torch.set_float32_matmul_precision(before)
        if block is None:
            return
        yield block
