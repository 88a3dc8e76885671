"""Training: it learns, stops, resumes exactly, and keeps the last good checkpoint."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import random_sequences

from smash.data.batching import ScaledSequences
from smash.data.scaling import fit_scaler
from smash.errors import CheckpointError, TrainingError
from smash.model.checkpoints import latest_checkpoint, load_checkpoint
from smash.model.smash import Smash
from smash.model.training import Hooks, Trainer
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    ScalingSettings,
    Thinning,
    TrainingSettings,
    Variation,
)

SETTINGS = TrainingSettings(
    total_epochs=4, batch_size=3, eval_every=2, checkpoint_every=100, block_events=16
)


MODEL = ModelSettings(cond_dim=8, n_layers=1, num_units=16)
PUBLISHED = (MODEL, ObjectiveSettings(n_noise=8), ScalingSettings())
LIKELIHOOD = (
    replace(MODEL, base="climatology", mark_in_location=True),
    ObjectiveSettings(kind="likelihood", n_noise=4, law_points=32),
    ScalingSettings(resolution=0.05, location_resolution=0.2),
)


def trainer(
    root: Path,
    settings: TrainingSettings = SETTINGS,
    hooks: Hooks | None = None,
    choice: tuple[ModelSettings, ObjectiveSettings, ScalingSettings] = PUBLISHED,
):
    torch.manual_seed(0)
    train = random_sequences([9, 5, 12, 7, 3, 8, 10], seed=1)
    validation = random_sequences([6, 4, 10], seed=2)
    model_settings, objective, scaling = choice
    scaler = fit_scaler([train], scaling)
    model = Smash.untrained(model_settings, objective, train, scaler, 3)
    scaled = [ScaledSequences(sequences, scaler) for sequences in (train, validation)]
    return Trainer(model, *scaled, objective, settings, root, seed=5, hooks=hooks)


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def assert_identical(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("average", [0.0, 0.7], ids=["plain", "averaged"])
@pytest.mark.parametrize("choice", [PUBLISHED, LIKELIHOOD], ids=["published", "likelihood"])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, choice, average):
    settings = replace(SETTINGS, average=average, variation=Variation(thinning=Thinning(average)))
    whole = trainer(tmp_path / "whole", settings, choice=choice)
    whole.fit()

    def stop_after_two(record, checkpoint):
        if record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "cut", settings, Hooks(on_epoch=stop_after_two), choice).fit()
    resumed = trainer(tmp_path / "cut", settings, choice=choice)
    assert resumed.resume()
    torch.rand(17)  # whatever happened to the global generator since must not matter
    resumed.resume()
    resumed.fit()
    assert_identical(weights(whole), weights(resumed))
    assert_identical(whole.kept.state_dict(), resumed.kept.state_dict())
    assert [r.loss for r in whole.result.records] == [r.loss for r in resumed.result.records]


def test_what_is_kept_is_a_moving_average_of_the_weights(tmp_path):
    averaging = trainer(tmp_path, replace(SETTINGS, average=0.9))
    steps = []
    update = averaging.average.update_parameters

    def noting(model):
        steps.append(model.network.location.head[1].weight.detach().clone())
        update(model)

    averaging.average.update_parameters = noting
    folder = averaging.fit().folder
    expected = steps[0]
    for weight in steps[1:]:
        expected = 0.9 * expected + 0.1 * weight
    kept = averaging.kept.network.location.head[1].weight
    torch.testing.assert_close(kept, expected)
    if averaging.result.best_epoch == SETTINGS.total_epochs:
        torch.testing.assert_close(Smash.load(folder).network.location.head[1].weight, expected)


def test_copies_that_people_keep_beside_checkpoints_stay_and_mislead_nobody(tmp_path):
    for name in ("epoch-00001-good", "epoch-mine", "epoch-99999.old"):
        (tmp_path / name).mkdir()
    trainer(tmp_path, replace(SETTINGS, total_epochs=2)).fit()
    assert latest_checkpoint(tmp_path).name == "epoch-00002"
    assert {"epoch-00001-good", "epoch-mine", "epoch-99999.old"} < {
        path.name for path in tmp_path.iterdir()
    }


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, str(Path({tests!r}).parent)]
import torch
torch.set_num_threads(1)
from test_training import SETTINGS, trainer
from dataclasses import replace
trainer(Path({root!r}), replace(SETTINGS, total_epochs=200, patience=1000)).fit()
"""


