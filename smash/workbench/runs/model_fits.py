"""Models made and trained as a spec says, by a run or without one."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from smash.data.batching import ScaledSequences
from smash.data.dataset import Dataset
from smash.data.pieces import in_pieces
from smash.data.protocol import PreparedData
from smash.model.smash import About, Smash
from smash.model.training import Trainer
from smash.workbench.specs.experiment_spec import ExperimentSpec


def new_model(spec: ExperimentSpec, dataset: Dataset, data: PreparedData, device: str) -> Smash:
    """Returns an untrained model whose weights depend on the spec's seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        model = Smash.untrained(
            spec.model,
            spec.objective,
            data.train,
            data.scaler,
            dataset.n_marks,
            About.of(dataset),
        )
    return model.to(device)


def new_trainer(
    spec: ExperimentSpec, dataset: Dataset, data: PreparedData, device: str, root: Path
) -> Trainer:
    """Returns the trainer of a new model, with its checkpoints in `root`."""
    model, training, train = new_model(spec, dataset, data, device), spec.training, data.train
    if training.piece_events:
        train = in_pieces(train, training.piece_events, training.piece_history)
    return Trainer(
        model,
        ScaledSequences(train, model.scaler, device),
        ScaledSequences(data.validation, model.scaler, device),
        spec.objective,
        training,
        root,
        spec.seed,
    )


def fit_within(
    spec: ExperimentSpec,
    dataset: Dataset,
    data: PreparedData,
    device: str,
    budget: float | None = None,
) -> Smash:
    """Returns a trained model, of the epoch that is best on validation data.

    Args:
        spec: how it is trained.
        dataset: the data.
        data: the same, split and scaled; its test part is not looked at.
        device: where it is trained.
        budget: processor seconds for all of it. A first epoch is timed; as many as the rest holds,
            or the spec has, are then trained anew, as the learning rate falls to the last. Where
            less than two would be, the first is all.
    """
    with tempfile.TemporaryDirectory() as folder:

        def fit(spec: ExperimentSpec, name: str) -> tuple[Smash, float, float]:
            begin = time.process_time()
            trainer = new_trainer(spec, dataset, data, device, Path(folder) / name)
            made = time.process_time()
            model = Smash.load(trainer.fit().folder, device)
            return model, made - begin, time.process_time() - made

        if budget is None:
            return fit(spec, "all")[0]
        model, making, epoch = fit(_of_epochs(spec, 1), "first")
        epochs = min(int((budget - 2 * making) / epoch) - 1, spec.training.total_epochs)
        return model if epochs < 2 else fit(_of_epochs(spec, epochs), "rest")[0]


def _of_epochs(spec: ExperimentSpec, epochs: int) -> ExperimentSpec:
    warmup = min(spec.training.warmup_epochs, epochs - 1)
    training = replace(spec.training, total_epochs=epochs, warmup_epochs=warmup)
    return spec.model_copy(update={"training": training})
