"""The verdict follows from the figures."""

from dataclasses import replace

import numpy as np
import pytest
from made_up import run

from smash.scores import cs_critical, cs_floor
from smash.workbench.report.display_tables import cells
from smash.workbench.report.futures_tables import futures, horizon
from smash.workbench.report.labels import Units
from smash.workbench.report.logged_comparison import Comparison, Estimate
from smash.workbench.report.overview_table import overview
from smash.workbench.report.run_groups import arrange
from smash.workbench.report.verdict import verdict

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)


def said(*runs, comparisons=None):
    (data,) = arrange(runs)
    found = verdict(data, comparisons or {})
    return f"{found.short} {found.full}"


def test_lower_scores_are_better_and_higher_ones_worse_by_how_much():
    text = said(
        run(crps_time=0.9, energy_location=1.25, mark_log_loss=1.001), run("c", "climatology")
    )
    assert "better in time (CRPS −10.0 %)" in text
    assert "worse in location (energy score +25.0 %)" in text
    assert "no difference is shown in mark (log loss +0.1 %)" in text


def test_the_short_form_says_the_same():
    mine = run(crps_time=0.9, energy_location=1.25, cs_time=0.1)
    text = said(mine, run("c", "climatology"), run("m", "mixture", crps_time=0.5))
    short = text.partition(".")[0]
    assert "beats climatology in time but not in location and mark" in short
    assert "does not beat the mixture in time, location or mark" in short
    assert "its intervals of time are not calibrated" in short
    assert "its regions of location are calibrated" in short


def test_a_rival_of_folded_sequences_counts_where_there_is_one():
    rivals = [run("c", "climatology"), run("m", "mixture")]
    assert "folded" not in said(run(crps_time=0.9), *rivals)
    rivals.append(run("f", "folded_mixture", crps_time=0.5))
    text = said(run(crps_time=0.9), *rivals)
    assert "does not beat the folded mixture in time" in text.partition(".")[0]
    assert "folded sequences too, it is worse in time (CRPS +80.0 %)" in text


def test_a_baseline_on_other_events_is_no_baseline():
    assert "Against climatology it was not tested" in said(
        run(), run("c", "climatology", n_events=9.0)
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.2, -0.1, "better in time"),
        (0.1, 0.2, "worse in time"),
        (-0.2, 0.1, "no difference is shown in time"),
    ],
)
def test_intervals_decide_where_there_are_any(low, high, words):
    mine, theirs = run(crps_time=0.9), run("c", "climatology")
    test = {"climatology": {"crps_time": Estimate(-0.1, low, high, 0.5)}}
    text = said(mine, theirs, comparisons={mine.run_id: Comparison(9, {}, {}, test)})
    assert f"it is {words}".replace("it is no", "no") in text


def test_a_score_above_what_chance_gives_is_not_calibrated():
    covered = {f"coverage_time_{100 * q:.0f}": q + 0.1 for q in LEVELS}
    text = said(run(cs_time=0.1, cs_location=0.012, **covered))
    assert "in time it has 10.00 %" in text
    assert "the intervals of time hold the truth too often" in text
    assert "in location it has 1.20 %, which cannot be told from perfect" in text


def test_the_quick_profile_is_no_result():
    assert "no result" in said(run(tags={"profile": "quick"}))
    assert "no result" not in said(run())


def test_test_events_that_stand_in_training_are_told_with_their_share():
    mine = run(crps_time=0.9, tags={"data/test_in_train": "0.125"})
    text = said(mine, run("c", "climatology"))
    assert "But 12.5 % of its test targets stand in the training data." in text
    assert "the figures say in part what was learnt by heart" in text
    for tag in ("0", "nan", "none"):
        assert "training data" not in said(run(tags={"data/test_in_train": tag}))
    assert "training data" not in said(run())


def test_seeds_are_pooled_and_repeats_are_not():
    (data,) = arrange([run(seed=1, crps_time=1.0), run(seed=2, crps_time=2.0)])
    (group,) = data.models
    assert group.value("crps_time").mean == 1.5
    assert group.value("crps_time").sd == pytest.approx(2**-0.5)
    assert data.repeated == 0
    (data,) = arrange([run("a", seed=1), run("b", seed=1)])
    assert len(data.models[0].runs) == 1
    assert data.repeated == 1


def test_models_are_told_apart_by_what_differs_and_the_best_comes_first():
    worse = run(params={"sampling.denoise": "none"}, crps_time=2.0)
    better = run(params={"sampling.denoise": "posterior"}, crps_time=1.0)
    (data,) = arrange([worse, better])
    assert [group.label for group in data.models] == [
        "SMASH, score matching (denoise=posterior)",
        "SMASH, score matching (denoise=none)",
    ]