def test_a_killed_training_loses_at_most_its_current_epoch(tmp_path):
    script = KILLED.format(tests=str(Path(__file__).parent), root=str(tmp_path / "killed"))
    process = subprocess.Popen([sys.executable, "-c", script])
    while process.poll() is None:
        last = latest_checkpoint(tmp_path / "killed")
        if last and last.name >= "epoch-00003":
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    last = latest_checkpoint(tmp_path / "killed")
    assert last is not None
    reached = int(last.name.removeprefix("epoch-"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        settings = replace(SETTINGS, total_epochs=200, patience=1000)
        resumed = trainer(tmp_path / "killed", settings)
        assert resumed.resume()
        assert len(resumed.result.records) == reached

        def stop(record, checkpoint):
            if record.epoch == reached + 2:
                raise KeyboardInterrupt

        resumed.hooks = Hooks(on_epoch=stop)
        whole = trainer(tmp_path / "whole", settings, Hooks(on_epoch=stop))
        for run in (resumed, whole):
            with pytest.raises(KeyboardInterrupt):
                run.fit()
    finally:
        torch.set_num_threads(threads)
    assert_identical(weights(whole), weights(resumed))


@pytest.mark.parametrize("choice", [PUBLISHED, LIKELIHOOD], ids=["published", "likelihood"])
def test_validation_noise_is_fixed(tmp_path, choice):
    t = trainer(tmp_path, choice=choice)
    first = t.validate()
    torch.rand(3, generator=t.noise)
    assert first == t.validate()


@pytest.mark.parametrize("choice", [PUBLISHED, LIKELIHOOD], ids=["published", "likelihood"])
def test_blocks_do_not_change_loss_or_gradient(tmp_path, choice):
    """Accumulating over blocks of sequences and of events gives the gradient of the whole batch."""
    found = []
    for n_sequences, n_events in ((100, 1000), (2, 7)):
        settings = replace(SETTINGS, block_sequences=n_sequences, block_events=n_events)
        t = trainer(tmp_path, settings, choice=choice)
        t.model.eval()
        batch = t.train.batch([0, 1, 2])
        noise = torch.randn(batch.n_targets, 8, 3, generator=torch.Generator().manual_seed(0))
        rest = [noise]

        def draw(n, generator, rest=rest):
            drawn, rest[0] = rest[0][:n], rest[0][n:]
            return drawn

        t._draw_noise = draw
        loss = t._loss_of(t.model, batch, t.noise, backward=True)
        assert not len(rest[0])
        found.append((loss, [p.grad for p in t.model.parameters()]))
    (whole, a), (pieces, b) = found
    torch.testing.assert_close(whole, pieces)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-7)


def test_early_stopping_counts_epochs_without_improvement(tmp_path):
    settings = replace(SETTINGS, total_epochs=50, eval_every=1, patience=3)
    t = trainer(tmp_path, settings)
    losses = iter([5.0, 4.0, 4.5, 4.5, 4.5, 1.0])
    original = t.validate
    t.validate = lambda: original()._replace(total=torch.tensor(next(losses)))
    result = t.fit()
    assert result.stopped_early
    assert result.best_epoch == 2
    assert len(result.records) == 5
    assert result.folder.name == "epoch-00002"
    assert result.folder.exists()


def test_the_last_epoch_is_validated_and_the_rate_follows_the_published_schedule(tmp_path):
    settings = replace(SETTINGS, total_epochs=7, eval_every=3, warmup_epochs=2)
    records = trainer(tmp_path, settings).fit().records
    assert [r.epoch for r in records if r.validation_loss is not None] == [3, 6, 7]
    rates = [record.learning_rate for record in records]
    assert rates[:3] == pytest.approx([5e-4, 1e-3, 1e-3])
    assert rates[-1] == pytest.approx(1e-3 - (1e-3 - 5e-5) * 4 / 7)


def test_a_loss_that_is_not_a_number_at_once_promises_no_checkpoint(tmp_path):
    t = trainer(tmp_path)
    with torch.no_grad():
        next(t.model.network.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"epoch 1, batch 1 of 3.*No epoch was done"):
        t.fit()
    assert latest_checkpoint(tmp_path) is None


def test_a_loss_that_is_not_a_number_stops_with_place_and_checkpoint(tmp_path):
    t = trainer(tmp_path)

    def poison(record, checkpoint):
        if record.epoch == 2:
            with torch.no_grad():
                next(t.model.network.parameters()).fill_(float("nan"))

    t.hooks = Hooks(on_epoch=poison)
    with pytest.raises(TrainingError, match=r"epoch 3, batch 1 of 3.*learning_rate.*epoch-00002"):
        t.fit()
    kept = Smash.load(latest_checkpoint(tmp_path))
    assert all(torch.isfinite(p).all() for p in kept.parameters())


def test_a_damaged_checkpoint_is_named(tmp_path):
    trainer(tmp_path).fit()
    folder = latest_checkpoint(tmp_path)
    content = (folder / "training.pt").read_bytes()
    (folder / "training.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"epoch-00004.*damaged"):
        load_checkpoint(folder)


def test_training_learns_what_history_tells(tmp_path):
    """Marks that alternate are learned; random ones could not be."""
    settings = replace(SETTINGS, total_epochs=25, eval_every=25, learning_rate=5e-3)
    t = trainer(tmp_path, settings)
    sequences = random_sequences([12] * 12, seed=1)
    alternating = replace(sequences, mark=np.arange(sequences.n_events) % 2)
    t.train = ScaledSequences(alternating, t.model.scaler)
    records = t.fit().records
    assert records[-1].loss_mark < 0.7 * records[0].loss_mark


def without_a_part(state):
    del state["order"]


def other_shape(state):
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(1)


def not_numbers(state):
    state["optimizer"]["state"][0]["exp_avg_sq"].fill_(np.nan)


def other_parameters(state):
    state["optimizer"]["param_groups"][0]["params"] = [0]


def no_generator(state):
    state["global"] = None


@pytest.mark.parametrize(
    "harm", [without_a_part, other_shape, not_numbers, other_parameters, no_generator]
)
def test_a_state_that_is_not_this_training_s_is_refused_when_it_resumes(tmp_path, harm):
    trainer(tmp_path, replace(SETTINGS, total_epochs=1)).fit()
    path = latest_checkpoint(tmp_path) / "training.pt"
    state = torch.load(path, weights_only=True)
    harm(state)
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="remove the folder"):
        trainer(tmp_path).resume()
