"""A training.

Loss on training and validation data, the parts of the loss, and the learning rate over epochs.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

import smash
from smash.data.batching import ScaledSequences
from smash.data.scaling import fit_scaler
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.plots.diagnostics import training_curves
from smash.settings import ModelSettings, ObjectiveSettings, ScalingSettings, TrainingSettings

data = smash.load_data("simulated", simulator={"sequences": (60, 10, 30)})
sizes = ModelSettings(
    cond_dim=8, num_units=16, n_layers=1, base="climatology", location_law="mixture"
)
objective = ObjectiveSettings(kind="likelihood", law_points=64)
scaler = fit_scaler([data.train], ScalingSettings())
torch.manual_seed(0)
model = Smash.untrained(sizes, objective, data.train, scaler, data.n_marks)
train, validation = ScaledSequences(data.train, scaler), ScaledSequences(data.validation, scaler)
with TemporaryDirectory() as folder:
    settings = TrainingSettings(total_epochs=20, batch_size=8, learning_rate=5e-3, eval_every=2)
    trainer = Trainer(model, train, validation, objective, settings, Path(folder), seed=0)
    history = pd.DataFrame([vars(record) for record in trainer.fit().records])

figure = training_curves(history)
