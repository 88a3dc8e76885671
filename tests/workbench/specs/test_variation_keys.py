"""Parts of a variation: off unless given, in short or in full, read under their old names."""

import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_runs import ROOT

from smash.errors import SpecError
from smash.settings import Folding, Mirroring, Recency, Thinning, Variation
from smash.workbench.search.space import spaced_key
from smash.workbench.search.study_spec import load_search
from smash.workbench.specs.experiment_spec import (
    ExperimentSpec,
    apply_overrides,
    dump_spec,
    flatten,
    load_spec,
    spec_digest,
    spec_from_mapping,
    spec_to_mapping,
)
from smash.workbench.specs.renamed_keys import RENAMED, RenamedKey, params_under_present_names

FULL = {"recency": {"half_life": 0.5}, "folding": {"share": 0.7, "day": 24}, "thinning": 0.5}
OLD = {"half_life": 0.5, "folding": 0.7, "folding_day": 24.0, "thinning": 0.5}
OFF = {"thinning_period": None, "mirror": "none"}
SAME = Variation(Recency(0.5), Folding(0.7), Thinning(0.5))


def varied(*overrides: str, **training) -> Variation:
    return spec_from_mapping(apply_overrides({"training": training}, overrides)).training.variation


def test_what_is_not_given_is_off_and_stands_in_no_spec():
    assert varied() == varied(variation={}) == varied(variation={"folding": None}) == Variation()
    assert spec_to_mapping(ExperimentSpec())["training"]["variation"] == {}
    [only] = spec_to_mapping(load_spec(ROOT / "experiments/football.yaml"))["training"]["variation"]
    assert only == "mirroring"


def test_a_part_may_be_written_by_its_first_value_and_in_any_order():
    assert varied(variation=FULL) == SAME
    assert varied(variation=dict(reversed(FULL.items()))) == SAME
    assert varied("variation.mirroring=x") == Variation(mirroring=Mirroring("x"))
    assert varied("thinning={depth: 0.2, period: 24}").thinning == Thinning(0.2, 24.0)


def test_an_override_changes_one_value_of_a_part_or_leaves_the_part_out():
    assert varied("thinning=0.2", "thinning.period=24").thinning == Thinning(0.2, 24.0)
    both = varied("thinning=0.3", variation={"thinning": {"depth": 0.2, "period": 24}})
    assert both.thinning == Thinning(0.3, 24.0)
    assert varied("variation.thinning=null", variation=FULL) == Variation(
        SAME.recency, SAME.folding
    )


@pytest.mark.parametrize(
    ("variation", "line"),
    [
        ({"thinning": {}}, r"thinning\.depth: expected a number >= 0 and < 1, given \{\}"),
        ({"thinning": {"period": 24}}, r"thinning\.depth: expected a number >= 0"),
        ({"folding": "much"}, r"folding\.share: expected .* given \"much\""),
        ({"folding": {"share": 0.5, "days": 1}}, r"nearest known key is .*folding\.day"),
        ({"foldin": 0.5}, r"nearest known key is training\.variation\.folding"),
        ({"mirroring": "z"}, r"mirroring\.axes: expected one of none, x, y, both"),
        ([{"thinning": 0.5}], r"training\.variation: expected a section of keys"),
    ],
)
def test_a_part_that_makes_no_sense_is_named(variation, line):
    with pytest.raises(SpecError, match=line):
        varied(variation=variation)


def test_old_names_are_read_with_a_hint_in_files_and_on_the_command_line(tmp_path):
    path = tmp_path / "old.yaml"
    path.write_text("training: {thinning: 0.5, half_life: 0.5}\n")
    with pytest.warns(RenamedKey) as said:
        spec = load_spec(path, ["folding_day=24", "training.folding=0.7"])
    assert spec.training.variation == SAME
    hints = sorted(str(warning.message) for warning in said)
    assert hints[0].startswith("training.folding is now training.variation.folding.share; the old")
    assert [hint.split()[0].rpartition(".")[2] for hint in hints] == sorted(OLD)


