"""Seahorse's presets as forecasters: laws as all others, and nothing else is touched."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from smash.baseline_names import RIVALS, unknown
from smash.baselines.plug_ins import Fitting, fit_plug_in
from smash.errors import BaselineError
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
    np.testing.assert_allclose(density.event[known].mean(), expected.mean(), atol=0.05)
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
    # Seahorse's hazards are of single precision, and batches of other sizes round them otherwise.
    np.testing.assert_allclose(after.log_prob(last).event, density.event[-1:], atol=0.05)


def test_ties_are_trained_on_and_drawn(quick):
    train, validation, test = map(tied, (DATA.train, DATA.validation, DATA.test))
    assert (train.gap[train.is_target] == 0).any()
    rival = fit_plug_in("seahorse:rmtpp_gmm", fitting(train, validation))
    [forecast] = list(rival.forecast(test.select([0]), 50, torch.Generator().manual_seed(0)))
    gap = forecast.samples.gap[np.isfinite(forecast.samples.gap)]
    np.testing.assert_allclose(gap * 10, np.round(gap * 10), atol=1e-3)
    assert np.isfinite(rival.log_densities(test).event).all()


def test_sequences_too_short_for_a_preset_are_said(quick):
    short = simulate_dataset(SimulatorSettings(sequences=(8, 3, 3), events=(6, 9))).without_marks()
    with pytest.raises(BaselineError, match="seahorse:deep_stpp"):
        fit_plug_in("seahorse:deep_stpp", fitting(short.train, short.validation))
