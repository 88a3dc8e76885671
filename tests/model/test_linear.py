"""Linear maps by oneDNN are PyTorch's, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.model.linear import LEAST_WORK, _gains, linear

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch is without oneDNN here"
)


def values_and_gradients(function, x, weight, bias):
    """Returns the output and the gradients of a weighed sum of its squares, in float64."""
    leaves = [part.clone().requires_grad_() for part in (x, weight, bias) if part is not None]
    out = function(*leaves)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    (out.square() * weights).sum().backward()
    return [out.detach().double(), *(leaf.grad.double() for leaf in leaves)]


@needs_onednn
@settings(deadline=None)
@given(
    rows=st.integers(1, 40),
    points=st.integers(1, 60),
    n_in=st.sampled_from([1, 2, 16, 64]),
    n_out=st.sampled_from([2, 7, 64, 128]),
    with_bias=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_equals_the_usual_map(rows, points, n_in, n_out, with_bias, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, points, n_in, generator=generator)
    weight = torch.randn(n_out, n_in, generator=generator)
    bias = torch.randn(n_out, generator=generator) if with_bias else None
    ours = values_and_gradients(linear, x, weight, bias)
    exact = [part if part is None else part.double() for part in (x, weight, bias)]
    for got, expected in zip(ours, values_and_gradients(F.linear, *exact), strict=True):
        size = expected.abs().max() + 1
        torch.testing.assert_close(got / size, expected / size, rtol=0, atol=3e-4)


@needs_onednn
def test_large_products_are_onednns_and_others_are_not():
    weight = torch.randn(64, 64)
    n_rows = LEAST_WORK // weight.numel()
    assert _gains(torch.randn(n_rows, 64), weight)
    assert not _gains(torch.randn(n_rows - 1, 64), weight)
    assert not _gains(torch.randn(n_rows, 64, dtype=torch.float64), weight)


def test_coarser_products_are_left_to_pytorch():
    torch.set_float32_matmul_precision("medium")
    try:
        assert not _gains(torch.randn(LEAST_WORK // 64, 64), torch.randn(64, 64))
    finally:
        torch.set_float32_matmul_precision("highest")


@needs_onednn
def test_its_result_can_be_changed_in_place():
    """As the score network does, between two maps, without copies of gradients."""
    x, weight, term = torch.randn(8, 50, 64), torch.randn(64, 64), torch.randn(8, 1, 64)
    assert _gains(x, weight)

    def through(function):
        leaf = x.clone().requires_grad_()
        out = function(function(leaf, weight).add_(term).relu_(), weight)
        out.sum().backward()
        return leaf.grad

    torch.testing.assert_close(through(linear), through(F.linear), rtol=1e-4, atol=1e-3)


@needs_onednn
def test_a_second_derivative_is_refused_rather_than_wrong():
    x = torch.randn(LEAST_WORK // 64, 64, requires_grad=True)
    (first,) = torch.autograd.grad(
        linear(x, torch.randn(64, 64)).square().sum(), x, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
