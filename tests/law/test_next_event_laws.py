"""What holds of every forecaster's law of the next event."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

from smash.baselines import (
    Climatology,
    Markov,
    MixtureSettings,
    Poisson,
    Walk,
    fit_etas,
    fit_hawkes,
    fit_mixture,
)
from smash.data.batching import ScaledSequences
from smash.data.dataset import Dataset
from smash.data.events import EventSequences, Targets
from smash.data.scaling import fit_scaler
from smash.forecast.model_forecaster import ModelForecaster
from smash.law.ensemble import Ensemble, PartPool
from smash.law.forecaster import Forecaster
from smash.law.log_density import joined
from smash.law.mixed_law import PartShares
from smash.law.next_event_law import NextEventLaw
from smash.model.smash import Smash
from smash.model.training import Trainer
from smash.settings import (
    ModelSettings,
    ObjectiveSettings,
    ScalingSettings,
    SimulatorSettings,
    TrainingSettings,
)
from smash.simulate.ladders import rung
from smash.simulate.process import HawkesProcess
from smash.simulate.simulator import Oracle, simulate_dataset

SETTINGS = SimulatorSettings(sequences=(40, 10, 20), events=(15, 30))
PLAIN = simulate_dataset(SETTINGS)
BASELINES = (
    "climatology",
    "markov",
    "walk",
    "hawkes",
    "mixture",
    "poisson",
    "etas",
    "oracle",
    "low rung",
)
MODELS = {
    "model, mixture": {"location_law": "mixture"},
    "model, history": {"location_law": "history"},
    "model, mixture times": {"location_law": "mixture", "time_law": "mixture"},
    "model, self-exciting": {"location_law": "history", "base": "self_exciting"},
    "model, told": {
        "location_law": "history",
        "time_law": "mixture",
        "recent_rates": True,
        "magnitudes": True,
    },
}
RUNGS = ("entanglement", "heterogeneity", "seasonality", "inhibition", "etas")
"""Ladders on whose third rung the law is tried; their events have no marks."""
KINDS = (*BASELINES, *MODELS, "pool", "pool by part")
ORACLES = ("oracle", "low rung")


def with_magnitudes(sequences: EventSequences) -> EventSequences:
    numbers = np.random.default_rng(sequences.n_events)
    return replace(sequences, magnitude=1 + numbers.exponential(0.4, sequences.n_events))


DATA = replace(PLAIN, **{name: with_magnitudes(split) for name, split in PLAIN.splits()})
N = 7
"""Events whose laws are looked at one by one."""


def data_of(marked: bool, placed: bool) -> Dataset:
    data = DATA if marked else DATA.without_marks()
    return data if placed else data.without_places()


def fitted(kind: str, marked: bool, placed: bool = True) -> Forecaster:
    data = data_of(marked, placed)
    train, n_marks = data.train, data.n_marks
    match kind:
        case "climatology":
            return Climatology.fit(train, n_marks)
        case "markov":
            return Markov.fit(train, n_marks)
        case "walk":
            return Walk.fit(train, n_marks)
        case "hawkes":
            return fit_hawkes(train, n_marks)
        case "poisson":
            return Poisson.fit(train, n_marks)
        case "etas":
            return fit_etas(train, n_marks)
        case "mixture":
            generator = torch.Generator().manual_seed(0)
            settings = MixtureSettings(units=16, components=4, epochs=3)
            return fit_mixture(train, data.validation, n_marks, "days", generator, settings)
        case model if model in MODELS:
            return trained(train, n_marks, **MODELS[model])
        case "pool" | "pool by part":
            members = Climatology.fit(train, n_marks), fit_hawkes(train, n_marks)
            if kind == "pool":
                return Ensemble(members, (0.3, 0.7))
            return PartPool(members, PartShares((0.3, 0.7), (0.6, 0.4), (0.1, 0.9)))
        case "low rung":
            return rung("marks", 0, SETTINGS).oracle
        case name if name in RUNGS:
            return rung(name, 2, SETTINGS).oracle
    process = HawkesProcess.from_settings(SETTINGS)
    return Oracle(process if placed else process.without_places())


def trained(train: EventSequences, n_marks: int, **laws: Any) -> ModelForecaster:
    """Returns a model after two epochs."""
    torch.manual_seed(0)
    sizes = ModelSettings(
        **{"base": "climatology", **laws},
        location_components=8,
        recent_events=8,
        cond_dim=8,
        num_units=16,
        n_layers=1,
        mark_in_location=True,
        time_encoding="relative",
    )
    objective = ObjectiveSettings(kind="likelihood", law_points=64)
    scaler = fit_scaler([train], ScalingSettings())
    model = Smash.untrained(sizes, objective, train, scaler, n_marks)
    scaled = ScaledSequences(train, model.scaler)
    with TemporaryDirectory() as folder:
        settings = TrainingSettings(total_epochs=2, batch_size=4, learning_rate=5e-3)
        Trainer(model, scaled, scaled, objective, settings, Path(folder), seed=0).fit()
    return ModelForecaster(model)


OF_PLACES = (
    *("walk", "etas", "low rung"),
    *("model, history", "model, self-exciting", "model, told"),
)
"""Those that are nothing of their own without places."""
CASES = [
    *((kind, True, True) for kind in KINDS),
    *((kind, False, True) for kind in (*KINDS, *RUNGS) if kind not in ORACLES),
    *((kind, True, False) for kind in KINDS if kind not in OF_PLACES),
]


def called(case: tuple[str, bool, bool]) -> str:
    kind, marked, placed = case
    return f"{kind}-{marked}" + ("" if placed else "-without places")


@pytest.fixture(scope="module", params=CASES, ids=called)
def case(request) -> tuple[Forecaster, EventSequences]:
    kind, *having = request.param
    return fitted(kind, *having), data_of(*having).test


def some(case, n: int = N) -> tuple[NextEventLaw, EventSequences]:
    """Returns the laws after `n` histories, the first events of as many sequences."""
    forecaster, test = case
    histories = first_events(test.select(range(n)), np.arange(2, 2 + n))
    return forecaster.law_after(histories), histories


def first_events(sequences: EventSequences, counts) -> EventSequences:
    """Returns the first `counts` (M,) events of each sequence."""
    rows = np.flatnonzero(sequences.event < np.asarray(counts)[sequences.sequence])
    return EventSequences(
        sequences.time[rows],
        sequences.location[rows],
        None if sequences.mark is None else sequences.mark[rows],
        np.concatenate([[0], np.cumsum(counts)]),
        sequences.window,
        magnitude=None if sequences.magnitude is None else sequences.magnitude[rows],
    )


def test_time_survival_is_the_integral_of_the_density(case):
    law, _ = some(case)
    edges = np.concatenate([[0.0], np.geomspace(1e-7, 1e3, 3_001)])
    middle = np.tile((edges[1:] + edges[:-1]) / 2, (N, 1))
    mass = np.exp(law.time.log_density(middle)) * np.diff(edges)
    survived = np.exp(law.log_survival(np.tile(edges[1:], (N, 1))))
    start = np.exp(law.log_survival(np.zeros((N, 1))))
    np.testing.assert_allclose(start - mass.cumsum(axis=1), survived, atol=2e-3)
    np.testing.assert_allclose(start[:, 0], 1, atol=2e-3)  # no zeros among these gaps
    assert (np.diff(survived, axis=1) <= 1e-12).all()


def test_draws_of_time_agree_with_the_distribution(case):
    law, _ = some(case)
    gap = law.sample(2000, torch.Generator().manual_seed(1)).gap
    for row, level in zip(gap, law.cdf(np.sort(gap, axis=1)), strict=True):
        assert stats.kstest(level, "uniform").pvalue > 1e-4, row


def test_quantiles_invert_the_distribution(case):
    law, _ = some(case)
    level = np.tile([0.01, 0.3, 0.5, 0.9, 0.99], (N, 1))
    np.testing.assert_allclose(law.cdf(law.quantile(level)), level, atol=1e-6)


def test_no_event_for_a_while_is_what_rejection_leaves(case):
    law, _ = some(case)
    elapsed = law.quantile(np.full((N, 1), 0.6))[:, 0]
    late = law.given_no_event_until(elapsed)
    drawn = late.sample(1000, torch.Generator().manual_seed(2))
    assert (drawn.gap >= elapsed[:, None]).all()
    every = law.sample(4000, torch.Generator().manual_seed(3))
    for i in range(N):
        rejected = every.gap[i][every.gap[i] > elapsed[i]]
        finite = np.minimum(drawn.gap[i], 1e9), np.minimum(rejected, 1e9)
        assert stats.ks_2samp(*finite).pvalue > 1e-4
    level = late.cdf(np.sort(drawn.gap, axis=1))
    assert all(stats.kstest(row, "uniform").pvalue > 1e-4 for row in level)
    beyond = elapsed[:, None] + np.concatenate([[1e-9], np.geomspace(1e-7, 1e3, 3_001)])
    middle = (beyond[:, 1:] + beyond[:, :-1]) / 2
    mass = np.exp(late.time.log_density(middle)) * np.diff(beyond)
    np.testing.assert_allclose(mass.sum(axis=1), late.cdf(beyond[:, -1:])[:, 0], atol=2e-3)
    later = law.given_no_event_until(elapsed / 2).given_no_event_until(elapsed)
    gap = elapsed[:, None] + np.array([0.1, 1.0])
    np.testing.assert_allclose(later.time.log_density(gap), late.time.log_density(gap))


def test_marks_sum_to_one_and_draws_have_their_shares(case):
    law, _ = some(case)
    if law.mark is None:
        assert case[0].n_marks == 1
        return
    gap = np.tile([0.01, 0.5, 3.0], (N, 1))
    probability = law.mark_probability(gap)
    assert probability.shape == (N, 3, case[0].n_marks)
    np.testing.assert_allclose(probability.sum(axis=-1), 1)
    samples = law.sample(4000, torch.Generator().manual_seed(4))
    shares = (samples.mark[..., None] == np.arange(case[0].n_marks)).mean(axis=1)
    np.testing.assert_allclose(shares, samples.mark_probability, atol=0.04)


def grid(reach: float, n_axes: int, cells: int = 101) -> tuple[np.ndarray, float]:
    """Returns the middles of cells and their area: without places one cell, of area 1."""
    if not n_axes:
        return np.empty((1, 0)), 1.0
    axis = (np.arange(cells) + 0.5) / cells * 2 * reach - reach
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), (2 * reach / cells) ** 2


def test_place_densities_integrate_to_one_and_draws_agree_with_them(case):
    law, known = some(case, 3)
    points, area = grid(4.0, known.n_axes)
    gap = np.full(3, 0.4)
    marks = [None] if law.mark is None else [None, np.zeros(3, np.int64)]
    for mark in marks:
        density = law.place_density(points, gap, mark)
        np.testing.assert_allclose(density.sum(axis=1) * area, 1, atol=0.02)
    drawn = law.place.draw(
        np.full((3, 3000), 0.4),
        None if law.mark is None else np.zeros((3, 3000), np.int64),
        torch.Generator().manual_seed(5),
    )
    assert drawn.shape == (3, 3000, known.n_axes)
    if not known.n_axes:
        return
    by_cell = density.reshape(3, 101, 101) * area
    for axis, cumulative in ((0, by_cell.sum(1).cumsum(1)), (1, by_cell.sum(2).cumsum(1))):
        edges = np.linspace(-4, 4, 102)[1:]
        for i in range(3):
            level = np.interp(drawn[i, :, axis], edges, cumulative[i])
            assert stats.kstest(level, "uniform").pvalue > 1e-4


def test_the_intensity_is_how_survival_falls_shared_out_over_marks_and_places(case):
    law, known = some(case, 3)
    points, area = grid(4.0, known.n_axes)
    gap, step = np.tile([0.2, 0.7], (3, 1)), 1e-5
    found = law.intensity(points, gap)
    falls = (law.log_survival(gap - step) - law.log_survival(gap + step)) / (2 * step)
    np.testing.assert_allclose(found.sum(axis=(2, 3)) * area, falls, rtol=0.03)
    late = law.given_no_event_until(np.full(3, 0.1)).intensity(points[:50], gap)
    np.testing.assert_allclose(late, found[..., :50], rtol=1e-6, atol=1e-15)
    density = np.exp(law.time.log_density(gap) - law.log_survival(gap))[:, 1]
    for k in range(case[0].n_marks):
        mark = None if law.mark is None else np.full(3, k)
        share = 1.0 if law.mark is None else law.mark_probability(gap)[:, 1, k]
        wanted = (density * share)[:, None] * law.place_density(points, gap[:, 1], mark)
        np.testing.assert_allclose(found[:, 1, k], wanted, rtol=1e-4)


def test_draws_of_whole_events_agree_with_their_density(case):
    """E[q / p] under p is the mass of a density q, here by mark, early or late, left or right."""
    forecaster, test = case
    n, n_marks = 6000, forecaster.n_marks
    law = forecaster.law_after(first_events(test.select(np.zeros(n, dtype=int)), np.full(n, 4)))
    samples = law.sample(1, torch.Generator().manual_seed(6))
    gap, place = samples.gap[:, 0], samples.location[:, 0]
    mark = None if samples.mark is None else samples.mark[:, 0]
    order = np.arange(n)
    found = law.log_prob(Targets(order, order, order * 1.0, gap, place, mark))
    placed = test.n_axes > 0
    centre, width = np.empty(0), np.empty(0)
    if placed:
        centre = np.median(place, axis=0)
        width = 0.5 * np.diff(np.quantile(place, [0.2, 0.8], axis=0), axis=0)
    positive = gap > 0  # q has no atom at zero
    log_gap = np.log(np.where(positive, gap, 1.0))
    middle, spread = np.median(log_gap), 0.5 * np.diff(np.quantile(log_gap, [0.2, 0.8]))
    log_q = (
        stats.norm.logpdf(log_gap, middle, spread)
        - log_gap
        + stats.norm.logpdf(place, centre, width).sum(axis=1)
    )
    log_q = np.where(positive, log_q, -np.inf)
    late = gap > np.exp(middle)
    right = place[:, 0] > centre[0] if placed else np.ones(n, dtype=bool)
    sides = (False, True) if placed else (True,)
    share = 1 / n_marks / 2 / len(sides)
    for k in range(n_marks):
        for is_late in (False, True):
            for is_right in sides:
                part = np.exp(log_q - np.log(n_marks) - found.event)
                part = part * (late == is_late) * (right == is_right)
                part = part if mark is None else part * (mark == k)
                error = part.std() / np.sqrt(n)
                assert part.mean() == pytest.approx(share, abs=4 * error)
                assert error < 0.25 * share


def test_log_densities_of_targets_are_those_of_the_laws_after_their_histories(case):
    forecaster, test = case
    found = forecaster.log_densities(test)
    targets = test.targets()
    rows = np.flatnonzero(targets.event == 4)[:N]
    chosen = targets[rows]
    histories = first_events(test.select(chosen.sequence), np.full(len(rows), 4))
    after = forecaster.law_after(histories).log_prob(chosen)
    np.testing.assert_allclose(found.time[rows], after.time, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.place[rows], after.place, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.unmarked[rows], after.unmarked, rtol=1e-4, atol=1e-4)
    assert np.isfinite(found.event).all()
    if found.mark is None:
        np.testing.assert_allclose(found.unmarked, found.event)
    else:
        by_mark = [replace(chosen, mark=np.full(len(rows), k)) for k in range(forecaster.n_marks)]
        law = forecaster.law_after(histories)
        every = [law.log_prob(events).event for events in by_mark]
        np.testing.assert_allclose(after.unmarked, logsumexp(every, axis=0))


def test_events_appended_are_events_known_from_the_start(case):
    forecaster, test = case
    whole = first_events(test.select([0, 0, 0]), [6, 6, 6])
    state = forecaster.start(first_events(test.select([0]), [4]), 3)
    for event in (4, 5):
        mark = None if test.mark is None else np.full(3, test.mark[event])
        size = np.full(3, test.magnitude[event])
        state.append(np.full(3, test.gap[event]), np.tile(test.location[event], (3, 1)), mark, size)
    gap, known = np.tile([0.1, 1.0], (3, 1)), forecaster.law_after(whole)
    found, points = state.law(), grid(2.0, test.n_axes, 5)[0]
    np.testing.assert_allclose(found.log_survival(gap), known.log_survival(gap), rtol=1e-4)
    densities = [law.place_density(points, gap[:, 1]) for law in (found, known)]
    np.testing.assert_allclose(*densities, rtol=1e-3)
    if test.mark is not None:
        np.testing.assert_allclose(
            found.mark_probability(gap), known.mark_probability(gap), rtol=1e-3
        )
    state.keep(np.array([2]))
    assert len(state.law()) == 1


def test_first_events_have_a_law(case):
    forecaster, test = case
    nothing = first_events(test.select([0, 1, 2]), [0, 3, 0])
    law = forecaster.law_after(nothing)
    drawn = law.sample(2000, torch.Generator().manual_seed(7))
    for row, level in zip(drawn.gap, law.cdf(np.sort(drawn.gap, axis=1)), strict=True):
        assert stats.kstest(level, "uniform").pvalue > 1e-4, row
    points, area = grid(4.0, test.n_axes)
    density = law.place_density(points, np.full(3, 0.4))
    np.testing.assert_allclose(density.sum(axis=1) * area, 1, atol=0.02)
    state = forecaster.start(first_events(test.select([0]), [0]), 2)
    mark = None if test.mark is None else test.mark[[0, 0]]
    size = test.magnitude[[0, 0]]
    state.append(np.full(2, test.gap[0]), test.location[[0, 0]], mark, size)
    later = state.law().sample(5, torch.Generator().manual_seed(8))
    assert later.gap.shape == (2, 5)


def test_futures_begin_with_the_next_event_and_go_on_in_order(case):
    forecaster, test = case
    history, wait, horizon, n = first_events(test.select([0]), [6]), 0.2, 1.5, 800
    now = history.time[-1] + wait
    generator = torch.Generator().manual_seed(9)
    paths = forecaster.simulate(history, now, horizon, n, generator)
    first = paths.time[np.unique(paths.path, return_index=True)[1]] - history.time[-1]
    law = forecaster.law_after(history).given_no_event_until(np.array([wait]))
    comes = law.cdf(np.array([[wait + horizon]])).item()
    error = np.sqrt(comes * (1 - comes) / n)
    assert len(first) / n == pytest.approx(comes, abs=4 * error + 1e-9)
    assert stats.kstest(law.cdf(np.sort(first)[None])[0] / comes, "uniform").pvalue > 1e-4
    assert ((paths.time > now) & (paths.time <= now + horizon)).all()
    assert (np.diff(paths.time)[np.diff(paths.path) == 0] >= 0).all()
    assert np.isfinite(paths.location).all()
    assert (paths.mark is None) == (test.mark is None)


def test_a_pool_with_any_other_is_the_mixture_of_both(case):
    forecaster, test = case
    other, some_test = Climatology.fit(test, forecaster.n_marks), test.select([0, 1])
    pool = Ensemble((forecaster, other), (0.25, 0.75))
    parts = [member.log_densities(some_test) for member in pool.members]
    found = joined([law.log_prob(targets) for targets, law in pool.laws(some_test)])
    for part in ("time", "time_mark", "event", "unmarked"):
        mean = logsumexp([getattr(one, part) for one in parts], axis=0, b=[[0.25], [0.75]])
        np.testing.assert_allclose(getattr(found, part), mean, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(getattr(pool.log_densities(some_test), part), mean, atol=1e-4)
    history = first_events(test.select([0]), [6])
    now = history.time[-1]
    paths = pool.simulate(history, now, 1.0, 50, torch.Generator().manual_seed(1))
    assert ((paths.time > now) & (paths.time <= now + 1.0)).all()


def test_a_pool_by_part_mixes_each_part_in_shares_of_its_own(case):
    forecaster, test = case
    other, some_test = Climatology.fit(test, forecaster.n_marks), test.select([0, 1])
    shares = PartShares((0.25, 0.75), (0.5, 0.5), (0.9, 0.1))
    pool = PartPool((forecaster, other), shares)
    parts = [member.log_densities(some_test) for member in pool.members]
    found = pool.log_densities(some_test)
    for part in ("time", "mark", "place"):
        known = [getattr(one, part) for one in parts]
        if known[0] is None:
            assert getattr(found, part) is None
            continue
        weight = np.array(getattr(shares, part))[:, None]
        mean = logsumexp(known, axis=0, b=weight)
        np.testing.assert_allclose(getattr(found, part), mean, rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_in_one_block_is_the_same(case, monkeypatch):
    forecaster, test = case

    def found() -> list[np.ndarray]:
        density, (law, _) = forecaster.log_densities(test.select([0, 1])), some(case)
        places = law.place_density(grid(2.0, test.n_axes, 5)[0], np.full(N, 0.4))
        survival = law.log_survival(np.tile([0.01, 0.3, 2.0], (N, 1)))
        return [density.time, density.place, density.unmarked, places, survival]

    whole = found()
    monkeypatch.setattr("smash.blocks.CELLS", 40)
    for one, other in zip(whole, found(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_far_events_have_a_finite_density(case):
    law, known = some(case)
    place, gap = np.full((N, 1, known.n_axes), 50.0), np.array([[1e-9, 1e4]] * N)
    assert np.isfinite(law.time.log_density(gap)).all()
    mark = None if law.mark is None else np.zeros((N, 1), np.int64)
    assert np.isfinite(law.place.log_density(place, gap[:, :1], mark)).all()


def test_what_comes_never_is_no_event_and_no_number_that_is_none(case):
    law, _ = some(case)
    never = np.full((N, 1), np.inf)
    assert (law.cdf(never) == 1).all()
    assert (law.log_survival(never) == -np.inf).all()
    assert (law.time.log_density(never) == -np.inf).all()
    assert (law.quantile(np.ones((N, 1))) == np.inf).all()


def test_places_that_are_none_tell_nothing(case):
    forecaster, test = case
    if test.n_axes:
        return
    found = forecaster.log_densities(test)
    np.testing.assert_allclose(found.place, 0, atol=1e-12)
    np.testing.assert_allclose(found.event, found.time_mark)


def test_nothing_beats_the_oracle():
    oracle = fitted("oracle", True).log_densities(DATA.test)
    for kind in (kind for kind in KINDS if kind != "oracle"):
        other = fitted(kind, True).log_densities(DATA.test)
        for part in ("time", "time_mark", "event", "unmarked"):
            difference = getattr(oracle, part) - getattr(other, part)
            worst = -2 * difference.std() / np.sqrt(len(difference))
            assert difference.mean() > worst, (kind, part)
