"""The background is one law, and in training no event finds itself in it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from synthetic import random_sequences

from smash.data.events import build_sequences
from smash.data.resolution import least_distance
from smash.model.place_background import PlaceBackground


def places(events) -> torch.Tensor:
    return torch.from_numpy(events.location.astype(np.float32))


def fitted(events, neighbours: int = 2, cell=(0.0, 0.0), one_scale=False) -> PlaceBackground:
    half = np.abs(events.location).max(0) + np.array(cell) / 2
    background = PlaceBackground((float(half[0]), float(half[1])), cell, one_scale)
    background.fit(events, places(events), neighbours)
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
    """The shares (n,) of all kernels around each of n events."""
    place = background.place.view(n, -1, 2)
    assert (place == place[:, :1]).all()
    return background.share.view(n, -1).sum(1)


def test_in_training_an_event_finds_neither_itself_nor_its_neighbours():
    events, neighbours = random_sequences([12, 9]), 2
    background = fitted(events, neighbours)
    place = places(events)
    background.train()
    found = background.log_density(place)
    rank = np.arange(21)
    for i in range(21):
        same = (rank < 12) == (i < 12)
        kept = torch.from_numpy(~(same & (np.abs(rank - i) <= neighbours))).repeat_interleave(
            len(background.place) // 21
        )
        square = (place[i] - background.place).square().sum(-1)
        variance = background.bandwidth.square()
        kernel = (-square / (2 * variance)).exp() / (2 * math.pi * variance)
        share = background.share * kept
        expected = (share * kernel).sum() / share.sum()
        assert float(found[i]) == pytest.approx(float(expected.log()), rel=1e-4, abs=1e-4)
    # Elsewhere, and when a model is asked for its density, all events count.
    background.eval()
    assert (background.log_density(place) - found).mean() > 0.1
    elsewhere = place + 0.5
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
    share = by_event(fitted(drifting), n * length)
    assert share[-1] > 2 * share[0]
    order = rng.permutation(n * length)
    still = build_sequences(time, place[order], None, [length] * n, "still")
    share = by_event(fitted(still), n * length)
    assert share[-1] < 2.1 * share[0]


def test_addresses_that_come_again_have_kernels_of_their_own():
    rng = np.random.default_rng(0)
    addresses, n = 10 * rng.random((40, 2)) - 5, 800
    at_one = (rng.random(n) < 0.5)[:, None]
    place = np.where(at_one, addresses[rng.integers(0, 40, n)], 10 * rng.random((n, 2)) - 5)
    events = build_sequences(np.arange(1.0, n + 1), place, None, [n], "addresses")
    background, least = fitted(events), least_distance(place) / 2
    address = background.bandwidth < 1.01 * least
    assert float(background.bandwidth.min()) == pytest.approx(least, rel=1e-3)
    assert 0.2 < float(background.share[address].sum()) < 0.6
    log_density = background.log_density(torch.from_numpy(addresses.astype(np.float32)))
    elsewhere = background.log_density(torch.rand(500, 2) * 10 - 5)
    assert log_density.mean() > elsewhere.mean() + 3
    # In training an event knows its address by the others that came there, and by them alone.
    lone = place[np.flatnonzero(~at_one)]
    background.train()
    again = background.log_density(torch.from_numpy(addresses.astype(np.float32)))
    assert (
        again.min() > background.log_density(torch.from_numpy(lone.astype(np.float32))).mean() + 2
    )


def test_where_no_place_comes_again_no_kernel_is_of_an_address():
    background = fitted(random_sequences([300, 300]))
    address = least_distance(background.place.numpy()) / 2
    assert background.bandwidth.min() > 1.01 * address


def test_scales_are_those_that_forecast_best():
    rng = np.random.default_rng(0)
    n = 1000
    place = rng.normal(size=(n, 2))
    background = fitted(build_sequences(np.arange(1.0, n + 1), place, None, [n], "smooth"))
    x = torch.from_numpy(rng.normal(size=(2000, 2)).astype(np.float32))
    found = float(background.log_density(x).mean())
    exact = float((-x.square().sum(-1) / 2).mean()) - math.log(2 * math.pi)
    assert exact - 0.08 < found < exact


def test_one_scale_is_one_kernel_a_place_and_a_density():
    events = random_sequences([300, 300])
    several, one = fitted(events), fitted(events, one_scale=True)
    assert len(one.place) == events.n_events < len(several.place)
    places = torch.linspace(-8, 8, 321)
    grid = torch.cartesian_prod(places, places)
    assert float(one.log_density(grid).exp().sum()) * 0.05**2 == pytest.approx(1, abs=0.01)


def test_tables_of_a_checkpoint_are_loaded_whatever_their_sizes():
    background = fitted(random_sequences([20, 30]))
    other = PlaceBackground(background.half_sides, background.cell)
    other.load_state_dict(background.state_dict())
    x = torch.randn(7, 2)
    torch.testing.assert_close(other.eval().log_density(x), background.log_density(x))


def test_places_asked_for_again_cost_nothing_and_other_tables_are_heeded(monkeypatch):
    first, second = fitted(random_sequences([20, 30])), fitted(random_sequences([30, 20]))
    x = torch.randn(50, 2)
    expected = [each.log_density(x) for each in (first, second)]
    asked = []
    kernels = PlaceBackground._log_kernels
    monkeypatch.setattr(
        PlaceBackground, "_log_kernels", lambda self, x: asked.append(len(x)) or kernels(self, x)
    )
    first.log_density(x).zero_()  # what is given away is the caller's own
    assert torch.equal(first.log_density(x.clone()), expected[0])
    assert not asked
    assert not torch.equal(first.log_density(x + 1), expected[0])
    first.load_state_dict(second.state_dict())
    assert torch.equal(first.log_density(x + 1), second.log_density(x + 1))
    assert torch.equal(first.log_density(x), expected[1])


@pytest.mark.parametrize("n", [2, 3])
def test_few_events_are_enough(n):
    background = fitted(random_sequences([n], n_marks=1))
    assert torch.isfinite(background.log_density(torch.zeros(2)))
    assert background.bandwidth.min() > 0
    assert torch.isfinite(background.train().log_density(background.place)).all()
