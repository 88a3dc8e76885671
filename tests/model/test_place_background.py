"""The background is one law, and in training no event finds itself in it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import random_sequences

from smash.data.events import build_sequences
from smash.data.resolution import least_distance
from smash.model.place_background import FACTORS, PlaceBackground


def places(events) -> torch.Tensor:
    return torch.from_numpy(events.location.astype(np.float32))


def fitted(events, cell=(0.0, 0.0)) -> PlaceBackground:
    half = np.abs(events.location).max(0) + np.array(cell) / 2
    background = PlaceBackground((float(half[0]), float(half[1])), cell)
    background.fit(events, places(events))
    return background.eval()


def test_both_laws_integrate_to_one():
    background = fitted(random_sequences([20, 30]))
    axis = torch.linspace(-12, 12, 1201)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    cell = float(axis[1] - axis[0]) ** 2
    assert float(background.log_density(grid).exp().sum()) * cell == pytest.approx(1, rel=0.01)
    wide = float(background.wide_log_density(grid).exp().sum()) * cell
    # The tail beyond a square of 24 holds less than 0.1 (1 + 12² / d²)^{-1}.
    beyond = 0.1 / (1 + 144 / background.reach**2)
    assert 1 - beyond < wide + 0.01
    assert wide < 1.01
    assert torch.isfinite(background.wide_log_density(torch.tensor([1e6, -1e6])))


def test_draws_follow_the_densities():
    background = fitted(random_sequences([20, 30]))
    generator = torch.Generator().manual_seed(0)
    for draw, log_density in (
        (background.draw, background.log_density),
        (background.draw_wide, background.wide_log_density),
    ):
        x = draw((40_000,), generator)
        inside = (x.abs() < 1).all(-1).float().mean()
        axis = torch.linspace(-1, 1, 401)[:-1] + 1 / 400
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
        expected = log_density(grid).exp().sum() / 200**2
        assert float(inside) == pytest.approx(float(expected), abs=0.012)


@pytest.mark.parametrize("law", ["kernels", "wide"])
def test_scores_are_gradients(law):
    background = fitted(random_sequences([20, 30])).double()
    name = {"kernels": ("log_density", "score"), "wide": ("wide_log_density", "wide_score")}[law]
    log_density, score = (getattr(background, part) for part in name)
    x = (3 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))).double()
    step = 1e-5
    for axis in range(2):
        shift = step * torch.eye(2).double()[axis]
        slope = (log_density(x + shift) - log_density(x - shift)) / (2 * step)
        torch.testing.assert_close(score(x)[:, axis], slope, rtol=1e-4, atol=1e-4)


def by_event(background: PlaceBackground, n: int) -> torch.Tensor:
    """The shares (n, S) of the scales' kernels around each of n events."""
    place = background.place.view(n, -1, 2)
    assert (place == place[:, :1]).all()
    return background.share.view(n, -1)


def families(seed: int):
    """800 events, each ten in a row close together where nothing has been."""
    rng = np.random.default_rng(seed)
    place = np.repeat(10 * rng.random((80, 2)) - 5, 10, axis=0) + 0.02 * rng.normal(size=(800, 2))
    return build_sequences(np.arange(1.0, 801), place, None, [800], "families")


def test_in_training_an_event_is_as_new_as_events_to_come():
    events = families(0)
    background = fitted(events)
    trained_on = background.train().log_density(places(events)).mean()
    to_come = torch.stack(
        [background.eval().log_density(places(families(seed))).mean() for seed in range(1, 6)]
    )
    assert float(trained_on) == pytest.approx(float(to_come.mean()), abs=2 * float(to_come.std()))
    # When a model is asked for its density, all events count; in training too, elsewhere.
    assert background.log_density(places(events)).mean() > trained_on + 0.3
    elsewhere = places(events) + 0.5
    expected = background.log_density(elsewhere)
    torch.testing.assert_close(background.train().log_density(elsewhere), expected)


