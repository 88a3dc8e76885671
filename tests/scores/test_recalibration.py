"""Recalibrated levels are what they say, on events of the same law; and it survives its file."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from smash.data.events import Targets
from smash.errors import CheckpointError, DataError
from smash.law.samples import Samples
from smash.manifest import RECALIBRATION
from smash.scores import calibration_score, fair_crps, log_loss, score_events
from smash.scores.recalibration import (
    KNOTS,
    Levels,
    Recalibration,
    conformal_coverage,
    recalibrated_scores,
    recalibrated_table,
)
from smash.settings import ScoreSettings

LEVELS = ScoreSettings().levels


def forecast(n: int, seed: int, spread: float = 2.0) -> tuple[Samples, Targets]:
    """A forecast `spread` times too wide in time and place, and too sure of marks."""
    rng = np.random.default_rng(seed)
    law = rng.dirichlet(np.ones(3), n)
    mark = (rng.random((n, 1)) > law.cumsum(1)).sum(1)
    sure = law**3 / (law**3).sum(1, keepdims=True)
    samples = Samples(
        10 + spread * rng.normal(size=(n, 60)),
        spread * rng.normal(size=(n, 60, 2)),
        mark_probability=sure,
    )
    order = np.arange(n)
    truth = 10 + rng.normal(size=n)
    return samples, Targets(order, order, truth, truth, rng.normal(size=(n, 2)), mark)


def tables(n: int, seed: int) -> tuple[Samples, Targets, pd.DataFrame]:
    samples, targets = forecast(n, seed)
    generator = torch.Generator().manual_seed(seed)
    table = score_events(samples, targets, ScoreSettings(original=False), generator)
    return samples, targets, table


@pytest.fixture(scope="module")
def fitted() -> Recalibration:
    samples, _, table = tables(1500, 0)
    return Recalibration.fit(table, samples.mark_probability)


def test_recalibrated_figures_of_new_events_are_calibrated(fitted):
    samples, targets, raw = tables(1500, 1)
    changed = recalibrated_scores(fitted, samples, targets)
    table = recalibrated_table(fitted, raw, changed)
    for ranks in ("pit_time", "region_level"):
        assert calibration_score(raw[ranks].to_numpy(), LEVELS) > 0.08
        assert calibration_score(table[ranks].to_numpy(), LEVELS) < 0.025
    for score in ("crps_time", "mark_log_loss", "mark_brier"):
        assert table[score].mean() < 0.97 * raw[score].mean()
    assert fitted.temperature == pytest.approx(3.0, rel=0.15)
    assert (table["mark_predicted"] == raw["mark_predicted"]).all()


@pytest.mark.parametrize("conformal", [False, True])
def test_what_is_asked_for_at_a_level_holds_that_share(fitted, conformal):
    _, _, new = tables(3000, 2)
    for level in LEVELS:
        asked = fitted.time_level(level, conformal), fitted.region_level(level, conformal)
        held = (new["pit_time"] <= asked[0]).mean(), (new["region_level"] <= asked[1]).mean()
        assert held == pytest.approx((level, level), abs=0.04)
        if conformal:
            named = conformal_coverage(fitted, new, [level])
            assert tuple(named.values()) == held


@given(st.integers(1, 40), st.sampled_from([0.5, 0.8, 0.9, 0.955]))
@settings(deadline=None, max_examples=60)
def test_conformal_levels_hold_at_least_their_share_on_average_however_few_events(n, level):
    """Exactly: the k-th of n uniform ranks holds k / (n + 1) of new events on average."""
    rng = np.random.default_rng(0)
    held = [
        Recalibration(Levels.fit(rng.random(n) ** 3), Levels.fit(rng.random(n)), None, n, n)
        .time_level(level, conformal=True) ** (1 / 3)
        for _ in range(200)
    ]  # fmt: skip
    noise = 3 * beta(n * level + 1, n * (1 - level) + 1).std() / np.sqrt(200)
    assert np.mean(held) >= level - noise


def test_a_calibrated_forecast_is_left_as_it_is():
    levels = Levels.fit((np.arange(999) + 1) / 1000)
    np.testing.assert_allclose(levels.asked, KNOTS, atol=1e-9)
    gap = np.random.default_rng(0).exponential(size=(4, 50))
    untouched = Recalibration(levels, levels, 1.0, 999, 999)
    np.testing.assert_allclose(untouched.gap_draws(gap), gap)
    truth = np.ones(4)
    np.testing.assert_allclose(fair_crps(untouched.gap_draws(gap), truth), fair_crps(gap, truth))


def test_corrected_draws_keep_their_order_and_so_what_they_were_drawn_with(fitted):
    samples, _ = forecast(5, 4)
    corrected = fitted.corrected(samples)
    assert (corrected.gap.std(axis=1) < samples.gap.std(axis=1)).all()
    order = samples.gap.argsort(axis=1)
    assert (np.diff(np.take_along_axis(corrected.gap, order, axis=1)) >= 0).all()
    np.testing.assert_array_equal(corrected.location, samples.location)


def test_copies_of_an_event_count_once(fitted):
    samples, _, table = tables(1500, 0)
    twice = pd.concat([table.assign(repeat=False), table.assign(repeat=True)])
    probability = np.concatenate([samples.mark_probability] * 2)
    assert Recalibration.fit(twice, probability) == fitted


def test_temperature_leaves_probabilities_that_are_right(fitted):
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.ones(3), 4000)
    mark = (rng.random((4000, 1)) > law.cumsum(1)).sum(1)
    _, _, table = tables(4000, 3)
    found = Recalibration.fit(table.assign(mark=mark), law)
    assert found.temperature == pytest.approx(1.0, abs=0.06)
    heated = found.mark_probability(law)
    assert heated.sum(1) == pytest.approx(1.0)
    assert log_loss(heated, mark).mean() <= log_loss(law, mark).mean() + 1e-9


def test_it_survives_its_file_and_damage_is_said(fitted, tmp_path):
    assert Recalibration.load(tmp_path) is None
    fitted.save(tmp_path)
    assert Recalibration.load(tmp_path) == fitted
    content = json.loads((tmp_path / RECALIBRATION).read_text())
    content["time"]["asked"] = content["time"]["asked"][::-1]
    (tmp_path / RECALIBRATION).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=f"{RECALIBRATION}: not a recalibration .* growing"):
        Recalibration.load(tmp_path)
    with pytest.raises(DataError, match="no event"):
        Recalibration.fit(pd.DataFrame({"pit_time": [], "region_level": []}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", -1.0),
        ("temperature", "1.5"),
        ("n_events", "many"),
        ("n_groups", -3),
        ("drawn_by", None),
        ("time", {"asked": [10**400] * 201, "conformal": [0.0] * 201}),
        ("region", {"asked": [True] * 201, "conformal": [0.0] * 201}),
    ],
)
def test_values_that_cannot_be_are_refused(fitted, tmp_path, key, value):
    fitted.save(tmp_path)
    content = json.loads((tmp_path / RECALIBRATION).read_text())
    (tmp_path / RECALIBRATION).write_text(json.dumps(content | {key: value}))
    with pytest.raises(CheckpointError, match=RECALIBRATION):
        Recalibration.load(tmp_path)
