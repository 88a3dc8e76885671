"""A time branch by itself, on random tensors."""

import pytest
import torch
import torch.nn.functional as F

from smash.model.climatology_base import ClimatologyHazard
from smash.model.location_head import Context
from smash.model.time_branch import TimeBranch, mark_probability, time_score


def branch_with_terms(base: ClimatologyHazard | None = None):
    torch.manual_seed(0)
    branch = TimeBranch(8, 3, 16, base).double()
    temporal, joint = torch.randn(2, 5, 8).double()
    nothing = torch.zeros(5, 0).double()
    context = Context(nothing, temporal, temporal, joint, nothing)
    return branch, branch.terms(context, branch.joint_terms(joint)), temporal, joint


def test_the_folded_maps_are_the_maps_one_after_the_other():
    branch, terms, temporal, joint = branch_with_terms()
    t = torch.randn(5, 7, 1).double()
    hidden = t
    for layer, own, shared in zip(branch.trunk, branch.temporal, branch.joint, strict=False):
        hidden = F.relu(layer(hidden) + (own(temporal) + shared(joint)).unsqueeze(1))
    first, last = branch.head
    expected = F.softplus(last(F.relu(first(branch.last(hidden)))))
    rate = branch(t, terms)
    torch.testing.assert_close(rate.intensity, expected)
    torch.testing.assert_close(rate.hidden, hidden)
    torch.testing.assert_close(branch.intensity(t, terms), expected)


@pytest.mark.parametrize("with_base", [False, True])
def test_the_slope_is_the_derivative(with_base):
    base = ClimatologyHazard(3, torch.linspace(-5, 5, 9).double()) if with_base else None
    if base is not None:
        base.hazard.copy_(torch.rand(9) + 0.1)
    branch, terms, *_ = branch_with_terms(base)
    t = torch.randn(5, 7, 1).double().requires_grad_()
    rate = branch(t, terms)
    for k in range(3):
        (slope,) = torch.autograd.grad(rate.intensity[..., k].sum(), t, retain_graph=True)
        torch.testing.assert_close(rate.slope[..., k], slope[..., 0])


def test_started_at_its_base_it_is_the_base_whatever_the_context():
    base = ClimatologyHazard(3, torch.linspace(-2, 2, 9).double())
    base.hazard.copy_(torch.rand(9))
    branch, terms, *_ = branch_with_terms(base)
    branch.start_at_base()
    t = torch.randn(5, 7, 1).double()
    torch.testing.assert_close(branch.intensity(t, terms), base.double().intensity(t))


def test_the_score_of_the_time_is_the_slope_of_the_log_density():
    rate, t = torch.tensor([2.0, 1.0]), torch.rand(4, 5, requires_grad=True)
    # λ_k(t) = a_k t, so that log p(t, k) = log a_k t - ½ Σ a t².
    log_density = (rate[1] * t).log() - rate.sum() * t**2 / 2
    (expected,) = torch.autograd.grad(log_density.sum(), t)
    intensity, slope = rate * t.detach().unsqueeze(-1), rate.expand(4, 5, 2)
    mark = torch.ones(4, 5, dtype=torch.long)
    torch.testing.assert_close(time_score(intensity, slope, mark), expected)
    torch.testing.assert_close(mark_probability(intensity)[..., 0], torch.full((4, 5), 2 / 3))
