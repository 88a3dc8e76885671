"""Dropout that spends 16 random bits on a number, several times as quick as PyTorch's on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor

RANDOM_RANGE = 2**16


def dropout(x: Tensor, probability: float) -> Tensor:
    """Returns x with each number dropped with a probability, the rest scaled up.

    Drawn from PyTorch's global generator; on a CPU the probability, below 1, is rounded to a
    multiple of 2⁻¹⁶.
    """
    if probability == 0 or x.is_cuda:
        return F.dropout(x, probability)
    return x * kept(draw_bits(x.numel()), x.shape, x.dtype, probability)


def draw_bits(n: int) -> Tensor:
    """Returns random bits for n numbers, those of four in each 64-bit draw."""
    return torch.empty((n + 3) // 4, dtype=torch.int64).random_(-(2**63), None)


def kept(bits: Tensor, shape: torch.Size, dtype: torch.dtype, probability: float) -> Tensor:
    """Returns what each number is multiplied by: 0 when dropped, else 1 / (1 - probability)."""
    dropped = round(probability * RANDOM_RANGE)
    uniform = bits.view(torch.int16)[: shape.numel()].view(shape).to(dtype)
    # Element-wise float operations are vectorised; comparisons to booleans are not.
    above = uniform.add_(RANDOM_RANGE // 2 - dropped + 0.5).sign_().clamp_min_(0)
    return above.mul_(1 / (1 - dropped / RANDOM_RANGE))
