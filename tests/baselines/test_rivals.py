"""Seahorse's presets as forecasters: laws as all others, and nothing else is touched."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from smash.baseline_names import RIVALS, unknown
from smash.baselines.plug_ins import Fitting, fit_plug_in
from smash.baselines.rival_precision import CurveTable
from smash.baselines.rivals import _without_never
from smash.errors import BaselineError
from smash.law.hazard_table import HazardTable
from smash.settings import SimulatorSettings
from smash.simulate.simulator import simulate_dataset

DATA = simulate_dataset(SimulatorSettings(sequences=(8, 3, 3), events=(24, 27))).without_marks()
NEEDS = "needs the extra rivals (pip install 'smash-workbench[rivals]')"


def fitting(train=DATA.train, validation=DATA.validation) -> Fitting:
    return Fitting(train, validation, 1, "days", "km", seed=3)


def tied(sequences):
    """The events as a clock of a tenth of a day records them: several come at once."""
    time = np.floor(sequences.time * 10) / 10
    window = np.floor(sequences.window * 10) / 10
    return replace(sequences, time=time, window=np.stack([window[:, 0], window[:, 1] + 1], axis=1))


@pytest.fixture
def quick(monkeypatch):
    """Two small epochs: what is tested is the law, not how good it is."""
    pytest.importorskip("seahorse", reason=NEEDS)
    monkeypatch.setattr("smash.baselines.rivals.EVENTS", 1)
    monkeypatch.setattr("smash.baselines.rivals.FEWEST_EPOCHS", 1)
    monkeypatch.setattr("smash.baselines.rivals.LEAST_BATCHES", 2)


def test_presets_under_a_non_commercial_licence_are_refused_by_name():
    for name in ("seahorse:poisson_cnf", "seahorse:hawkes_tvcnf", "seahorse:neural_jumpcnf"):
        assert "non-commercial licence" in unknown(name)
    assert "did you mean seahorse:rmtpp_gmm?" in unknown("seahorse:rmtp_gmm")
    assert not any(unknown(f"seahorse:{preset}") for preset in RIVALS)


def test_without_the_extra_it_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "seahorse.config", None)
    with pytest.raises(BaselineError, match=r"install it: pip install 'smash-workbench\[rivals\]'"):
        fit_plug_in("seahorse:rmtpp_gmm", fitting())


@pytest.mark.parametrize("preset", RIVALS)
def test_a_preset_gives_a_law_and_leaves_everything_else_alone(
    preset, quick, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(5)
    random.seed(5)
    before = torch.get_rng_state(), random.getstate(), os.environ.get("PL_GLOBAL_SEED")
    rival = fit_plug_in(f"seahorse:{preset}", fitting())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), os.environ.get("PL_GLOBAL_SEED")) == before[1:]
    assert not list(tmp_path.iterdir())
    test = DATA.test.select([0])
    n = 0
    for targets, law in rival.laws(test):
        assert len(targets) == len(law)
        n += len(targets)
        samples = law.sample(6, torch.Generator().manual_seed(0))
        assert samples.gap.shape == (len(law), 6)
        assert (samples.gap >= 0).all()
        assert np.isfinite(samples.location).all()
        assert (
            np.diff(law.log_survival(np.tile(np.geomspace(0.01, 9, 30), (len(law), 1)))) <= 0
        ).all()
    assert n == len(test.targets())
    density = rival.log_densities(test)
    assert not np.isnan(density.event).any()
    assert density.mark is None
    # Its own density of the same events, which is not read off a table.
    own = rival.adapter.event_terms(
        rival.adapter.prepare(test.relative_time[None], test.location[None])
    )
    known = own.defined[1:]
    expected = (own.log_lambda - own.d_lambda)[1:][known]
    np.testing.assert_allclose(density.event[known], expected, atol=0.02)
    # The law after a whole history is that of the event that came next.
    end = test.n_events - 1
    shorter = replace(
        test,
        time=test.time[:end],
        location=test.location[:end],
        offsets=np.array([0, end]),
    )
    after = rival.law_after(shorter)
    last = test.targets()[slice(end - 1, end)]
    np.testing.assert_allclose(after.log_prob(last).event, density.event[-1:], atol=1e-9)


def test_ties_are_trained_on_and_drawn(quick):
    train, validation, test = map(tied, (DATA.train, DATA.validation, DATA.test))
    assert (train.gap[train.is_target] == 0).any()
    rival = fit_plug_in("seahorse:rmtpp_gmm", fitting(train, validation))
    [forecast] = list(rival.forecast(test.select([0]), 50, torch.Generator().manual_seed(0)))
    gap = forecast.samples.gap
    np.testing.assert_allclose(gap * 10, np.round(gap * 10), atol=1e-3)
    assert np.isfinite(rival.log_densities(test).event).all()


def test_a_training_ends_with_its_budget_and_has_a_law(quick, monkeypatch):
    monkeypatch.setattr("smash.baselines.rivals.EVENTS", 10**9)
    rival = fit_plug_in("seahorse:deep_stpp", replace(fitting(), budget=0.0))
    assert rival.adapter.runner._lightning_module.trainer.global_step == 1
    assert np.isfinite(rival.log_densities(DATA.validation).event).all()


def test_never_is_beyond_all_data_and_all_else_as_it_was():
    """An event that comes with probability 1 − 1/e, and otherwise never."""
    at = np.concatenate([[0.0], np.geomspace(1e-3, 10, 200)])
    hazard = -np.expm1(-at)[None]
    law, whole = HazardTable(at, hazard), HazardTable(*_without_never(at, hazard))
    gap = np.geomspace(1e-3, 9.9, 50)[None]
    np.testing.assert_allclose(whole.log_density(gap), law.log_density(gap))
    drawn = whole.draw(4000, torch.Generator().manual_seed(0))
    assert np.isfinite(drawn).all()
    assert (drawn > at[-1]).mean() == pytest.approx(np.exp(-1), abs=0.03)


class Bump:
    """A smooth function with steep and level parts, and its slope."""

    def forward_with_grad(self, at):
        return torch.tanh(5 * at) + 0.1 * at, 5 / torch.cosh(5 * at) ** 2 + 0.1


@pytest.mark.parametrize(("low", "high", "close"), [(-2.0, 2.0, False), (0.0, 40.0, True)])
def test_a_curve_is_looked_up_as_it_is_computed_and_goes_on_straight(low, high, close):
    table = CurveTable.of(Bump(), low, high, close_to_start=close)
    at = torch.linspace(low, high, 10_001, dtype=torch.float64)
    for found, expected in zip(
        table.forward_with_grad(at), Bump().forward_with_grad(at), strict=True
    ):
        assert torch.allclose(found, expected, atol=1e-6)
    beyond = torch.tensor([high + 1.0, high + 3.0], dtype=torch.float64)
    value, slope = table.forward_with_grad(beyond)
    assert torch.allclose((value[1] - value[0]) / 2, slope[0])
    assert torch.allclose(slope, torch.full_like(slope, 0.1), atol=1e-6)


def test_sequences_too_short_for_a_preset_are_said(quick):
    short = simulate_dataset(SimulatorSettings(sequences=(8, 3, 3), events=(6, 9))).without_marks()
    with pytest.raises(BaselineError, match="seahorse:deep_stpp"):
        fit_plug_in("seahorse:deep_stpp", fitting(short.train, short.validation))
