"""Prints the peak memory (MB) of a process that trains one step: python one_step.py ours|original.

The step is on crime's 32 longest training sequences.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from conftest import SHAPES
from memory import peak_megabytes
from original_run import original_model, original_step

from smash.catalogue import load_dataset
from smash.data.batching import ScaledSequences
from smash.data.protocol import prepare
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.settings import DataSettings, ObjectiveSettings, ScalingSettings, TrainingSettings


def main(which: str) -> None:
    """Trains one step and prints what the process took at its most."""
    settings, batch_size = SHAPES["crime"]
    dataset = load_dataset(DataSettings(name="crime"))
    data = prepare(dataset, "strict", ScalingSettings())
    train = ScaledSequences(data.train, data.scaler)
    batch = train.batch(np.argsort(train.lengths)[-batch_size:].tolist())
    torch.manual_seed(0)
    if which == "original":
        sys.path.insert(0, os.environ["SMASH_ORIGINAL"])
        import model

        original_step(original_model(model, settings, dataset.n_marks).train(), batch)
    else:
        ours = Smash(settings, dataset.n_marks, data.scaler).train()
        parts = (ours, train, train, ObjectiveSettings(), TrainingSettings())
        with tempfile.TemporaryDirectory() as root:
            Trainer(*parts, Path(root), seed=0)._step(batch, "")
    print(round(peak_megabytes()))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
