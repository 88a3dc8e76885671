"""Sampling and scoring: the published chain, the fast sampler, the published region estimator."""

from dataclasses import replace

import numpy as np
import torch
from comparison import compare
from conftest import SHAPES
from original_run import original_model
from scipy.stats import gaussian_kde

from smash.data.events import Targets
from smash.data.scaling import Scaler
from smash.model import Smash
from smash.samples import Samples
from smash.sampling import sample_blocks, to_samples
from smash.scores import score_events
from smash.scores.original import location_level
from smash.settings import SamplingSettings, ScoreSettings

N_EVENTS, N_MARKS = 256, 4
SCALER = Scaler(True, 1e-4, -9.0, 3.0, (0.0, 0.0), (1.0, 1.0))
CHAIN = SamplingSettings(
    langevin_step=0.01,
    sampling_steps=10,
    per_step=10,
    n_samples=30,
    total_samples=30,
    denoise="none",
)


def crime_model() -> Smash:
    torch.manual_seed(0)
    return Smash(SHAPES["crime"][0], N_MARKS, SCALER).eval()


def draw(model: Smash, context: torch.Tensor, settings: SamplingSettings):
    *_, last = sample_blocks(model, context, settings, torch.Generator().manual_seed(0))
    return last.chains


def test_langevin_against_the_original(benchmark, original):
    """The same number of steps and samples, float32."""
    model = crime_model()
    theirs = original_model(original, model.settings, N_MARKS, CHAIN).eval()
    context = torch.randn(N_EVENTS, model.encoder.size)

    def slow():
        with torch.enable_grad():
            theirs.decoder.sample_from_last(
                batch_size=N_EVENTS, step=CHAIN.sampling_steps, cond=context.unsqueeze(1)
            )

    compare(benchmark, lambda: draw(model, context, CHAIN), slow, "the original's chain")


def test_whole_forecast_against_the_published_chain(benchmark):
    """300 samples an event; the chain of 1000 steps is timed on 10 of them."""
    model, context = crime_model(), torch.randn(N_EVENTS, 256)
    chain = replace(CHAIN, total_samples=300)
    fast = SamplingSettings(sampler="inverse_cdf", denoise="posterior", location_steps=60)
    compare(
        benchmark,
        lambda: draw(model, context, fast),
        lambda: draw(model, context, chain),
        "our own 1000-step chain, events x samples alike",
        work=1000 / CHAIN.sampling_steps,
    )


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


def test_published_regions_against_scipy(benchmark):
    samples, truth = forecast_of(20)

    def slow():
        for cloud, point in zip(samples.location, truth.location, strict=True):
            kernel = gaussian_kde(cloud.T)
            low, high = cloud.min(0), cloud.max(0)
            x, y = np.meshgrid(*(np.linspace(a, b, 100) for a, b in zip(low, high, strict=True)))
            kernel(np.vstack([x.ravel(), y.ravel()])), kernel(point)

    compare(
        benchmark,
        lambda: location_level(samples.location, truth.location),
        slow,
        "scipy's KDE on the 100 x 100 grid, an event at a time",
    )


def test_default_scoring_against_the_fast_sampler(benchmark):
    """The ratio is the sampler's time over the scoring's: 4 means a quarter."""
    model, context = crime_model(), torch.randn(N_EVENTS, 256)
    settings = SamplingSettings(sampler="inverse_cdf", denoise="posterior", location_steps=60)
    _, truth = forecast_of(N_EVENTS)
    samples = to_samples(draw(model, context, settings), SCALER)
    scores, generator = ScoreSettings(original=False), torch.Generator()
    compare(
        benchmark,
        lambda: score_events(samples, truth, scores, generator),
        lambda: draw(model, context, settings),
        "the fast sampler's own time",
    )