def test_a_spec_that_a_run_wrote_is_read_without_a_hint():
    for name in ("crime", "earthquake", "football"):
        kept = load_spec(ROOT / f"experiments/pretrained/{name}/spec.yaml").training
        assert kept.variation == load_spec(ROOT / f"experiments/{name}.yaml").training.variation
    assert varied(**OLD, **OFF) == SAME


def test_both_names_at_once_are_refused():
    with (
        pytest.warns(RenamedKey),
        pytest.raises(SpecError, match=r"thinning: given 0.3, and under its old name too"),
    ):
        varied(thinning=0.5, variation={"thinning": 0.3})


@settings(deadline=None)
@given(
    half_life=st.sampled_from([0, 0.0, 0.2]),
    folding=st.sampled_from([0, 0.5]),
    folding_day=st.sampled_from([24, 24.0, 1.5]),
    thinning=st.sampled_from([0.0, 0.5]),
    thinning_period=st.sampled_from([None, 24.0]),
    mirror=st.sampled_from(["none", "x", "both"]),
)
def test_old_keys_old_params_and_present_keys_say_the_same(**old):
    spec = spec_from_mapping({"training": old})
    variation = spec.training.variation
    assert (variation.recency.half_life if variation.recency else 0) == old["half_life"]
    assert (variation.folding.share if variation.folding else 0) == old["folding"]
    assert (variation.folding or Folding(0)).day == old["folding_day"]
    assert (variation.thinning.depth if variation.thinning else 0) == old["thinning"]
    period = variation.thinning.period if variation.thinning else None
    assert period == old["thinning_period"]
    assert (variation.mirroring.axes if variation.mirroring else "none") == old["mirror"]
    again = spec_from_mapping(spec_to_mapping(spec))
    assert again == spec
    assert spec_digest(again) == spec_digest(spec)
    params = {f"training.{k}": v if k == "mirror" else json.dumps(v) for k, v in old.items()}
    now = params_under_present_names({**params, "seed": "1"})
    expected = {key: value for key, value in flatten(spec).items() if key in RENAMED.values()}
    read = {key: value if key.endswith("axes") else json.loads(value) for key, value in now.items()}
    assert read.pop("seed") == 1
    assert read == {k: v if k.endswith("axes") else json.loads(v) for k, v in expected.items()}


def test_params_under_present_names_stay_as_they_are():
    params = flatten(load_spec(ROOT / "experiments/crime.yaml"))
    assert params_under_present_names(params) == params


def test_a_dumped_spec_holds_no_old_name(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(dump_spec(spec_from_mapping({"training": {**OLD, **OFF}})))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_spec(path).training.variation == SAME


def test_a_study_searches_a_part_and_overrides_it(tmp_path):
    assert spaced_key("thinning") == spaced_key("thinning.depth")
    with pytest.warns(RenamedKey):
        assert spaced_key("mirror") == "training.variation.mirroring.axes"
    base = tmp_path / "base.yaml"
    base.write_text("training: {variation: {thinning: 0.5}}\n")
    study = tmp_path / "study.yaml"
    study.write_text(
        "base: base.yaml\nspace: {thinning: [0.0, 0.5], recency.half_life: [0.0, 0.2]}\n"
        "experiment: {training: {variation: {recency: 0.0}}}\n"
    )
    search = load_search(study, ["thinning.period=24"])
    key, other = "training.variation.thinning.depth", "training.variation.recency.half_life"
    assert search.published() == {key: 0.5, other: 0.0}
    tried = search.trial_spec({key: 0.0, other: 0.2}).training.variation
    assert tried == Variation(recency=Recency(0.2), thinning=Thinning(0.0, 24.0))
    with pytest.warns(RenamedKey):
        search = load_search(study, ["thinning_period=12"])
    assert search.base.training.variation.thinning == Thinning(0.5, 12.0)
    study.write_text("base: base.yaml\nspace: {folding: [0.0, 0.5]}\n")
    with pytest.raises(SpecError, match=r"folding\.share: the base experiment's null is not among"):
        load_search(study)
