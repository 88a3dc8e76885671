"""The Hawkes baseline's likelihood is the process's, and it recovers the simulator."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smash.baselines import Hawkes, HawkesSettings, fit_hawkes
from smash.data.events import EventSequences, build_sequences
from smash.errors import DataError
from smash.scores.evaluation import score_forecasts
from smash.settings import ScoreSettings, SimulatorSettings
from smash.simulate import hawkes_likelihood
from smash.simulate.hawkes_likelihood import Likelihood, Parameters
from smash.simulate.process import Events, HawkesProcess
from smash.simulate.simulator import Oracle

PROCESS = HawkesProcess.from_settings(SimulatorSettings())
SPREAD = PROCESS.background_spread


@pytest.fixture(scope="module")
def fitted(simulated) -> Hawkes:
    return fit_hawkes(simulated.train, simulated.n_marks)


def vector(hawkes: Hawkes) -> torch.Tensor:
    """The packed parameters in raw units, where distances are divided by the scale."""
    process = hawkes.process
    return Parameters(
        torch.from_numpy(process.background),
        torch.from_numpy(process.excitation),
        torch.tensor(process.decay, dtype=torch.float64),
        torch.tensor(process.spread, dtype=torch.float64),
        torch.from_numpy(hawkes.center),
        torch.from_numpy(hawkes.scale),
    ).pack()


def simulator_as_fitted() -> Hawkes:
    """The simulator's process in the baseline's form."""
    process = replace(PROCESS, spread=PROCESS.spread / SPREAD, background_spread=1.0)
    return Hawkes(process, np.zeros(2), np.full(2, SPREAD), marked=True)


def test_the_likelihood_is_the_product_of_next_event_densities(simulated, monkeypatch):
    monkeypatch.setattr(hawkes_likelihood, "BLOCK_PAIRS", 500)  # several blocks
    few = simulated.train.select(range(4))
    hawkes = simulator_as_fitted()
    likelihood = Likelihood(few, 3, history=100)
    densities = [
        PROCESS.log_density(
            Events(one.time, one.location, one.mark).before(event),
            one.gap[[event]],
            one.mark[[event]],
            one.location[[event]],
        )[0]
        for one in (few.select([i]) for i in range(4))
        for event in range(1, one.n_events)
    ]
    np.testing.assert_allclose(hawkes.log_densities(few).event, densities, rtol=1e-9)
    assert float(likelihood(vector(hawkes))) == pytest.approx(sum(densities), rel=1e-9)


def test_an_event_free_end_costs_its_compensator(simulated):
    one = simulated.train.select([0])
    longer = replace(one, window=one.window + np.array([0.0, 2.5]))
    theta = vector(simulator_as_fitted())
    cost = Likelihood(one, 3, 100)(theta) - Likelihood(longer, 3, 100)(theta)
    history = Events(one.time, one.location, one.mark)
    assert float(cost) == pytest.approx(PROCESS.compensator(history, np.array([2.5]))[0], rel=1e-9)


def test_the_gradient_by_blocks_is_the_gradient(simulated, monkeypatch):
    monkeypatch.setattr(hawkes_likelihood, "BLOCK_PAIRS", 500)
    likelihood = Likelihood(simulated.train.select(range(3)), 3, history=10)
    theta = vector(simulator_as_fitted()).requires_grad_()
    whole = likelihood(theta)
    whole.backward()
    value, gradient = likelihood.value_and_gradient(theta.detach().numpy())
    assert value == pytest.approx(float(whole.detach()), rel=1e-12)
    np.testing.assert_allclose(gradient, theta.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_it_recovers_the_simulator_within_its_sampling_error(simulated, fitted):
    """Errors from the observed information, for all but the offspring that hardly come."""
    likelihood = Likelihood(simulated.train, 3, history=100)
    estimate, truth = vector(fitted), vector(simulator_as_fitted())
    information = -torch.autograd.functional.hessian(likelihood, estimate)
    excitation = PROCESS.excitation.flatten()
    seen = np.ones(len(estimate), dtype=bool)
    seen[3:12] = excitation > 0
    error = np.sqrt(np.diag(np.linalg.inv(information.numpy()[np.ix_(seen, seen)])))
    assert error.max() < 0.5
    assert (np.abs((estimate - truth).numpy()[seen]) < 4 * error).all()
    assert (fitted.process.excitation.flatten()[excitation == 0] < 0.05).all()


def test_its_forecasts_are_calibrated_and_as_good_as_the_exact_law(simulated, fitted):
    scores, half = ScoreSettings(original=False), simulated.test.select(range(30))
    hawkes, oracle = (
        score_forecasts(forecaster, half, 60, scores, torch.Generator().manual_seed(0)).figures
        for forecaster in (fitted, Oracle(PROCESS))
    )
    for name in ("cs_time", "cs_location"):
        assert hawkes[name] < 3 * hawkes["cs_floor"]
    for name in ("crps_time", "energy_location", "mark_log_loss"):
        assert hawkes[name] == pytest.approx(oracle[name], rel=0.03)


def test_units_of_the_axes_do_not_matter(simulated, fitted):
    units = np.array([1000.0, 0.01])

    def in_other_units(events: EventSequences) -> EventSequences:
        return replace(events, location=events.location * units + 7)

    other = fit_hawkes(in_other_units(simulated.train), 3)
    assert other.process.spread == pytest.approx(fitted.process.spread, rel=1e-3)
    np.testing.assert_allclose(other.scale, fitted.scale * units, rtol=1e-3)
    np.testing.assert_allclose(
        other.log_densities(in_other_units(simulated.test)).event,
        fitted.log_densities(simulated.test).event - np.log(units).sum(),
        atol=0.02,
    )


def test_unmarked_events_have_no_marks(simulated, drawn):
    unmarked = simulated.without_marks()
    few = unmarked.test.select(range(3))
    hawkes = fit_hawkes(unmarked.train, 1)
    assert drawn(hawkes, few, 2).mark is None
    assert np.isfinite(hawkes.log_densities(few).event).all()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000))
def test_clocks_and_lattices_do_not_make_it_infinitely_sharp(seed):
    """Zero gaps at the same place, where the likelihood has no maximum."""
    numbers = np.random.default_rng(seed)
    gap = numbers.exponential(size=400) * (numbers.random(400) > 0.4)
    location = numbers.integers(0, 5, size=(400, 2)).astype(float)
    location[1:][gap[1:] == 0] = location[:-1][gap[1:] == 0]
    events = build_sequences(np.cumsum(gap), location, None, [100] * 4, "clock")
    limits = HawkesSettings(shortest_delay=0.05, least_spread=0.02)
    hawkes = fit_hawkes(events, 1, limits)
    mean_gap = events.gap[events.is_target].mean()
    assert 1 / hawkes.process.decay >= 0.05 * mean_gap * (1 - 1e-9)
    assert hawkes.process.spread >= 0.02 * (1 - 1e-9)
    assert np.isfinite(hawkes.log_densities(events).event).all()


def test_branching_stays_below_its_limit_and_the_background_makes_up(simulated, fitted):
    hawkes = fit_hawkes(simulated.train, 3, HawkesSettings(most_branching=0.3))
    radius = np.abs(np.linalg.eigvals(hawkes.process.excitation)).max()
    assert 0.2 < radius <= 0.3 + 1e-9
    assert hawkes.process.background.sum() > fitted.process.background.sum()


def test_unknown_marks_are_refused(simulated, fitted):
    strange = replace(simulated.test, mark=simulated.test.mark + 2)
    with pytest.raises(DataError, match="fitted to marks 0 to 2"):
        next(fitted.forecast(strange, 2, torch.Generator()))