def test_an_event_in_several_windows_is_one():
    events = random_sequences([30], n_marks=1)
    starts = (0, 5, 10, 15)
    rows = np.concatenate([np.arange(s, s + 15) for s in starts])
    windows = build_sequences(events.time[rows], events.location[rows], None, [15] * 4, "windows")
    background = fitted(windows)
    assert len(background.place.unique(dim=0)) == 30
    assert len(background.known) == 30


def test_on_a_lattice_an_event_is_known_anywhere_in_its_cell():
    events = random_sequences([12, 9])
    lattice = replace(events, location=np.round(events.location * 2) / 2)
    background = fitted(lattice, cell=(0.5, 0.5)).train()
    place = places(lattice)
    moved = place + 0.2 * (2 * torch.rand(21, 2) - 1)
    torch.testing.assert_close(background.log_density(moved), background.log_density(place))
    assert len(background.known) == len(np.unique(lattice.location, axis=0))


def test_late_events_weigh_more_where_places_drift():
    rng = np.random.default_rng(0)
    n, length = 60, 20
    drift = np.repeat(np.linspace(0, 6, n), length)
    place = np.stack([drift, np.zeros(n * length)], -1) + 0.3 * rng.normal(size=(n * length, 2))
    time = np.tile(np.arange(1.0, length + 1), n)
    time = time + 0.1 * rng.random(n * length)
    drifting = build_sequences(time, place, None, [length] * n, "drifting")
    share = by_event(fitted(drifting), n * length).sum(1)
    assert share[-1] > 2 * share[0]
    order = rng.permutation(n * length)
    still = build_sequences(time, place[order], None, [length] * n, "still")
    share = by_event(fitted(still), n * length).sum(1)
    assert share[-1] < 2.1 * share[0]


def test_addresses_have_narrow_kernels_beside_wide_ones_but_none_without_bound():
    rng = np.random.default_rng(0)
    addresses = rng.integers(0, 10_000, (40, 2)) / 1000
    n = 800
    at_one = rng.random(n) < 0.5
    place = np.where(at_one[:, None], addresses[rng.integers(0, 40, n)], 10 * rng.random((n, 2)))
    events = build_sequences(np.arange(1.0, n + 1), place - 5, None, [n], "addresses")
    background = fitted(events)
    least = least_distance(place) / 2
    assert float(background.bandwidth.min()) == pytest.approx(least, rel=1e-3)
    assert 0.3 < float(background.share[background.bandwidth < 1.01 * least].sum()) < 0.7
    log_density = background.log_density(torch.from_numpy((addresses - 5).astype(np.float32)))
    elsewhere = background.log_density(torch.rand(500, 2) * 10 - 5)
    assert log_density.mean() > elsewhere.mean() + 3
    assert log_density.exp().max() < 1 / least**2


def test_scales_are_those_that_forecast_best():
    n = 1000
    place = np.random.default_rng(1).normal(size=(n, 2))
    events = build_sequences(np.arange(1.0, n + 1), place, None, [n], "smooth")
    background = fitted(events)
    x = torch.from_numpy(np.random.default_rng(2).normal(size=(2000, 2)).astype(np.float32))
    found = float(background.log_density(x).mean())
    exact = float((-x.square().sum(-1) / 2).mean()) - math.log(2 * math.pi)
    assert exact - 0.06 < found < exact


def test_tables_of_a_checkpoint_are_loaded_whatever_their_sizes():
    background = fitted(random_sequences([20, 30]))
    other = PlaceBackground(background.half_sides, background.cell)
    other.load_state_dict(background.state_dict())
    x = torch.randn(7, 2)
    torch.testing.assert_close(other.eval().log_density(x), background.log_density(x))


@pytest.mark.parametrize("n", [2, 3])
def test_few_events_are_enough(n):
    background = fitted(random_sequences([n], n_marks=1))
    assert torch.isfinite(background.log_density(torch.zeros(2)))
    assert background.bandwidth.min() > 0
    assert FACTORS[0] > 0
    assert torch.isfinite(background.train().log_density(background.place)).all()
