"""What goes with what: contradictions are refused, idle settings said, and both are documented."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from smash.errors import SpecError
from smash.model.smash import Smash
from smash.settings import ModelSettings
from smash.workbench.runs.sources import Source, with_source
from smash.workbench.specs import contradictions, idle_settings, keys
from smash.workbench.specs.experiment_spec import (
    ExperimentSpec,
    apply_overrides,
    load_spec,
    spec_from_mapping,
)

ROOT = Path(__file__).parents[3]
SPECS = sorted((ROOT / "experiments").glob("*.yaml"))
PUBLISHED = sorted((ROOT / "experiments" / "published").glob("*.yaml"))
LIKELIHOOD = "objective.kind=likelihood"
TWO_DRAWS, FEW_FITTED = ("total_samples=2", "n_samples=2"), "recalibration_samples=2"

BROKEN: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "data.path": (("path=a", "train=b"), ("train=b",), ("dataset=foo",)),
    "data.columns": (("columns.x=lon", "columns.y=lon"),),
    "data.mark_edges": (
        ("mark_edges=[2, 1]",),
        ("mark_edges=[1, 1]",),
        ("mark_names=[a, a]",),
        ("mark_edges=[1]", "mark_names=[a, b, c]"),
    ),
    "data.simulator.events": (("simulator.events=[5, 4]",), ("simulator.events=[2, 100000]",)),
    "model.periods": (("periods=[24]",), ("time_encoding=relative", "periods=[24, 24]")),
    "model.recent_rates": (("recent_rates=true",),),
    "model.location_law=mixture": (("location_law=mixture",),),
    "model.time_law=mixture": (
        ("time_law=mixture",),
        ("time_law=mixture", LIKELIHOOD, "log_normalization=false"),
    ),
    "model.base=self_exciting": (
        ("base=self_exciting", LIKELIHOOD),
        ("base=self_exciting", LIKELIHOOD, "location_law=history", "time_law=mixture"),
    ),
    "objective.kind=weighted_score_matching": (
        ("objective.kind=weighted_score_matching", "base=climatology"),
    ),
    "model.noise_levels": (
        ("noise_levels=4",),
        ("noise_levels=9", "objective.kind=weighted_score_matching", "n_noise=8"),
    ),
    "sampling.sampler=langevin": (("sampling.sampler=langevin", LIKELIHOOD),),
    "sampling.n_samples": (("n_samples=301",),),
    "sampling.per_step": (("per_step=2001",),),
    "training.final_learning_rate": (("learning_rate=1e-5",),),
    "training.eval_every": (("patience=3", "eval_every=4"),),
    "training.variation.recency.half_life": (("half_life=1e-9",),),
    "scores.levels": (("levels=[0.9, 0.5]",), ("levels=[0.5, 0.5]",)),
    "scores.validation_samples": (("validation_samples=1",),),
    "scores.recalibration_samples": (("recalibration_samples=1",),),
    "baselines": (
        ("baselines=[markov, markov]",),
        ("baselines=[oracle]", "dataset=crime"),
        ("baselines=[oracle]", "marked=false"),
    ),
    "pool": (
        ("pool=[model]",),
        ("pool=[model, model]",),
        ("pool=[model, markov]",),
        ("pool=[climatology, markov, model]", "baselines=[climatology, markov]", *TWO_DRAWS),
        ("pool=[climatology, markov, model]", "baselines=[climatology, markov]", FEW_FITTED),
    ),
    "seeds": (("seeds=[1, 1]",),),
    "ensemble": (
        ("ensemble=true",),
        ("ensemble=true", "seeds=[1, 2, 3]", *TWO_DRAWS),
        ("ensemble=true", "seeds=[1, 2, 3]", FEW_FITTED),
    ),
}
"""Settings that break each rule, a tuple of overrides a case."""


def spec_of(*overrides: str) -> ExperimentSpec:
    return spec_from_mapping(apply_overrides({}, overrides))


def test_every_rule_has_settings_that_break_it():
    assert [rule.setting for rule in contradictions.RULES] == list(BROKEN)


@pytest.mark.parametrize(
    ("setting", "overrides"),
    [(setting, case) for setting, cases in BROKEN.items() for case in cases],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_contradiction_is_refused_once_and_by_name(setting, overrides):
    with pytest.raises(SpecError) as refused:
        spec_of(*overrides)
    _, *problems = str(refused.value).splitlines()
    assert len(problems) == 1
    named = problems[0].partition(":")[0].strip().split(", ")
    assert set(named) <= set(keys.leaves(ExperimentSpec))
    (rule,) = (rule for rule in contradictions.RULES if rule.setting == setting)
    assert list(rule.broken(ExperimentSpec())) == []


IDLE: Mapping[str, tuple[str, ...]] = {
    "data.simulator": ("simulator.n_marks=4", "dataset=crime"),
    "data.columns": ("columns.x=lon",),
    "data.location_unit": ("location_unit=km", "places=false"),
    "data.projection": ("projection=[1, 2]", "places=false"),
    "data.longitude_cut": ("longitude_cut=10", "places=false"),
    "data.region": ("data.region=[[0, 0], [1, 0], [1, 1]]", "places=false"),
    "scaling.location_resolution": ("location_resolution=auto", "places=false"),
    "model.location_law": ("location_law=mixture", LIKELIHOOD, "places=false"),
    "objective.loss_lambda2": ("loss_lambda2=2", "places=false"),
    "data.mark_names": ("mark_names=[a, b]",),
    "data.mark_edges": ("mark_edges=[1]",),
    "data.time_origin": ("time_origin=2020-01-01",),
    "scaling.floor": ("floor=0.01", "scaling.resolution=0.5"),
    "model.location_components": ("location_components=3",),
    "model.recent_events": ("recent_events=3",),
    "model.place_scales": ("place_scales=one", LIKELIHOOD, "location_law=mixture"),
    "model.sigma_loc": ("sigma_loc=0.3", LIKELIHOOD, "location_law=mixture"),
    "model.noise_levels": ("noise_levels=3", LIKELIHOOD, "location_law=mixture"),
    "model.mark_in_location": ("mark_in_location=true", "marked=false"),
    "model.sigma_time": ("sigma_time=0.3", LIKELIHOOD),
    "objective.loss_lambda": ("loss_lambda=0.3", LIKELIHOOD),
    "objective.smooth": ("smooth=0.3", LIKELIHOOD),
    "objective.law_points": ("law_points=64",),
    "training.piece_history": ("piece_history=99",),
    "training.sample_every": ("sample_every=9", "total_epochs=3", "warmup_epochs=1"),
    "training.warmup_epochs": ("warmup_epochs=9", "total_epochs=3"),
    "sampling.langevin_step": ("langevin_step=0.01",),
    "sampling.sampling_steps": ("sampling_steps=1000",),
    "sampling.per_step": ("per_step=100",),
    "sampling.n_samples": ("n_samples=10",),
    "sampling.time_table": ("time_table=true",),
    "sampling.cuda_graph": ("cuda_graph=true",),
    "training.graphed": ("graphed=false", "device=cpu"),
    "sampling.fused": ("fused=false", "device=cpu"),
    "sampling.support": ("support=noised", LIKELIHOOD, "location_law=mixture"),
    "sampling.grid_points": ("grid_points=64", LIKELIHOOD),
    "sampling.location_steps": ("location_steps=9", LIKELIHOOD, "location_law=mixture"),
    "sampling.denoise": ("denoise=tweedie", LIKELIHOOD, "location_law=mixture"),
    "scores.validation_sequences": ("validation_sequences=3",),
    "scores.recalibration_samples": ("recalibration_samples=50", "protocol=original"),
    "scores.futures_paths": ("futures_paths=50",),
    "pool_weights": ("pool_weights=equal",),
    "seed": ("seed=3", "seeds=[1, 2]"),
    "deterministic": ("deterministic=true", "device=cpu"),
}
"""Settings under which each plays no part, itself changed from its default."""


def test_every_idle_setting_has_a_case():
    named = [setting for part in idle_settings.PARTS for setting in part.settings]
    assert named == list(IDLE)
    assert set(named) <= set(keys.leaves(ExperimentSpec)) | set(keys.sections(ExperimentSpec))


@pytest.mark.parametrize("setting", IDLE)
def test_a_setting_that_plays_no_part_is_said(setting):
    (line,) = idle_settings.idle_settings(spec_of(*IDLE[setting]))
    assert line.startswith(f"{setting}: ")
    assert "plays no part here; it does" in line


def test_marks_of_the_data_count_where_the_spec_leaves_them_open():
    spec = spec_of("mark_in_location=true")
    assert idle_settings.idle_settings(spec) == idle_settings.idle_settings(spec, marked=True) == []
    assert len(idle_settings.idle_settings(spec, marked=False)) == 1


@pytest.mark.parametrize("path", [*SPECS, *PUBLISHED], ids=lambda path: load_spec(path).name)
def test_every_setting_of_the_shipped_specs_plays_a_part(path):
    assert idle_settings.idle_settings(load_spec(path)) == []
    assert idle_settings.idle_settings(ExperimentSpec()) == []


def test_a_given_model_contradicts_what_it_was_not_trained_for(prepared):
    likely = Smash(ModelSettings(cond_dim=8), 3, prepared.scaler, law_points=16)
    scored = Smash(ModelSettings(cond_dim=8), 3, prepared.scaler)
    langevin = spec_of("sampling.sampler=langevin")
    with pytest.raises(SpecError, match=r"--from here.*\n.*sampling\.sampler: langevin"):
        with_source(langevin, Source(likely, "here"))
    assert with_source(langevin, Source(scored, "here")).objective.kind == "score_matching"
    assert with_source(spec_of(), Source(likely, "here")).objective.kind == "likelihood"


def test_the_tables_are_in_the_documents():
    text = (ROOT / "docs" / "settings.md").read_text()
    for table in (contradictions.table(), idle_settings.table()):
        assert table in text, f"put this into docs/settings.md:\n{table}"
