"""The derivative carried along in the forward pass is the derivative."""

import pytest
import torch
from plain import plain_evaluation

from smash.model.score_network import ScoreNet
from smash.settings import ModelSettings


def network(n_marks: int) -> ScoreNet:
    torch.manual_seed(1)
    return ScoreNet(ModelSettings(cond_dim=8, num_units=16), n_marks).double()


def test_slope_equals_autograd_for_every_mark():
    for n_marks in (1, 4):
        net = network(n_marks)
        terms = net.terms(torch.randn(5, 8 * (3 if n_marks == 1 else 4)).double())
        z = torch.randn(5, 7, 3).double().requires_grad_()
        evaluation = net(z, terms)
        for k in range(n_marks):
            (gradient,) = torch.autograd.grad(
                evaluation.intensity[..., k].sum(), z, retain_graph=True
            )
            torch.testing.assert_close(evaluation.intensity_slope[..., k], gradient[..., 0])


@pytest.mark.parametrize("n_marks", [1, 4])
def test_the_folded_network_equals_the_plain_one(n_marks):
    net = network(n_marks)
    context, z = torch.randn(5, 8 * (3 if n_marks == 1 else 4)).double(), torch.randn(5, 7, 3)
    fast = net(z.double(), net.terms(context))
    for a, b in zip(fast, plain_evaluation(net, z.double(), context), strict=True):
        torch.testing.assert_close(a, b)


def test_an_event_is_evaluated_alike_alone_and_among_others():
    net = network(3)
    context, z = torch.randn(6, 32).double(), torch.randn(6, 4, 3).double()
    whole = net(z, net.terms(context))
    part = net(z[2:4], net.terms(context[2:4]))
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(a[2:4], b)


def test_mark_probabilities_sum_to_one():
    net = network(3)
    probability = net(torch.randn(2, 9, 3).double(), net.terms(torch.randn(2, 32).double()))
    torch.testing.assert_close(
        probability.mark_probability().sum(-1), torch.ones(2, 9).double(), rtol=0, atol=1e-8
    )
