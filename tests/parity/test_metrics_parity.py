"""The original estimators against numbers computed with the original implementation."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from smash.data.events import Targets
from smash.law.samples import Samples
from smash.scores import reliability, score_events, summarise
from smash.scores.original_estimators import location_density_level, time_upper_bound
from smash.settings import ScoreSettings

# the reference evaluates its grids in float32
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    path = Path(os.environ.get("SMASH_REFERENCE", "../shared/reference")) / "metrics.npz"
    if not path.exists():
        pytest.skip(f"no reference metrics at {path}; set SMASH_REFERENCE")
    return dict(np.load(path))


@pytest.fixture(scope="module")
def table(reference):
    samples = Samples(
        gap=reference["time_samples"].astype(np.float64),
        location=reference["location_samples"].astype(np.float64),
        mark_probability=reference["mark_probability"].astype(np.float64).mean(axis=1),
    )
    n = len(samples)
    targets = Targets(
        sequence=np.zeros(n, dtype=np.int64),
        event=np.arange(1, n + 1),
        time=np.zeros(n),
        gap=reference["time"][:, 0].astype(np.float64),
        location=reference["location"].astype(np.float64),
        mark=reference["mark"] - 1,
    )
    return score_events(samples, targets, ScoreSettings(), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("what", ["time", "location"])
def test_coverage(reference, table, what):
    levels = reference["levels"]
    figures = summarise(table, list(levels))
    n = len(table)
    shares = [figures[f"coverage_{what}_{100 * level:.0f}_original"] for level in levels]
    np.testing.assert_allclose(np.multiply(n, shares), reference[f"covered_{what}_count"])
    errors = reference[f"calibration_error_{what}_count"]
    assert figures[f"cs_{what}_original"] == pytest.approx(errors.mean() / n, abs=1e-6)


def test_intervals_and_regions(reference):
    levels = reference["levels"]
    bounds = time_upper_bound(reference["time_samples"].astype(np.float64), levels)
    np.testing.assert_allclose(bounds, reference["time_upper_bound"], **TOLERANCE)
    location = reference["location_samples"].astype(np.float64)
    thresholds = location_density_level(location, levels)
    np.testing.assert_allclose(thresholds, reference["location_density_level"], **TOLERANCE)


def test_marks(reference, table):
    correct = (table["mark_predicted"] == table["mark"]).to_numpy()
    bins = reliability(table["mark_confidence"].to_numpy(), correct)
    np.testing.assert_array_equal(bins.count, reference["ece_bin_count"])
    np.testing.assert_array_equal(bins.correct, reference["ece_bin_correct"])
    figures = summarise(table, list(reference["levels"]))
    assert len(table) * figures["ece"] == pytest.approx(reference["ece_times_n"][0], rel=1e-5)
    assert figures["accuracy"] == pytest.approx(float(reference["accuracy"]))


def test_errors(reference, table):
    figures = summarise(table, list(reference["levels"]))
    assert figures["mae_time"] == pytest.approx(float(reference["mae_time"]), rel=1e-5)
    assert figures["mae_location"] == pytest.approx(float(reference["mae_location"]), rel=1e-5)
