"""ETAS: its fit recovers the process that drew the catalogue, and says what cannot be fitted."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from smash.baselines import Etas, EtasSettings, fit_etas
from smash.baselines.etas_likelihood import EtasLikelihood, log_rate, pack
from smash.data.region import Region
from smash.errors import DataError, ForecastError, TrainingError
from smash.law.magnitudes import GutenbergRichter
from smash.law.place_densities import UniformPlaces
from smash.law.state import KnownEvents
from smash.simulate.etas_process import EtasParameters
from smash.simulate.etas_simulation import EtasProcess, Shaken

SQUARE = Region(np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 40.0], [0.0, 40.0]]))
TRUTH = EtasParameters(1.0, 0.02, 0.6, 0.01, 1.15, 0.3, 0.4, 1.7, 2.0)
PROCESS = EtasProcess(TRUTH, UniformPlaces(SQUARE), GutenbergRichter(1.0, 2.0), SQUARE)
HISTORY = 50


def catalogue(seed: int, days: float = 600.0, process: EtasProcess = PROCESS):
    drawn = process.simulate(0.0, days, np.random.default_rng(seed))
    return replace(drawn, history=np.array([HISTORY]))


@pytest.fixture(scope="module")
def fitted() -> Etas:
    return fit_etas(catalogue(0), region=SQUARE, background=PROCESS.background, completeness=2.0)


def test_futures_all_at_once_are_those_event_by_event(fitted):
    history = catalogue(3, days=200.0)
    last = float(history.time[-1])
    drawn = []
    for way in (fitted.simulate, super(Etas, fitted).simulate):
        generator = torch.Generator().manual_seed(1)
        drawn.append(way(history, last + 0.01, 2.0, 600, generator))
    at_once, one_by_one = drawn
    assert at_once.time.min() > last + 0.01
    assert ks_2samp(at_once.counts, one_by_one.counts).pvalue > 1e-3
    # The first of each path, as events of one cluster depend on each other.
    firsts, others = (np.unique(paths.path, return_index=True)[1] for paths in drawn)
    for what in ("time", "magnitude", "location"):
        values = getattr(at_once, what)[firsts], getattr(one_by_one, what)[others]
        one, other = (value.reshape(len(value), -1)[:, 0] for value in values)
        assert ks_2samp(one, other).pvalue > 1e-3


@pytest.mark.parametrize("n_known", [0, 60])
def test_a_state_that_knows_its_history_once_has_the_law_of_all_events(fitted, n_known):
    history = catalogue(3, days=200.0).select([0])
    history = replace(history.with_rows(np.arange(n_known), np.array([n_known])), history=None)
    state = fitted.start(history, 6)
    known = KnownEvents(fitted.law_after, history.select(np.zeros(6, dtype=np.int64)))
    rng = np.random.default_rng(0)
    for _ in range(3):
        came = rng.exponential(0.1, 6), SQUARE.draw((6,), rng), None, 2 + rng.exponential(0.4, 6)
        state.append(*came)
        known.append(*came)
    rows = np.array([5, 0, 2])
    state.keep(rows)
    known.keep(rows)
    law, wanted = state.law(), known.law()
    gap, place = rng.exponential(0.3, (3, 7)), SQUARE.draw((3, 7), rng)
    for part in ("log_density", "log_survival"):
        np.testing.assert_allclose(
            getattr(law.time, part)(gap), getattr(wanted.time, part)(gap), rtol=1e-9
        )
    found = law.place.log_density(place, gap, None)
    np.testing.assert_allclose(found, wanted.place.log_density(place, gap, None), rtol=1e-9)
    soon = np.full((3, 4000), 1e-3)
    drawn, others = (
        one.place.draw(soon, None, torch.Generator().manual_seed(seed))
        for seed, one in enumerate((law, wanted))
    )
    for i in range(3):
        for axis in range(2):
            assert ks_2samp(drawn[i, :, axis], others[i, :, axis]).pvalue > 1e-4


def test_intervals_hold_the_parameters_of_the_process():
    held = []
    for seed in range(4):
        etas = fit_etas(
            catalogue(seed), region=SQUARE, background=PROCESS.background, completeness=2.0
        )
        for name, (low, high) in etas.fit.intervals().items():
            held.append(low <= getattr(TRUTH, name) <= high)
    assert np.mean(held) > 0.8


def test_a_fitted_background_recovers_what_events_set_off(fitted):
    train = catalogue(0)
    etas = fit_etas(train, region=SQUARE, completeness=2.0)
    assert etas.branching_ratio()[0] == pytest.approx(fitted.branching_ratio()[0], rel=0.25)
    points = SQUARE.draw((4000,), np.random.default_rng(1))
    density = np.exp(etas.process.background.log_density(points)) * SQUARE.area
    assert density.mean() == pytest.approx(1, abs=0.1)
    assert np.isfinite(etas.log_densities(train).event).all()


def test_many_pairs_are_carried_by_a_few(fitted):
    few = fit_etas(
        catalogue(0),
        settings=EtasSettings(most_pairs=1),
        region=SQUARE,
        background=PROCESS.background,
        completeness=2.0,
    )
    error = np.sqrt(np.diag(fitted.fit.covariance))
    assert np.abs((few.fit.theta - fitted.fit.theta) / error).max() < 0.2
    assert few.fit.log_likelihood == pytest.approx(fitted.fit.log_likelihood, abs=0.2)


def test_the_sum_of_few_pairs_is_that_of_all_at_the_anchor():
    likelihood = EtasLikelihood(catalogue(1), 2.0, None)
    theta = torch.from_numpy(pack(TRUTH))
    every, few = likelihood.every_pair(), likelihood.drawn_pairs(pack(TRUTH), 8)
    assert len(few.child) < len(every.child) / 5
    torch.testing.assert_close(likelihood.excited(theta, few), likelihood.excited(theta, every))


def test_the_likelihood_is_the_sum_of_the_laws_of_next_events(fitted):
    train = catalogue(2)
    found = fitted.log_densities(train)
    nodes = SQUARE.rays(train.location)
    likelihood = EtasLikelihood(train, 2.0, nodes)
    log_b = torch.full((len(likelihood.rows),), -np.log(SQUARE.area)).double()
    value = float(
        likelihood.value(torch.from_numpy(fitted.fit.theta), likelihood.every_pair(), log_b)
    )
    left = train.window[:, 1] - train.time[-1:]
    end = fitted.law_after(train).log_survival(left[:, None])
    assert value == pytest.approx(found.event.sum() + end[0, 0], abs=0.05)


def test_the_law_of_distances_and_its_share_within_a_region():
    place = np.array([[20.0, 20.0], [1.0, 39.0], [0.01, 20.0], [50.0, 20.0]])
    area = np.array([0.09, 4.0, 1.0, 9.0])
    share = PROCESS.within(place, area)
    numbers = np.random.default_rng(3)
    for at, scale, found in zip(place, area, share, strict=True):
        drawn = at + TRUTH.step(np.full(40_000, scale), numbers)
        assert SQUARE.holds(drawn).mean() == pytest.approx(found, abs=0.012)


def test_the_rate_is_that_of_the_formula():
    theta, age, square, excess = pack(TRUTH), 0.3, 2.0, 1.5
    scale = TRUTH.d**2 * 10 ** (TRUTH.gamma * excess)
    shape = (TRUTH.q - 1) / (np.pi * scale) * (1 + square / scale) ** -TRUTH.q
    rate = TRUTH.productivity * 10 ** (TRUTH.alpha * excess) * (age + TRUTH.c) ** -TRUTH.p * shape
    values = (torch.tensor([v]).double() for v in (age, square, excess))
    assert float(log_rate(torch.from_numpy(theta), *values).exp()) == pytest.approx(rate)


def test_simulated_delays_follow_their_law():
    numbers = np.random.default_rng(4)
    for o in (TRUTH, replace(TRUTH, p=0.8), replace(TRUTH, p=1.0)):
        low, high = np.full(20_000, 0.05), np.full(20_000, 30.0)
        delay = np.sort(o.delay(low, high, numbers.random(20_000)))
        level = o.decay_integral(low, delay) / o.decay_integral(low, high)
        assert np.abs(level - np.arange(20_000) / 20_000).max() < 0.015


def test_the_number_of_simulated_events_is_what_the_branching_ratio_says():
    counts = [catalogue(seed, 400.0).n_events for seed in range(10)]
    ratio = TRUTH.branching_ratio(1.0)
    assert ratio < 1
    assert 0.5 < np.mean(counts) / (400 * TRUTH.mu / (1 - ratio)) < 1.1


def test_it_says_what_it_found(fitted):
    found = fitted.description()
    assert found["stationary"]
    assert 0 < found["branching_ratio_within_span"] < found["branching_ratio"] < 1
    assert found["b"] == pytest.approx(1.0, abs=0.1)
    low, high = found["intervals"]["alpha"]
    assert low < found["parameters"]["alpha"] < high
    assert TRUTH.branching_ratio(0.5) == np.inf
    assert replace(TRUTH, p=0.9).branching_ratio(1.0) == np.inf
    assert replace(TRUTH, p=0.9).branching_ratio(1.0, 100.0) < np.inf


def test_magnitudes_of_next_events_are_gutenberg_richters(fitted):
    train = catalogue(5).select([0])
    law = fitted.law_after(train)
    drawn = law.sample(20_000, torch.Generator().manual_seed(0)).magnitude
    assert drawn.min() >= 2.0
    assert drawn.mean() == pytest.approx(2.0 + 1 / (np.log(10) * fitted.process.magnitudes.b), 0.01)
    assert np.isfinite(fitted.log_densities(train).magnitude).all()


def test_what_cannot_be_fitted_is_said():
    train = catalogue(0, 200.0)
    with pytest.raises(DataError, match=r"needs the magnitude.*columns\.magnitude"):
        fit_etas(replace(train, magnitude=None))
    far = Region(SQUARE.corners + 1000)
    with pytest.raises(DataError, match=r"none of .* events lie within the region"):
        fit_etas(train, region=far)
    with pytest.raises(DataError, match="below 3, from which on ETAS"):
        fit_etas(train, completeness=3.0)
    with pytest.raises(TrainingError, match="still grows after 1 rounds"):
        fit_etas(train, settings=EtasSettings(rounds=1))


def test_an_explosive_process_is_said():
    wild = replace(PROCESS, parameters=replace(TRUTH, productivity=0.3))
    nothing = Shaken(np.empty(0, np.int64), np.empty(0), np.empty((0, 2)), np.empty(0))
    with pytest.raises(ForecastError, match="explosive"):
        wild.futures(nothing, 0.0, 500.0, 1, np.random.default_rng(0), 5000)
    growing = replace(PROCESS, parameters=replace(TRUTH, productivity=0.045))
    train = growing.simulate(0.0, 150.0, np.random.default_rng(1))
    with pytest.raises(TrainingError, match=r"explosive.*leave etas out of baselines"):
        fit_etas(train, region=SQUARE, background=PROCESS.background, completeness=2.0)
