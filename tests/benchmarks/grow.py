"""Prints what data of a size cost, as JSON: python grow.py sequences|long EVENTS.

"sequences": an epoch and a forecast (10 draws) of so many simulated events in sequences of 50.
"long": a training step on a sequence of so many events. Processor seconds, peak memory.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from memory import peak_megabytes

from smash.data.batching import ScaledSequences
from smash.data.events import EventSequences, build_sequences
from smash.data.scaling import fit_scaler
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    SamplingSettings,
    ScalingSettings,
    SimulatorSettings,
    TrainingSettings,
)
from smash.simulate.simulator import simulate_dataset

MODEL = ModelSettings(cond_dim=8)
OBJECTIVE = ObjectiveSettings(n_noise=5)
FAST = SamplingSettings(sampler="inverse_cdf", grid_points=64, location_steps=5)


def main(what: str, events: str) -> None:
    """Does the work and prints its cost."""
    n_events = int(events)
    sequences = simulated(n_events) if what == "sequences" else one_sequence(n_events)
    cost: dict[str, float] = {"events": sequences.n_events, "before": peak_megabytes()}
    scaler = fit_scaler([sequences], ScalingSettings())
    torch.manual_seed(0)
    model = Smash(MODEL, 3, scaler)
    scaled = ScaledSequences(sequences, scaler)
    parts = (model, scaled, scaled, OBJECTIVE, TrainingSettings())
    with tempfile.TemporaryDirectory() as root:
        trainer = Trainer(*parts, Path(root), seed=0)
        cost["training"] = seconds(lambda: trainer._epoch(0))
    if what == "sequences":
        cost["forecast"] = seconds(lambda: forecast(model, sequences))
    cost["megabytes"] = peak_megabytes()
    print(json.dumps(cost))  # noqa: T201


def simulated(n_events: int) -> EventSequences:
    """Returns sequences of 50 events of the simulated process."""
    settings = SimulatorSettings(sequences=(n_events // 50, 1, 1), events=(50, 50))
    return simulate_dataset(settings).train


def one_sequence(n_events: int) -> EventSequences:
    """Returns one long sequence without structure."""
    rng = np.random.default_rng(0)
    time, place = rng.lognormal(size=n_events).cumsum(), rng.normal(size=(n_events, 2))
    return build_sequences(time, place, rng.integers(3, size=n_events), [n_events], "long")


def forecast(model: Smash, sequences: EventSequences) -> None:
    """Draws every event ten times, keeping nothing."""
    for _ in ModelForecaster(model, FAST).forecast(sequences, 10, torch.Generator()):
        pass


def seconds(work) -> float:
    """Returns the processor seconds that `work` takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
