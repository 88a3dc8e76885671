"""Every kind of model on a GPU beside the same on the processor: training step, densities, draws.

What only a GPU can get wrong (a table left on the host, a generator of another device) fails here,
part by part, before anybody's training does.
"""

import tempfile
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smash.catalogue import load_dataset
from smash.data.batching import ScaledSequences
from smash.data.dataset import Dataset
from smash.data.protocol import prepare
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.smash import About, Smash
from smash.model.training import Trainer
from smash.settings import (
    DataSettings,
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    SimulatorSettings,
    TrainingSettings,
)
from smash.shipped_files import find_model
from smash.simulate.ladders import rung

DEVICES = ("cpu", "cuda")
GRADIENT, DENSITY = 5e-3, 5e-3
"""How far a gradient may be apart, of its norm, and a log density in nats, by rounding alone."""
SMALL = SimulatorSettings(sequences=(12, 4, 4), events=(20, 30))
LIKELIHOOD = ObjectiveSettings(kind="likelihood", n_noise=1)
WEIGHTED = ObjectiveSettings(kind="weighted_score_matching", n_noise=1)
FAMILY = {
    "as published": (ModelSettings(), ObjectiveSettings(n_noise=8)),
    "weighted score matching": (ModelSettings(noise_levels=4), WEIGHTED),
    "likelihood, mixture places": (
        ModelSettings(base="climatology", location_law="mixture", mark_in_location=True),
        LIKELIHOOD,
    ),
    "likelihood, history places, rates": (
        ModelSettings(
            base="climatology",
            location_law="history",
            time_encoding="relative",
            periods=(1.0,),
            recent_rates=True,
            skip=True,
        ),
        LIKELIHOOD,
    ),
    "likelihood, mixture times": (
        ModelSettings(time_law="mixture", location_law="history", time_encoding="relative"),
        LIKELIHOOD,
    ),
    "self-exciting base": (
        ModelSettings(base="self_exciting", location_law="history"),
        LIKELIHOOD,
    ),
    "long context": (ModelSettings(max_context=16), ObjectiveSettings(n_noise=8)),
}
MAGNITUDES = ModelSettings(
    time_law="mixture",
    location_law="history",
    magnitudes=True,
    time_encoding="relative",
    skip=True,
    n_layers=0,
    cond_dim=16,
)


def on_both_devices() -> Iterator[dict[str, Any]]:
    """Yields a line for each comparison: what, how far apart, and how far they may be."""
    simulated = load_dataset(DataSettings(name="simulated", simulator=SMALL))
    catalogue = rung("etas", 1, SMALL).dataset
    parts = [
        *(partial(compared, name, simulated, *model) for name, model in FAMILY.items()),
        partial(compared, "magnitudes", catalogue, MAGNITUDES, LIKELIHOOD),
        *(partial(kept, name) for name in ("crime", "earthquake", "football")),
    ]
    for part in parts:
        try:
            yield from part()
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            yield {"line": f"{part.args[0]}: {error}", "apart": float("inf"), "at_most": 0.0}


def kept(name: str) -> Iterator[dict[str, Any]]:
    """Yields how far densities of a kept model are apart."""
    data = load_dataset(DataSettings(name=name)).test.select([0, 1])
    models = [Smash.load(find_model(f"pretrained:{name}"), d) for d in DEVICES]
    yield densities_apart(f"kept {name}", models, data)


def compared(
    name: str, dataset: Dataset, settings: ModelSettings, objective: ObjectiveSettings
) -> Iterator[dict[str, Any]]:
    """Yields how far apart gradients and densities of a model are, and whether it draws."""
    data = prepare(dataset, "strict", ScalingSettings())
    models, gradients = [], []
    with tempfile.TemporaryDirectory() as folder:
        for device in DEVICES:
            torch.manual_seed(0)
            model = Smash.untrained(
                settings, objective, data.train, data.scaler, dataset.n_marks, About.of(dataset)
            ).to(device)
            models.append(model)
            gradients.append(gradient(model, data, objective, Path(folder)))
    apart = float((gradients[0] - gradients[1]).norm() / gradients[0].norm())
    line = f"{name}: gradients {apart:.2g} apart, of their norm"
    yield {"line": line, "apart": apart, "at_most": GRADIENT}
    models = [model.eval() for model in models]
    yield densities_apart(name, models, data.test.select([0, 1]))


def gradient(model: Smash, data: Any, objective: ObjectiveSettings, root: Path) -> torch.Tensor:
    """Returns the gradient of a batch's loss, with the same noise on every device."""
    splits = [ScaledSequences(part, model.scaler, model.device) for part in (data.train, data.test)]
    trainer = Trainer(model, *splits, objective, TrainingSettings(graphed=False), root, seed=0)
    shape = (1, objective.n_noise, len(trainer.sigma))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(model.device)
    trainer._draw_noise = lambda n, generator: noise.expand(n, -1, -1)
    for module in model.modules():  # devices draw it differently, and cuDNN trains in its mode
        for share in ("dropout", "context_dropout"):
            if hasattr(module, share):
                setattr(module, share, 0.0)
    model.train()
    trainer._loss_of(model, trainer.train.batch([0, 1, 2]), trainer.noise, backward=True)
    found = [p.grad.flatten().cpu() for p in trainer.parameters if p.grad is not None]
    trainer._step(trainer.train.batch([0, 1]), "a step")
    trainer.validate()
    return torch.cat(found).clone()


def densities_apart(name: str, models: list[Smash], sequences: Any) -> dict[str, Any]:
    """Compares log densities of events by the models; draws, rolls out and asks for quantiles."""
    parts = []
    for model in models:
        forecaster = ModelForecaster(model, SamplingSettings(location_steps=5))
        generator = torch.Generator(model.device).manual_seed(0)
        [*_] = forecaster.forecast(sequences, 4, generator)
        one = sequences.select([0])
        horizon = 0.2 * float(np.median(one.gap[one.is_target]))
        forecaster.simulate(one, float(one.time[-1]), horizon, 3, generator, 10_000)
        found = forecaster.log_densities(sequences)
        known = [part for part in (found.time, found.mark, found.place) if part is not None]
        parts.append(np.concatenate(known) if known else np.zeros(1))
    apart = float(np.nanmax(np.abs(parts[0] - parts[1])))
    return {"line": f"{name}: log densities {apart:.2g} apart", "apart": apart, "at_most": DENSITY}
