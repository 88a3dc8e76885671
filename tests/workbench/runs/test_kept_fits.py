"""What was fitted once is taken from then on, and never anything else."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_runs import TINY

from smash.baselines import Mixture, MixtureEpoch, MixtureSettings
from smash.data.dataset import Dataset
from smash.data.protocol import prepare
from smash.settings import ScalingSettings
from smash.workbench.runs import baseline_fits, cache_keys, kept_fits
from smash.workbench.specs.experiment_spec import spec_from_mapping

SMALL = MixtureSettings(units=8, components=2, epochs=2)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SMASH_CACHE", str(tmp_path))
    monkeypatch.setenv("SMASH_REUSE", "1")
    monkeypatch.setattr(baseline_fits, "MixtureSettings", lambda: SMALL)
    return tmp_path / "fits"


def fitted(
    dataset: Dataset, seed: int = 1, name: str = "mixture"
) -> tuple[Mixture, list[MixtureEpoch]]:
    spec, epochs = spec_from_mapping(TINY | {"seed": seed}), []
    data = prepare(dataset, "strict", ScalingSettings())
    found = baseline_fits.fit_baseline(name, spec, dataset, data, "cpu", epochs.append)
    assert isinstance(found, Mixture)
    return found, epochs


def same(one: Mixture, other: Mixture) -> bool:
    weights, others = one.state_dict(), other.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    calls: list[int] = []
    fit = baseline_fits.fit_mixture

    def counting(*args):
        calls.append(1)
        return fit(*args)

    monkeypatch.setattr(baseline_fits, "fit_mixture", counting)
    return calls


def test_a_fit_is_taken_whole_and_equal(small_dataset, cache, counted):
    first, epochs = fitted(small_dataset)
    again, replayed = fitted(small_dataset)
    assert len(counted) == 1
    assert same(first, again)
    assert replayed == epochs
    assert first.standardisation == again.standardisation
    assert len(list(cache.iterdir())) == 1


def test_other_seeds_data_or_names_are_other_fits(small_dataset, cache, counted):
    fitted(small_dataset)
    fitted(small_dataset, seed=2)
    fitted(small_dataset, name="folded_mixture")
    train = replace(small_dataset.train, time=small_dataset.train.time * (1 + 1e-15) + 1e-13)
    fitted(replace(small_dataset, train=train))
    assert len(counted) == len(list(cache.iterdir())) == 4


def test_other_code_is_another_fit(small_dataset, cache, counted, monkeypatch):
    fitted(small_dataset)
    monkeypatch.setattr(cache_keys, "_code", lambda: "of tomorrow")
    fitted(small_dataset)
    assert len(counted) == 2


@pytest.mark.parametrize("damage", ["cut", "bit", "told", "missing", "file"])
def test_what_is_damaged_is_fitted_anew(small_dataset, cache, counted, damage):
    first, _ = fitted(small_dataset)
    [place] = cache.iterdir()
    weights, told = place / kept_fits.MIXTURE / "mixture.safetensors", place / kept_fits.FIT
    content = weights.read_bytes()
    match damage:
        case "cut":
            weights.write_bytes(content[:-10])
        case "bit":
            weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "told":
            told.write_text("[]")
        case "missing":
            told.unlink()
        case "file":
            place.rename(cache / "elsewhere")
            place.write_text("no folder")
    again, _ = fitted(small_dataset)
    assert len(counted) == 2
    assert same(first, again)


def test_several_may_keep_the_same_at_once(small_dataset, cache):
    mixture, epochs = fitted(small_dataset)
    [place] = cache.iterdir()
    fit = kept_fits.Fit(mixture, tuple(epochs))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: kept_fits.keep(place, fit), range(12)))
    found = kept_fits.taken(place, "cpu")
    assert found is not None
    assert same(found.mixture, mixture)
    assert [each.name for each in cache.iterdir()] == [place.name]


def test_it_is_switched_off(small_dataset, cache, counted, monkeypatch):
    monkeypatch.setenv("SMASH_REUSE", "0")
    fitted(small_dataset)
    fitted(small_dataset)
    assert len(counted) == 2
    assert not cache.exists()


def test_those_taken_least_lately_make_room(small_dataset, cache, counted, monkeypatch):
    monkeypatch.setattr(kept_fits, "MOST", 2)
    for age, seed in ((30, 1), (20, 2)):
        fitted(small_dataset, seed)
        for place in cache.iterdir():  # the first is made twice as old
            then = (place / kept_fits.FIT).stat().st_mtime - age
            os.utime(place / kept_fits.FIT, (then, then))
    fitted(small_dataset, seed=1)  # taken: from now on the second is the oldest
    fitted(small_dataset, seed=3)
    assert len(list(cache.iterdir())) == 2
    fitted(small_dataset, seed=1)
    assert len(counted) == 3
    fitted(small_dataset, seed=2)
    assert len(counted) == 4


def test_a_cache_that_cannot_be_written_stops_nothing(small_dataset, cache, counted):
    cache.write_text("a file")
    fitted(small_dataset)
    assert len(counted) == 1
