"""The blocked attention is attention: same values, right gradients, right share dropped."""

import pytest
import torch
import torch.nn.functional as F

from smash.model.attention import _BlockedAttention, causal_attention


def inputs(length: int, rows: int = 3, size: int = 4, dtype=torch.double) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(length)
    return [
        torch.randn(rows, length, size, generator=generator, dtype=dtype).requires_grad_()
        for _ in range(3)
    ]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 300])
def test_without_dropout_it_equals_the_plain_product(length):
    query, key, value = inputs(length)
    blocked = _BlockedAttention.apply(query, key, value, 0.0)
    plain = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(blocked, plain)
    gradient = torch.randn_like(plain)
    for a, b in zip(
        torch.autograd.grad(blocked, (query, key, value), gradient),
        torch.autograd.grad(plain, (query, key, value), gradient),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_gradients_hold_under_dropout():
    def seeded(*tensors):
        torch.manual_seed(4)
        return causal_attention(*tensors, 0.3)

    assert torch.autograd.gradcheck(seeded, inputs(70, rows=2), fast_mode=True)


def test_the_asked_share_of_weights_is_dropped_and_the_mean_kept():
    torch.manual_seed(0)
    query, key, value = (torch.zeros(40, 200, 1), torch.zeros(40, 200, 1), torch.ones(40, 200, 1))
    last = causal_attention(query, key, value, 0.25)[:, -1, 0]
    # Each of 200 equal weights is kept with probability 3/4 and then counts 4/3.
    assert last.mean().item() == pytest.approx(1.0, abs=0.02)
    expected = (0.25 / 0.75 / 200) ** 0.5
    assert last.std().item() == pytest.approx(expected, rel=0.3)
