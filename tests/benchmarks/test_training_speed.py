"""Training against the original and against the plain way."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from comparison import compare, note
from conftest import SHAPES, first_sequences
from original_run import original_model, original_step
from plain import plain_loss

from smash.data.batching import ScaledSequences
from smash.data.protocol import prepare
from smash.model.score_matching import noise_scale
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.settings import ObjectiveSettings, ScalingSettings, TrainingSettings

BATCHES = {"crime": 3, "football": 3, "earthquake": 8}
"""Random batches that stand for an epoch; those of earthquake are small and unlike each other."""


def trainer(name: str, dataset, tmp_path: Path) -> Trainer:
    settings, batch_size = SHAPES[name]
    data = prepare(dataset, "strict", ScalingSettings())
    torch.manual_seed(0)
    model = Smash(settings, dataset.n_marks, data.scaler)
    validation = first_sequences(data.validation, 2)
    scaled = [ScaledSequences(split, data.scaler) for split in (data.train, validation)]
    training = TrainingSettings(batch_size=batch_size)
    return Trainer(model, *scaled, ObjectiveSettings(), training, tmp_path, seed=0)


def test_epoch_against_the_original(benchmark, published, original, tmp_path):
    """Batches of an epoch as each cuts them: ours from pools of similar length."""
    name, dataset = published
    ours = trainer(name, dataset, tmp_path)
    theirs = original_model(original, ours.model.settings, dataset.n_marks).train()
    size, generator = ours.settings.batch_size, torch.Generator().manual_seed(0)
    pooled = ours.train.shuffled(size, generator, ours.settings.length_pool)[: BATCHES[name]]
    shuffled = ours.train.shuffled(size, generator)[: BATCHES[name]]
    # Random batches differ in size; both times are brought to the same number of events.
    events = [sum(int(ours.train.lengths[b].sum()) for b in part) for part in (pooled, shuffled)]

    ours.model.train()

    def fast(batches):
        for indices in batches:
            ours._step(ours.train.batch(indices), "")

    def slow(batches):
        for indices in batches:
            original_step(theirs, ours.train.batch(indices))

    fast(pooled[:1]), slow(shuffled[:1])
    work = events[0] / events[1]
    ways = (partial(fast, pooled), partial(slow, shuffled))
    compare(benchmark, *ways, "the original", work=work, target=4, warm_up=False)


def test_peak_memory_of_training_on_crime(benchmark, original):
    """One step on the 32 longest sequences, the most that either meets; whole processes."""
    peak = {}
    for which in ("ours", "original"):
        command = [sys.executable, str(Path(__file__).with_name("one_step.py")), which]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        if done.returncode:
            pytest.skip(done.stderr)
        peak[which] = int(done.stdout)
    note(benchmark, peak["ours"], peak["original"], "MB", "the original", target=4)
    benchmark.pedantic(lambda: None, rounds=1)


def test_loss_and_gradient_against_the_plain_way(benchmark, published, tmp_path):
    """The score network's share of a batch, without the encoder."""
    name, dataset = published
    ours = trainer(name, dataset, tmp_path)
    batch = ours.train.batch(list(range(4)))
    z, mark = batch.targets()
    context = torch.randn(len(z), ours.model.encoder.size)
    sigma = noise_scale(ours.model.settings)
    ours.model.contexts = lambda batch: context.clone().requires_grad_()

    def slow():
        leaf = context.clone().requires_grad_()
        noise = torch.randn(len(z), 50, 3)
        plain_loss(ours.model.network, leaf, z, mark, noise, sigma, 0.5).backward()

    compare(
        benchmark,
        lambda: ours._loss_of(ours.model, batch, ours.noise, backward=True),
        slow,
        "autograd through the plain network",
        rounds=1,
    )
