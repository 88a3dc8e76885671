"""Dropout drops the asked share, scales the rest up and lets their gradients alone through."""

import pytest
import torch

from smash.model.dropout import dropout


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
def test_the_asked_share_is_dropped_and_the_rest_scaled_up(probability):
    torch.manual_seed(0)
    n = 400_003
    x = torch.linspace(1, 2, n, requires_grad=True)
    y = dropout(x, probability)
    survivors = y != 0
    spread = (probability * (1 - probability) / n) ** 0.5
    assert (~survivors).float().mean().item() == pytest.approx(probability, abs=4 * spread)
    # The rounding of the probability to 2⁻¹⁶ weighs most where few survive.
    torch.testing.assert_close(y[survivors] * (1 - probability), x[survivors], rtol=2e-4, atol=0)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient, y.detach() / x.detach())


def test_neighbours_are_dropped_independently():
    torch.manual_seed(1)
    survived = (dropout(torch.ones(400_000), 0.3) != 0).float() - 0.7
    for lag in (1, 2, 3, 4, 8):
        covariance = (survived[:-lag] * survived[lag:]).mean().item()
        assert covariance == pytest.approx(0, abs=4 * 0.21 / 400_000**0.5)


def test_a_seed_repeats_it():
    def draw():
        torch.manual_seed(2)
        return dropout(torch.ones(1000), 0.4)

    assert torch.equal(draw(), draw())
