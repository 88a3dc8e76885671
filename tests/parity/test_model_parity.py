"""The model against numbers computed with the original implementation."""

import ast
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from smash.data.batching import Batch
from smash.data.scaling import Scaler
from smash.model.original_checkpoint import load_original, read_state_dict
from smash.model.score_matching import noise_scale, score_matching_loss
from smash.model.smash import Smash
from smash.settings import ModelSettings, ObjectiveSettings

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
IDENTITY = Scaler(True, 1e-4, 0.0, 1.0, (0.0, 0.0), (1.0, 1.0))


@pytest.fixture
def reference(vectors) -> SimpleNamespace:
    arrays = np.load(vectors / "arrays.npz")
    config = ast.literal_eval(str(arrays["config"]))
    settings = ModelSettings(
        cond_dim=config["cond_dim"],
        sigma_time=config["sigma_time"],
        sigma_loc=config["sigma_loc"],
        n_layers=config["n_layers"],
        n_heads=config["n_head"],
        d_head=config["d_k"],
    )
    tensors = {
        name: torch.from_numpy(value) for name, value in arrays.items() if value.dtype.kind in "fi"
    }
    checkpoint = vectors / "checkpoint.pkl"
    return SimpleNamespace(
        config=config,
        settings=settings,
        model=load_original(checkpoint, settings, IDENTITY),
        state=read_state_dict(checkpoint),
        grad_names=arrays["grad_names"].tolist(),
        **tensors,
    )


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected.to(actual.dtype), **TOLERANCE)


def test_encoding(reference):
    length = reference.non_pad_mask.sum((1, 2)).long()
    gap = torch.zeros_like(reference.event_time).unsqueeze(-1)
    marks = (reference.event_mark.long() - 1).clamp_min(0) if reference.model.marked else None
    batch = Batch(
        reference.event_time, torch.cat([gap, reference.event_location], -1), marks, length
    )
    encoding = reference.model.encoder(batch)
    assert_close(encoding[batch.mask], reference.encoding[batch.mask])


def evaluate(reference):
    terms = reference.model.network.terms(reference.cond.squeeze(1))
    return reference.model.network(reference.x, terms)


def test_intensity_and_scores(reference):
    evaluation = evaluate(reference)
    assert_close(evaluation.intensity, reference.intensity)
    assert_close(evaluation.location_score, reference.score_location)
    mark = reference.mark if reference.model.marked else None
    assert_close(evaluation.time_score(mark), reference.score[..., 0])


def test_mark_probability(reference):
    if not reference.model.marked:
        pytest.skip("these vectors are unmarked")
    assert_close(evaluate(reference).mark_probability(), reference.mark_probability)


def loss_of(reference):
    config = reference.config
    settings = ObjectiveSettings(
        loss_lambda=config["loss_lambda"],
        loss_lambda2=config["loss_lambda2"],
        smooth=config["smooth"],
    )
    mark = reference.target_mark.squeeze(1).long() - 1 if reference.model.marked else None
    return score_matching_loss(
        reference.model.network,
        reference.model.network.terms(reference.cond.squeeze(1)),
        2 * reference.target.squeeze(1) - 1,
        mark,
        reference.noise,
        noise_scale(reference.settings),
        settings,
    )


def test_loss(reference):
    assert_close(loss_of(reference).total, reference.loss)


def test_gradient_norms(reference):
    """Gradients land on the same weights: the original's norms, found through its own names."""
    loss_of(reference).total.backward()
    model: Smash = reference.model
    gradients = dict(model.named_parameters())
    # Weights are told apart by their values, so that no name map is repeated here.
    by_value = {tuple(p.detach().flatten()[:8].tolist()): p for p in gradients.values()}
    checked = 0
    for name, norm in zip(reference.grad_names, reference.grad_norms.tolist(), strict=True):
        parameter = by_value.get(tuple(reference.state[name].flatten()[:8].tolist()))
        if parameter is None:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6), name
        checked += 1
    assert checked == len(reference.grad_names)
