"""Causal self-attention with dropout on the attention weights, quick on a CPU.

PyTorch's fused CPU kernel knows no dropout; its fallback draws a random number for each of the
L² weights of every head, future ones included, and keeps several such matrices for the backward
pass. Here the weights exist a cache-sized block at a time: past ones only, recomputed in the
backward pass, their dropout decided by 16 random bits each.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from smash.model.dropout import draw_bits, kept

BLOCK_QUERIES = 64
BLOCK_WEIGHTS = 2**19
"""Queries and attention weights in a block; the latter are two megabytes in float32."""
MOST_WEIGHTS = 2**26
"""Attention weights that a GPU writes to memory, which is quicker than keeping none."""


def causal_attention(query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
    """Returns softmax(q kᵀ / √d) v (R, L, d) where position l attends to positions up to l.

    Args:
        query: (R, L, d), one row of R for each head of each sequence.
        key: (R, L, d).
        value: (R, L, d).
        dropout: probability with which a weight is dropped, the rest scaled up; drawn from
            PyTorch's global generator. Rounded to a multiple of 2⁻¹⁶ on a CPU.
    """
    if query.is_cuda and len(query) * query.shape[1] ** 2 > MOST_WEIGHTS:
        # As one head of many sequences, for which there are kernels that keep no weights.
        q, k, v = (part.unsqueeze(1) for part in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout).squeeze(1)
    if dropout == 0 or query.is_cuda:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=dropout)
    attended: Tensor = _BlockedAttention.apply(query, key, value, dropout)
    return attended


class _BlockedAttention(torch.autograd.Function):
    """Forward and backward pass over blocks of weights (R_block, Q_block, past)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
        scaled = query * query.shape[-1] ** -0.5
        out, draws = torch.empty_like(value), []
        for rows, queries, past in _blocks(query.shape):
            weights = _weights(scaled, key, rows, queries, past)
            draws.append(draw_bits(weights.numel()))
            weights.mul_(kept(draws[-1], weights.shape, weights.dtype, dropout))
            # Into a slice of the result, bmm would take the rows one by one.
            out[rows, queries] = torch.bmm(weights, value[rows, past])
        ctx.save_for_backward(scaled, key, value, out, *draws)
        ctx.dropout = dropout
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (d_out,) = gradients
        scaled, key, value, out, *draws = ctx.saved_tensors
        d_query, d_key, d_value = (torch.zeros_like(x) for x in (scaled, key, value))
        # Σ_j p_j ∂L/∂p_j of each query, which the derivative of the softmax subtracts.
        mean = (d_out * out).sum(-1, keepdim=True)
        for (rows, queries, past), bits in zip(_blocks(scaled.shape), draws, strict=True):
            weights = _weights(scaled, key, rows, queries, past)
            factor = kept(bits, weights.shape, weights.dtype, ctx.dropout)
            d_product = torch.bmm(d_out[rows, queries], value[rows, past].mT).mul_(factor)
            d_product.sub_(mean[rows, queries]).mul_(weights)
            d_query[rows, queries] = torch.bmm(d_product, key[rows, past])
            d_key[rows, past] += torch.bmm(d_product.mT, scaled[rows, queries])
            d_value[rows, past] += torch.bmm(weights.mul_(factor).mT, d_out[rows, queries])
        return d_query * scaled.shape[-1] ** -0.5, d_key, d_value, None


def _blocks(shape: torch.Size) -> Iterator[tuple[slice, slice, slice]]:
    """Yields (rows, queries, past): the past of a block of queries ends with its last one."""
    n_rows, length, _ = shape
    for start in range(0, length, BLOCK_QUERIES):
        end = min(start + BLOCK_QUERIES, length)
        size = max(1, BLOCK_WEIGHTS // ((end - start) * end))
        for first in range(0, n_rows, size):
            yield slice(first, first + size), slice(start, end), slice(0, end)


def _weights(scaled: Tensor, key: Tensor, rows: slice, queries: slice, past: slice) -> Tensor:
    """Returns softmax(q kᵀ) of a block, 0 where the key comes after the query."""
    product = torch.bmm(scaled[rows, queries], key[rows, past].mT)
    size = product.shape[1]
    product[:, :, -size:] += torch.full((size, size), float("-inf"), dtype=product.dtype).triu(1)
    return product.softmax(-1)
