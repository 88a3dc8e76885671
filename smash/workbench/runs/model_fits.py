"""Models made and trained as a spec says, by a run or without one."""

import tempfile
import time
from copy import deepcopy
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
    return _trainer(new_model(spec, dataset, data, device), spec, data, root)


def _trainer(model: Smash, spec: ExperimentSpec, data: PreparedData, root: Path) -> Trainer:
    training, train = spec.training, data.train
    if training.piece_events:
        train = in_pieces(train, training.piece_events, training.piece_history)
    return Trainer(
        model,
        ScaledSequences(train, model.scaler, str(model.device)),
        ScaledSequences(data.validation, model.scaler, str(model.device)),
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
    begin = time.process_time()
    untrained = new_model(spec, dataset, data, device)

    def fit(spec: ExperimentSpec) -> Smash:
        with tempfile.TemporaryDirectory() as folder:
            trained = _trainer(deepcopy(untrained), spec, data, Path(folder)).fit()
            return Smash.load(trained.folder, device)

    if budget is None:
        return fit(spec)
    made = time.process_time()
    model = fit(_of_epochs(spec, 1))
    epoch = time.process_time() - made
    epochs = min(int((budget - (made - begin)) / epoch) - 1, spec.training.total_epochs)
    return model if epochs < 2 else fit(_of_epochs(spec, epochs))


def _of_epochs(spec: ExperimentSpec, epochs: int) -> ExperimentSpec:
    warmup = min(spec.training.warmup_epochs, epochs - 1)
    training = replace(spec.training, total_epochs=epochs, warmup_epochs=warmup)
    return spec.model_copy(update={"training": training})
