"""Linear maps of many rows, on a CPU by oneDNN in place of PyTorch's usual library, MKL.

On an AMD processor with AVX-512 oneDNN was measured twice as quick, to the same rounding. PyTorch
ships both, but offers gradients through oneDNN only for tensors in its own layout.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_WORK = 2**20
"""Multiplications below which calling oneDNN takes longer than it saves."""

_onednn_linear: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns x Wᵀ + b (..., n_out) of x (..., n_in), W (n_out, n_in) and b (n_out,).

    On a CPU, in float32 and at PyTorch's highest matmul precision, products large enough to gain
    from it are oneDNN's, forward and backward; the others are `torch.nn.functional.linear`'s.
    """
    if not _gains(x, weight):
        return F.linear(x, weight, bias)
    mapped: Tensor = _OneDnnLinear.apply(x, weight, bias)
    return mapped


def _gains(x: Tensor, weight: Tensor) -> bool:
    return (
        _onednn_linear is not None
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.numel() * len(weight) >= LEAST_WORK
        and torch.get_float32_matmul_precision() == "highest"
    )


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (d_out,) = gradients
        x, weight = ctx.saved_tensors
        d_x = _product(d_out, weight.mT) if ctx.needs_input_grad[0] else None
        rows = d_out.flatten(0, -2)
        d_weight = rows.mT @ x.flatten(0, -2) if ctx.needs_input_grad[1] else None
        return d_x, d_weight, rows.sum(0) if ctx.has_bias else None


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    mapped: Tensor = _onednn_linear(x.flatten(0, -2), weight, bias, "none", [], "")
    # A view made within a Function could not be changed in place; this one counts as none.
    return torch.ops.aten._unsafe_view(mapped, (*x.shape[:-1], len(weight)))