def test_what_a_model_has_no_setting_of_is_left_out_of_its_name():
    together = run(tags={"ensemble": "a, b"}, crps_time=1.0)
    (data,) = arrange([run(crps_time=2.0), together])
    assert [group.label for group in data.models] == [
        "SMASH, score matching, ensemble of 2 seeds",
        "SMASH, score matching",
    ]


@pytest.mark.parametrize(
    ("objective", "law", "name"),
    [
        ("score_matching", "score", "SMASH, score matching"),
        ("likelihood", "score", "SMASH networks, likelihood, score-matched places"),
        ("likelihood", "mixture", "SMASH networks, likelihood, mixture places"),
        ("likelihood", "history", "SMASH networks, likelihood, history places"),
    ],
)
def test_a_model_is_called_by_how_it_was_trained(objective, law, name):
    params = {"objective.kind": objective, "model.location_law": law}
    (data,) = arrange([run(params=params)])
    assert data.models[0].label == name
    mixed = run(params=params, tags={"pool": "model, mixture"}, crps_time=2.0)
    (data,) = arrange([run(params=params), mixed])
    assert [group.label for group in data.models] == [name, f"pool of {name}, mixture"]


def test_what_a_name_says_is_not_said_twice():
    law = "model.location_law"
    runs = [run(params={"objective.kind": "likelihood", law: one}) for one in ("mixture", "score")]
    (data,) = arrange(runs)
    assert data.differing == [law]
    assert {group.label for group in data.models} == {
        "SMASH networks, likelihood, mixture places",
        "SMASH networks, likelihood, score-matched places",
    }


def test_perfect_forecasters_stay_below_the_critical_score_as_often_as_said():
    generator = np.random.default_rng(3)
    critical = cs_critical(200, LEVELS, generator)
    ranks = generator.random((2000, 200))
    scores = np.mean([np.abs((ranks <= q).mean(axis=1) - q) for q in LEVELS], axis=0)
    assert np.mean(scores <= critical) == pytest.approx(0.95, abs=0.02)
    assert critical > cs_floor(200, LEVELS)


def test_skill_is_positive_below_climatology_and_known_only_on_the_same_events():
    (data,) = arrange([run(crps_time=0.9), run("c", "climatology")])
    assert data.skill(data.models[0], "crps_time") == pytest.approx(0.1)
    (data,) = arrange([run(crps_time=0.9), run("c", "climatology", n_events=9.0)])
    assert data.skill(data.models[0], "crps_time") is None


def test_the_interval_of_several_seeds_is_the_mean_of_theirs_if_all_have_one():
    rivals = [run("c", "climatology", seed=1)]
    seeds = [run(seed=seed, crps_time=0.9) for seed in (1, 2)]
    (data,) = arrange([*seeds, *rivals])
    ends = [(0.0, 0.2), (0.1, 0.4)]
    logged = {
        run.run_id: Comparison(9, {}, {"time": Estimate(0.1, low, high)}, {})
        for run, (low, high) in zip(seeds, ends, strict=True)
    }
    (row, _) = overview([data], logged).rows
    value = row.values["time"]
    assert (value.mean, value.low, value.high) == pytest.approx((0.1, 0.05, 0.3))
    logged.popitem()
    (row, _) = overview([data], logged).rows
    assert row.values["time"].low is None


def test_the_overview_has_all_forecasters_of_all_data_sets_the_best_of_each_in_bold():
    runs = [
        run(f"{name} {kind}", kind, dataset=name, digest=name * 64, crps_time=crps)
        for name in "ab"
        for kind, crps in ((None, 0.9), ("climatology", 1.0), ("poisson", 0.95))
    ]
    table = overview(arrange(runs), {})
    assert [column.key for column in table.columns[:2]] == ["forecaster", "data"]
    at = [column.key for column in table.columns].index("time")
    shown = [(row[1].text, row[at].text, row[at].bold) for row in cells(table)]
    assert [one[1:] for one in shown] == 2 * [
        ("+10.0", True),
        ("–", False),
        ("+5.0", False),
    ]
    assert [one[0] for one in shown] == ["a", "a", "a", "b", "b", "b"]


def test_futures_stand_beside_each_other_where_some_were_rolled_out():
    (data,) = arrange([run(), run("c", "climatology")])
    assert futures(data, Units()) is None
    assert horizon(data, Units()) is None
    hawkes = run("h", "hawkes")
    hawkes = replace(hawkes, metrics={**hawkes.metrics, "futures/crps_count": 2.5})
    (data,) = arrange([run(), hawkes])
    (row,) = futures(data, Units()).rows
    assert row.values["forecaster"] == "hawkes"
    assert row.values["crps_count"].mean == 2.5
    assert horizon(data, Units()) is None
    near = replace(hawkes, metrics={**hawkes.metrics, "futures/time_error_1": 0.5})
    (data,) = arrange([run(), near])
    found = horizon(data, Units(time="days"))
    assert [column.heading for column in found.columns] == [
        "forecaster",
        "time error, next event (days)",
    ]
