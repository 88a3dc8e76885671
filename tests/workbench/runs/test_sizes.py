"""What settings ask of data and memory is checked before anything is made."""

import numpy as np
import pytest

from smash.data.scaling import Scaler
from smash.errors import SpecError
from smash.model.smash import Smash
from smash.settings import ModelSettings
from smash.workbench.runs.size_checks import check_sizes, memory_of, n_weights, uses
from smash.workbench.specs.experiment_spec import ExperimentSpec, apply_overrides, spec_from_mapping

MEMORY = 1e9
LIKELIHOOD = ("objective.kind=likelihood",)
SCALER = Scaler(True, 1.0, 0.0, 1.0, (0.0, 0.0), (1.0, 1.0))


def spec_of(*overrides: str) -> ExperimentSpec:
    return spec_from_mapping(apply_overrides({}, overrides))


def test_the_default_settings_fit(small_dataset):
    check_sizes(spec_of(), small_dataset, MEMORY)
    assert memory_of("cpu") > 1e8


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (("cond_dim=1024", "n_layers=64"), "model.cond_dim"),
        (("num_units=4096",), "model.num_units"),
        (("n_noise=10000", "training.block_events=65536", "num_units=512"), "objective.n_noise"),
        ((*LIKELIHOOD, "law_points=8192", "num_units=4096"), "objective.law_points"),
        (("total_samples=100000",), "sampling.total_samples"),
        (("grid_points=8192", "num_units=4096"), "sampling.grid_points"),
        (("futures_horizon=5", "futures_paths=10000"), "scores.futures_paths"),
    ],
    ids=" ".join,
)
def test_what_does_not_fit_into_memory_is_refused_by_name(small_dataset, overrides, named):
    with pytest.raises(SpecError) as refused:
        check_sizes(spec_of(*overrides), small_dataset, MEMORY)
    assert named in str(refused.value)
    assert "memory" in str(refused.value)


SCALED = [
    ("scaling.resolution=1e6", "scaling.resolution: 1e+06 is not below the longest gap"),
    ("scaling.resolution=1e-9", ""),
    ("location_resolution=100", "scaling.location_resolution: 100 is not below"),
    ("floor=1e6", "scaling.floor: 1e+06 is not below the longest gap"),
    ("futures_horizon=1e-9", "windows along the test data"),
    ("futures_horizon=1e9", "no test sequence is observed for 1e+09"),
]


@pytest.mark.parametrize(("override", "line"), SCALED)
def test_what_does_not_suit_the_data_is_refused(small_dataset, override, line):
    if not line:
        check_sizes(spec_of(override), small_dataset, MEMORY)
        return
    with pytest.raises(SpecError, match="1 problem with random") as refused:
        check_sizes(spec_of(override), small_dataset, MEMORY)
    assert line in str(refused.value)


@pytest.mark.parametrize("n_marks", [1, 3, 500])
@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(),
        ModelSettings(n_layers=0, num_units=256),
        ModelSettings(cond_dim=64, n_heads=8, d_head=32),
        ModelSettings(location_law="mixture", location_components=200),
    ],
    ids=["default", "units", "wide", "mixture"],
)
def test_weights_are_counted_without_making_them(settings, n_marks):
    made = sum(p.numel() for p in Smash(settings, n_marks, SCALER).parameters())
    assert n_weights(settings, n_marks) == pytest.approx(made, rel=0.15)


def test_every_estimate_grows_with_its_settings(small_dataset):
    small = {use.stage: use.size for use in uses(spec_of("futures_horizon=5"), small_dataset)}
    large = spec_of(
        *("cond_dim=64", "n_noise=100", "total_samples=600", "futures_paths=300", "num_units=128"),
        "futures_horizon=5",
    )
    for use in uses(large, small_dataset):
        assert np.isfinite(use.size)
        assert use.size > small[use.stage], use.stage
