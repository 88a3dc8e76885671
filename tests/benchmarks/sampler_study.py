"""How samplers and denoising score on validation data, from which defaults are chosen.

    python tests/benchmarks/sampler_study.py NAME SPEC MODEL KEY=VALUE ...

SPEC has the published chain beside (experiments/published/crime.yaml, with protocol=strict as test
data choose nothing), MODEL is what `--from` takes. Draws `scores.validation_samples` for each
event of `scores.validation_sequences` sequences. Writes `docs/measurements/samplers-NAME.json` for
`report.py`; NAME may be several words.
"""

import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from provenance import provenance, write_study

from smash.catalogue import load_dataset
from smash.data.events import EventSequences, spread_subset
from smash.data.protocol import prepare
from smash.forecast.model_forecaster import ModelForecaster
from smash.model.smash import Smash
from smash.scores.evaluation import score_forecasts
from smash.settings import SamplingSettings
from smash.workbench.runs.sources import load_source, with_source
from smash.workbench.specs.experiment_spec import ExperimentSpec, load_spec

LONG = 800
STEPS = (5, 10, 20, 40, 60)
FAST = SamplingSettings(
    sampler="inverse_cdf", denoise="posterior", support="noised", location_steps=60
)


def main(name: str, path: str, source: str, *overrides: str) -> None:
    """Draws, scores and writes the tables of one model."""
    spec = load_spec(Path(path), list(overrides))
    dataset = load_dataset(spec.data)
    found = load_source(source, spec, dataset, "cpu")
    spec = with_source(spec, found)
    data = prepare(dataset, spec.protocol, spec.scaling)
    sequences = spread_subset(data.validation, spec.scores.validation_sequences)
    study = provenance() | {
        "name": name,
        "n_events": int(sequences.is_target.sum()),
        "n_samples": spec.scores.validation_samples,
        "denoising": denoising(spec, found.model, sequences),
        "location": location_chains(spec, found.model, sequences),
    }
    write_study("-".join(["samplers", *re.findall(r"\w+", name)]), study)


def denoising(spec: ExperimentSpec, model: Smash, sequences: EventSequences) -> list[dict]:
    """Returns a row for each support and way to denoise, and one for the published chain."""
    rows = []
    for support in ("box", "noised"):
        for how in ("none", "tweedie", "posterior"):
            settings = replace(FAST, support=support, denoise=how)
            table, _ = scored(spec, model, settings, sequences)
            row = {"sampler": "inverse_cdf", "support": support, "denoise": how}
            rows.append(row | means(table))
    published = replace(spec.sampling, sampler="langevin", denoise="tweedie", time_table=True)
    published = replace(published, per_step=published.sampling_steps)
    table, _ = scored(spec, model, published, sequences)
    row = {"sampler": f"langevin, {published.sampling_steps}", "support": "box"}
    return [*rows, row | {"denoise": "tweedie"} | means(table)]


def location_chains(spec: ExperimentSpec, model: Smash, sequences: EventSequences) -> list[dict]:
    """Returns a row for each length of the location chain, set against a long one of small steps.

    Its steps shrink to the same size, so that a long chain takes most of them small.
    """
    long, seconds = scored(spec, model, replace(FAST, location_steps=LONG), sequences)
    long_energy = long["energy_location"]
    rows = []
    for steps in STEPS:
        table, seconds_short = scored(spec, model, replace(FAST, location_steps=steps), sequences)
        energy = table["energy_location"]
        away = 100 * (energy - long_energy) / long_energy.mean()
        row = {"steps": steps, "energy score": float(energy.mean())}
        row["difference (%)"] = f"{away.mean():+.2f} ± {away.std() / np.sqrt(len(away)):.2f}"
        rows.append(row | {"seconds": seconds_short})
    last = {"steps": LONG, "energy score": float(long_energy.mean()), "difference (%)": ""}
    return [*rows, last | {"seconds": seconds}]


def scored(
    spec: ExperimentSpec, model: Smash, settings: SamplingSettings, sequences: EventSequences
) -> tuple[pd.DataFrame, float]:
    """Returns the table of scored events and the processor seconds it took to draw and score."""
    started = time.process_time()
    evaluation = score_forecasts(
        ModelForecaster(model, settings),
        sequences,
        spec.scores.validation_samples,
        replace(spec.scores, original=False),
        torch.Generator().manual_seed(0),
    )
    return evaluation.table, time.process_time() - started


def means(table: pd.DataFrame) -> dict[str, float]:
    """Returns the mean proper scores of time, location and mark."""
    names = {"crps_time": "CRPS", "energy_location": "energy score", "mark_log_loss": "log loss"}
    return {word: float(table[name].mean()) for name, word in names.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
