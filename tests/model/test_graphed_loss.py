"""What a CUDA graph records of a training step is the step: padding weighs nothing.

A graph itself needs a GPU; `tests/benchmarks/gpu.py` holds it against the step there.
"""

import pytest
import torch
from test_training import SETTINGS, trainer

from smash.model.graphed_loss import GraphedLoss, padded


@pytest.mark.parametrize(("length", "n_targets"), [(32, 64), (64, 512)])
def test_a_padded_batch_has_the_loss_and_gradient_of_the_batch(tmp_path, length, n_targets):
    t = trainer(tmp_path, SETTINGS)
    t.model.eval()
    noise = torch.randn(1, t.objective.n_noise, 3, generator=torch.Generator().manual_seed(0))
    t._draw_noise = lambda n, generator: noise.expand(n, -1, -1)
    batch = t.train.batch([0, 1, 2])
    wanted = t._loss_of(t.model, batch, t.noise, backward=True)
    graphed = GraphedLoss(t.model, t.parameters, t.objective, t.noise, t._draw_noise)
    loss, gradients = graphed._loss(padded(batch, length, n_targets))
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=1e-6)
    for parameter, gradient in zip(t.parameters, gradients, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        if gradient is not None:
            assert gradient.stride() == parameter.stride()
            torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-6)


def test_on_a_cpu_steps_go_one_by_one(tmp_path):
    assert trainer(tmp_path, SETTINGS)._graphed is None
