"""Sampling and scoring: the published chain, the fast sampler, the published region estimator."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from comparison import compare
from conftest import SHAPES
from original_run import original_model

from smash.data.events import Targets
from smash.data.scaling import Scaler
from smash.law.samples import Samples
from smash.model.smash import Smash
from smash.sampling import sample_blocks, to_samples
from smash.scores import score_events
from smash.scores.original_estimators import location_density_level
from smash.settings import SamplingSettings, ScoreSettings

N_EVENTS, N_MARKS = 256, 4
TEST_EVENTS = 3648
"""Targets of crime's test set, which the original samples in one batch."""
SCALER = Scaler(True, 1e-4, -9.0, 3.0, (0.0, 0.0), (1.0, 1.0))
CHAIN = SamplingSettings(
    sampler="langevin",
    langevin_step=0.01,
    n_samples=30,
    total_samples=30,
    denoise="none",
)
FAST = SamplingSettings(sampler="inverse_cdf", denoise="posterior", location_steps=60)


def crime_model() -> Smash:
    torch.manual_seed(0)
    return Smash(SHAPES["crime"][0], N_MARKS, SCALER).eval()


def draw(model: Smash, context: torch.Tensor, settings: SamplingSettings):
    *_, last = sample_blocks(model, context, settings, torch.Generator().manual_seed(0))
    return last.chains


def original_chain(original, model: Smash, context: torch.Tensor, steps: int):
    """Returns a call of the original's chain, 30 samples an event."""
    theirs = original_model(original, model.settings, N_MARKS, CHAIN).eval()

    def sample():
        theirs.decoder.sample_from_last(
            batch_size=len(context), step=steps, cond=context.unsqueeze(1)
        )

    return sample


@pytest.mark.parametrize(
    ("table", "precision", "target"),
    [
        (False, "highest", 2),
        (False, "medium", None),
        (True, "highest", 4),
        (True, "medium", None),
    ],
    ids=["exact", "bfloat16", "table", "table, bfloat16"],
)
def test_langevin(benchmark, original, table, precision, target):
    """As many samples an event; a table, made once for 250 steps, is timed on fewer events."""
    model, context = crime_model(), torch.randn(TEST_EVENTS, 256)
    slow = original_chain(original, model, context, steps=5)
    few, steps = (context[:256], 250) if table else (context, 20)
    settings = replace(
        CHAIN,
        sampling_steps=steps,
        per_step=steps,
        time_table=table,
        matmul_precision=precision,
    )
    work = len(few) / len(context) * steps / 5
    fast = partial(draw, model, few, settings)
    compare(benchmark, fast, slow, "the original", rounds=5, work=work, target=target)


def test_forecast_of_crimes_test_set(benchmark, original):
    """300 samples of 256 events; the original's 1000 + 200 steps are timed on 5 of 30 samples."""
    model, context = crime_model(), torch.randn(TEST_EVENTS, 256)
    slow = original_chain(original, model, context, steps=5)
    work = N_EVENTS / TEST_EVENTS * 10 * 1200 / 5
    fast = partial(draw, model, context[:N_EVENTS], FAST)
    compare(benchmark, fast, slow, "the original, 1000 steps", rounds=1, work=work, target=50)


def forecast_of(n_events: int) -> tuple[Samples, Targets]:
    rng = np.random.default_rng(0)
    truth = Targets(
        np.zeros(n_events, dtype=np.int64),
        np.arange(n_events),
        np.zeros(n_events),
        rng.lognormal(size=n_events),
        rng.normal(size=(n_events, 2)),
        rng.integers(N_MARKS, size=n_events),
    )
    probability = rng.dirichlet(np.ones(N_MARKS), size=n_events)
    mark = rng.integers(N_MARKS, size=(n_events, 300))
    gap, location = rng.lognormal(size=(n_events, 300)), rng.normal(size=(n_events, 300, 2))
    return Samples(gap, location, mark, mark, probability), truth


def test_published_regions(benchmark, original):
    """Density thresholds of five levels on the 100 x 100 grid, equal to 1e-3."""
    from model.Metric import loc_level

    samples, _ = forecast_of(20)
    levels = np.linspace(0.5, 0.9, 5)

    def slow():
        return np.stack([loc_level(cloud, levels)[0][::-1] for cloud in samples.location])

    def fast():
        return location_density_level(samples.location, levels)

    np.testing.assert_allclose(fast(), slow(), rtol=1e-3)
    compare(benchmark, fast, slow, "the original", target=10)


def test_default_scoring(benchmark):
    model, context = crime_model(), torch.randn(N_EVENTS, 256)
    _, truth = forecast_of(N_EVENTS)
    samples = to_samples(draw(model, context, FAST), SCALER)
    scores, generator = ScoreSettings(original=False), torch.Generator()
    compare(
        benchmark,
        lambda: score_events(samples, truth, scores, generator),
        lambda: draw(model, context, FAST),
        "the fast sampler itself",
        rounds=1,
        target=4,
    )
