"""Drives the original implementation's modules on our batches, to time them side by side."""

import torch
from torch import Tensor

from smash.data.batching import Batch
from smash.settings import ModelSettings, SamplingSettings


def original_model(
    modules, settings: ModelSettings, n_marks: int, sampling: SamplingSettings | None = None
):
    """Returns the original's model with the sizes of `settings`, on the CPU."""
    extra = {}
    if sampling:
        extra = {"n_samples": sampling.n_samples, "langevin_step": sampling.langevin_step}
    decoder = modules.SMASH(
        modules.ScoreMatch_module(
            dim=4, condition=True, cond_dim=settings.cond_dim, num_types=n_marks
        ),
        sigma=(settings.sigma_time, settings.sigma_loc),
        seq_length=4,
        num_types=n_marks,
        loss_lambda=0.5,
        **extra,
    )
    transformer = modules.Transformer_ST(
        d_model=settings.cond_dim,
        d_rnn=4 * settings.cond_dim,
        d_inner=2 * settings.cond_dim,
        n_layers=4,
        n_head=4,
        d_k=16,
        d_v=16,
        dropout=0.1,
        device="cpu",
        loc_dim=3,
        CosSin=True,
        num_types=n_marks,
    )
    return modules.Model_all(transformer, decoder)


def original_step(model, batch: Batch) -> None:
    """One training step of the original but its optimiser's: loss and gradient of a batch."""
    model.zero_grad()
    context = contexts(model, batch)
    target = torch.cat([batch.u[..., :1], batch.mark[..., None] + 1.0, batch.u[..., 1:]], -1)
    model.decoder(target[:, 1:][batch.is_target].unsqueeze(1), context).backward()


def contexts(model, batch: Batch) -> Tensor:
    """The original's contexts (N, 1, C) of a batch's targets; it knows padding by zeros."""
    events = torch.cat([batch.mark[..., None] + 1.0, batch.u[..., 1:]], dim=-1)
    time = torch.where(batch.mask, batch.time.clamp_min(1e-6), 0.0)
    encoding, _ = model.transformer(events * batch.mask[..., None], time)
    return batch.contexts(encoding).unsqueeze(1)
