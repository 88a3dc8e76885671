"""How long a training takes to match the mixture baseline on validation data.

    python tests/benchmarks/time_to_quality.py experiments/crime.yaml KEY=VALUE ...

The objective and everything else are the spec's with its keys changed. Matched are the CRPS of
the gap and the energy score of the location, of `scores.validation_samples` draws on
`scores.validation_sequences` sequences, tried every `training.eval_every` epochs; what trying
costs is not counted. Writes `docs/measurements/quality-NAME.json`, which `report.py` reads.
"""

import contextlib
import sys
import tempfile
import time
from pathlib import Path

import torch
from provenance import provenance, write_study

from smash.baselines import MixtureSettings, fit_mixture
from smash.catalogue import load_dataset
from smash.data.batching import ScaledSequences
from smash.data.dataset import Dataset
from smash.data.events import spread_subset
from smash.data.protocol import PreparedData, prepare
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.forecaster import Forecaster
from smash.model.smash import About, Smash
from smash.model.training import EpochRecord, Hooks, Trainer
from smash.scores.evaluation import score_forecasts
from smash.workbench.specs.experiment_spec import ExperimentSpec, load_spec

GOALS = ("crps_time", "energy_location")


class Matched(Exception):
    """Ends a training that has reached its goals."""


def main(path: str, *overrides: str) -> None:
    """Trains until the goals are reached or the epochs are over, noting how far it came."""
    spec = load_spec(Path(path), list(overrides))
    dataset = load_dataset(spec.data)
    data = prepare(dataset, spec.protocol, spec.scaling)
    started = time.process_time()
    mixture = fit_mixture(
        data.train,
        data.validation,
        dataset.n_marks,
        dataset.time_unit,
        torch.Generator().manual_seed(0),
        MixtureSettings(),
    )
    result = provenance() | {
        "name": spec.name,
        "overrides": overrides,
        "mixture_seconds": time.process_time() - started,
        "mixture": figures(spec, data, mixture),
        "epochs": [],
        "matched": False,
    }
    with contextlib.suppress(Matched):
        train(spec, dataset, data, result)


def train(spec: ExperimentSpec, dataset: Dataset, data: PreparedData, result: dict) -> None:
    """Trains, noting figures and processor seconds so far after each epoch that is validated."""
    torch.manual_seed(spec.seed)
    settings = (spec.model, spec.objective, data.train, data.scaler, dataset.n_marks)
    model = Smash.untrained(*settings, About.of(dataset))
    scaled = [ScaledSequences(part, data.scaler) for part in (data.train, data.validation)]
    clock = {"trained": 0.0, "since": time.process_time()}

    def after_epoch(record: EpochRecord, checkpoint: Path) -> None:
        clock["trained"] += time.process_time() - clock["since"]
        if record.validation_loss is not None:
            found = figures(spec, data, ModelForecaster(Smash.load(checkpoint), spec.sampling))
            row = {"epoch": record.epoch, "seconds": clock["trained"], **found}
            result["epochs"].append(row)
            result["matched"] = all(found[name] <= result["mixture"][name] for name in GOALS)
            write_study(f"quality-{spec.name}", result)
            if result["matched"]:
                raise Matched
        clock["since"] = time.process_time()

    with tempfile.TemporaryDirectory() as root:
        hooks = Hooks(on_epoch=after_epoch)
        trainer = Trainer(
            model, *scaled, spec.objective, spec.training, Path(root), spec.seed, hooks
        )
        trainer.fit()


def figures(spec: ExperimentSpec, data: PreparedData, forecaster: Forecaster) -> dict[str, float]:
    """Returns a forecaster's goals on the spec's share of the validation data."""
    scores = spec.scores
    evaluation = score_forecasts(
        forecaster,
        spread_subset(data.validation, scores.validation_sequences),
        scores.validation_samples,
        scores,
        torch.Generator().manual_seed(1),
    )
    return {name: evaluation.figures[name] for name in GOALS}


if __name__ == "__main__":
    main(*sys.argv[1:])
