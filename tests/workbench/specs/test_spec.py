"""Specs: what is written comes back, what is wrong is refused by name."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from smash.errors import SpecError
from smash.settings import ModelSettings, ObjectiveSettings, TrainingSettings
from smash.workbench.specs import keys, strict_yaml
from smash.workbench.specs.experiment_spec import (
    ExperimentSpec,
    apply_overrides,
    dump_spec,
    flatten,
    load_spec,
    quick_profile,
    spec_digest,
    spec_from_mapping,
    spec_to_mapping,
)

FOLDER = Path(__file__).parents[3] / "experiments"
SPECS = sorted(FOLDER.glob("*.yaml"))
PUBLISHED = sorted((FOLDER / "published").glob("*.yaml"))
LEAVES = sorted(keys.leaves(ExperimentSpec))
BARE = [
    "sigma_time",
    "sigma_loc",
    "cond_dim",
    "langevin_step",
    "loss_lambda",
    "loss_lambda2",
    "smooth",
    "sampling_steps",
    "total_epochs",
    "batch_size",
    "per_step",
    "n_samples",
    "log_normalization",
    "seed",
    "epochs",
    "samplingsteps",
    "dataset",
]


def part_of(key: str) -> str | None:
    """Returns the part that is off unless given and that a key belongs to."""
    section = key.rpartition(".")[0]
    return section if section in keys.parts(ExperimentSpec) else None


def get(mapping: dict, dotted: str) -> object:
    for part in dotted.split("."):
        mapping = mapping[part]
    return mapping


def load_text(text: str, folder: Path, *overrides: str) -> ExperimentSpec:
    path = folder / "spec.yaml"
    path.write_text(text)
    return load_spec(path, overrides)


def finite(settings_object: object) -> bool:
    return all(math.isfinite(v) for v in vars(settings_object).values() if isinstance(v, float))


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
specs = st.builds(
    ExperimentSpec,
    name=texts | st.sampled_from(["5e-3", "1:30", "null", "true", "010", ".5", "~", "#", "- a"]),
    description=texts,
    model=st.builds(ModelSettings).filter(finite),
    objective=st.builds(ObjectiveSettings).filter(finite),
    training=st.builds(
        TrainingSettings,
        learning_rate=st.floats(1e-6, 1.0),
        final_learning_rate=st.floats(0, 1e-6),
    ).filter(finite),
    seeds=st.lists(st.integers(0, 2**32 - 1), unique=True).map(tuple),
    device=st.sampled_from(["auto", "cpu", "cuda", "cuda:3"]),
)


@settings(max_examples=50, deadline=None)
@given(specs)
def test_a_spec_comes_back_from_its_yaml(spec):
    again = spec_from_mapping(strict_yaml.parse(dump_spec(spec), "dump"))
    assert again == spec
    assert spec_digest(again) == spec_digest(spec)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_load_and_are_named_after_their_data(path):
    spec = load_spec(path)
    assert spec.name == spec.data.name == path.stem
    assert load_spec(path, [f"seed={spec.seed}"]) == spec


def test_four_specs_are_shipped_and_three_published_ones():
    assert [path.stem for path in SPECS] == ["crime", "earthquake", "football", "simulated"]
    assert [path.stem for path in PUBLISHED] == ["crime", "earthquake", "football"]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_shipped_specs_choose_nothing_on_test_data_and_sample_fast(path):
    spec = load_spec(path)
    assert spec.protocol == "strict"
    assert (spec.sampling.sampler, spec.sampling.denoise) == ("inverse_cdf", "posterior")
    assert "climatology" in spec.baselines


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_specs_go_by_the_published_protocol_under_a_name_of_their_own(path):
    spec = load_spec(path)
    assert (spec.name, spec.data.name) == (f"{path.stem}-published", path.stem)
    assert spec.protocol == "original"
    assert spec.scores.original
    assert "none" == spec.scaling.resolution == spec.scaling.location_resolution == spec.model.base
    assert spec.objective.kind == "score_matching"


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_hyperparameters(path):
    published = {
        "earthquake": (0.2, 0.25, 16, 32, 2000, 0.005, 0.5, 0.0, 2, 250),
        "crime": (0.3, 0.03, 64, 32, 1000, 0.01, 0.5, 0.1, 4, 250),
        "football": (0.2, 0.1, 32, 4, 2000, 0.01, 0.5, 0.0, 3, 100),
    }
    names = [
        "model.sigma_time",
        "model.sigma_loc",
        "model.cond_dim",
        "training.batch_size",
        "sampling.sampling_steps",
        "sampling.langevin_step",
        "objective.loss_lambda",
        "objective.smooth",
        "seed",
        "sampling.per_step",
    ]
    mapping = spec_to_mapping(load_spec(path))
    assert tuple(get(mapping, name) for name in names) == published[path.stem]
    chain = ("sampling.sampler", "sampling.denoise", "sampling.location_steps")
    assert tuple(get(mapping, name) for name in chain) == ("langevin", "tweedie", 200)


def test_an_empty_file_is_the_default_spec(tmp_path):
    assert load_text("", tmp_path) == ExperimentSpec()


@pytest.mark.parametrize("key", [key for key in LEAVES if part_of(key) is None])
def test_every_key_can_be_overridden_by_its_path(key):
    value = get(spec_to_mapping(ExperimentSpec()), key)
    written = strict_yaml.dump(value).removesuffix("...\n").strip()
    assert get(apply_overrides({}, [f"{key}={written}"]), key) == value
    assert spec_from_mapping(apply_overrides({}, [f"{key}={written}"])) == ExperimentSpec()


@pytest.mark.parametrize("key", LEAVES)
def test_every_key_has_an_expectation_in_words(key):
    assert keys.expectation(key, ExperimentSpec)


@pytest.mark.parametrize("name", BARE)
def test_the_users_words_work_bare(name):
    assert keys.resolve(name, ExperimentSpec) in LEAVES


def test_endings_work_where_they_are_unambiguous():
    endings = [key.rpartition(".")[2] for key in LEAVES]
    for key, ending in zip(LEAVES, endings, strict=True):
        if endings.count(ending) == 1:
            assert keys.resolve(ending, ExperimentSpec) == key
    assert keys.resolve("simulator.seed", ExperimentSpec) == "data.simulator.seed"
    assert keys.resolve("seed", ExperimentSpec) == "seed"


def test_an_ambiguous_ending_is_refused_with_the_candidates():
    with pytest.raises(SpecError, match=r"training\.block_events or sampling\.block_events"):
        apply_overrides({}, ["block_events=3"])


def test_overrides_reach_the_spec_and_the_last_wins(tmp_path):
    spec = load_text(
        "model: {sigma_time: 0.2}\n", tmp_path, "sigma_time=0.3", "epochs=2", "epochs=3", "path="
    )
    assert (spec.model.sigma_time, spec.training.total_epochs) == (0.3, 3)
    assert spec.data.path is None


def test_overrides_leave_the_mapping_they_are_given_alone():
    mapping = {"model": {"sigma_time": 0.2}}
    apply_overrides(mapping, ["sigma_time=0.3"])
    assert mapping == {"model": {"sigma_time": 0.2}}


def one_letter_off(key: str, letter: str) -> set[str]:
    """Returns the dotted key with `letter` in the place of each letter of its leaf in turn."""
    start = len(key) - len(key.rpartition(".")[2])
    return {key[:place] + letter + key[place + 1 :] for place in range(start, len(key))}


@st.composite
def misspelt(draw):
    """Returns a dotted key with one letter off, and all keys of which it is a misspelling.

    `data._column` is as near to `data.x_column` as to `data.y_column`; `loss_lambda8` is nearer
    to `loss_lambda` than to `loss_lambda2`.
    """
    long = [key for key in LEAVES if len(key.rpartition(".")[2]) > 5 and key[-1] != "2"]
    letter = draw(st.sampled_from(["", "8", "zz"]))
    wrong = draw(st.sampled_from(sorted(one_letter_off(draw(st.sampled_from(long)), letter))))
    return wrong, [key for key in LEAVES if wrong in one_letter_off(key, letter)]


@settings(max_examples=60, deadline=None)
@given(misspelt())
def test_a_misspelt_key_is_refused_with_the_nearest(misspelling):
    wrong, meant = misspelling
    section, _, leaf = wrong.rpartition(".")
    mapping: dict = {leaf: 1}
    for part in reversed(section.split(".") if section else []):
        mapping = {part: mapping}
    hint = re.compile(f"{re.escape(wrong)}: unknown key; the nearest known key is (\\S+)")
    with pytest.raises(SpecError) as in_file:
        spec_from_mapping(mapping)
    assert hint.search(str(in_file.value)).group(1) in meant
    with pytest.raises(SpecError) as on_command_line:
        apply_overrides({}, [f"{wrong}=1"])
    assert hint.search(str(on_command_line.value)).group(1) in meant


def test_a_bare_key_in_a_file_is_refused_with_its_place():
    with pytest.raises(SpecError, match=r"sigma_time: unknown key.* model\.sigma_time"):
        spec_from_mapping({"sigma_time": 0.3})
    with pytest.raises(SpecError, match="a file nests its keys"):
        spec_from_mapping({"model.sigma_time": 0.3})


BESIDE = {
    "training.variation.folding.day": {"training": {"variation": {"folding": 0.5}}},
    "training.variation.thinning.period": {"training": {"variation": {"thinning": 0.5}}},
}
"""What a key needs beside it."""
WRONG = {
    "a number": ['"0.2"', "true", "[1]", "null", ".nan", ".inf", "x"],
    "a whole number": ["1.0", '"1"', "true", "null", "1e2"],
    "true or false": ["1", '"true"', "yes", "[]"],
    "text": ["1", "true", "[]", "{}"],
    "one of": ["1", "nothing", "[]"],
    "a list of text": ["1", "x", "[1]", "[[x]]"],
    "a list of": ["1", "x", "[x]", "[[1]]"],
}


@pytest.mark.parametrize("key", LEAVES)
def test_wrong_types_are_refused_with_the_keys_path(key):
    expected = keys.expectation(key, ExperimentSpec)
    wrong = next(values for words, values in WRONG.items() if expected.startswith(words))
    for value in wrong:
        if value == "null" and "null" in expected:
            continue
        with pytest.raises(SpecError) as refused:
            spec_from_mapping(apply_overrides(BESIDE.get(key, {}), [f"{key}={value}"]))
        for line in str(refused.value).splitlines()[1:]:
            assert line.strip().startswith(key)
            assert ": expected " in line
            assert ", given " in line


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("learning_rate=0", "training.learning_rate: expected a number > 0 and <= 1"),
        ("thinning=1", "variation.thinning.depth: expected a number >= 0 and < 1, given 1"),
        ("cond_dim=2", "model.cond_dim: expected a whole number >= 4 and <= 1024 and a multiple"),
        ("levels=[0.5, 1]", "scores.levels[1]: expected a number > 0 and < 1, given 1"),
        ("levels=[0.9, 0.5]", "scores.levels: expected growing levels, given [0.9, 0.5]"),
        ("sequences=[1, 2]", "expected a list of 3 whole numbers >= 1 and <= 100000, given [1"),
        ("n_samples=301", "sampling.n_samples: expected at most sampling.total_samples (300)"),
        ("per_step=2001", "sampling.per_step: expected at most sampling.sampling_steps (2000)"),
        ("learning_rate=1e-5", "training.final_learning_rate: expected at most"),
        ("train=a.csv", "data.validation, data.test: missing beside data.train"),
        ("dataset=footbal", "given 'footbal'"),
        ("simulator.events=[5, 4]", "data.simulator.events"),
        ("seeds=[1, 1]", "seeds: expected each seed once, given [1, 1]"),
        ("ensemble=true", "ensemble: expected seeds, two or more"),
        ("periods=[24]", "model.periods: seen under model.time_encoding=relative alone"),
        ("device=gpu", 'given "gpu" (text)'),
        ("seed=-1", "seed: expected a whole number >= 0"),
        ("protocol=strickt", "protocol: expected one of strict, original"),
    ],
)
def test_impossible_values_are_refused(override, line):
    with pytest.raises(SpecError) as refused:
        spec_from_mapping(apply_overrides({}, [override]))
    assert line in str(refused.value)


def test_one_file_or_three_but_not_both():
    with pytest.raises(SpecError, match=r"data\.path: given together with data\.train"):
        spec_from_mapping(apply_overrides({}, ["path=a.csv", "train=b.csv"]))
    spec_from_mapping(apply_overrides({}, ["name=mine", "dataset=mine", "path=a.csv"]))


def test_all_problems_are_listed_one_a_line(tmp_path):
    text = "model: {sigma_time: '0.2', sigma_tme: 1}\nseed: x\ntrainig: {}\n"
    with pytest.raises(SpecError) as refused:
        load_text(text, tmp_path)
    first, *problems = str(refused.value).splitlines()
    assert first == f"{tmp_path / 'spec.yaml'}: 4 problems"
    assert len(problems) == 4
    with pytest.raises(SpecError) as refused:
        apply_overrides({}, ["sigma_tme=1", "model=3", "seed", "cond_dim=["])
    assert len(str(refused.value).splitlines()) == 4


def test_values_set_in_python_are_checked_too():
    with pytest.raises(ValidationError):
        ExperimentSpec(model=ModelSettings(sigma_time=-1.0))
    with pytest.raises(ValidationError):
        ExperimentSpec(seeds=(1, 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-3", 0.005),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-3", -3),
        ("1:30", "1:30"),
        ("no", "no"),
        ("2020-01-01", "2020-01-01"),
        ("~", None),
        ("", None),
        ("'3'", "3"),
    ],
)
def test_scalars_mean_what_they_look_like(text, value):
    read = strict_yaml.parse(f"a: {text}", "text")["a"]
    assert read == value
    assert type(read) is type(value)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


@settings(max_examples=80, deadline=None)
@given(values)
def test_plain_values_come_back_from_yaml(value):
    assert strict_yaml.parse(strict_yaml.dump(value), "dump") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "line 2, column 1: the key 'a' stands here twice"),
        ("a: {b: 1, b: 2}", "the key 'b' stands here twice"),
        ("a: &x [1]\nb: *x", "aliases are not read"),
        ("a: &x [*x]", "aliases are not read"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
        ("a: !!int x", "not readable"),
        ("a: [", "line 1"),
        ("1: 2", "the key 1 is not text"),
        ("? [a]\n: 1", "is not text"),
        ("a: " + "[" * 2000, "not readable"),
        ("- a", "expected keys and values"),
        ("a: \x00", "not readable"),
    ],
)
def test_files_that_are_no_plain_yaml_are_refused_by_name(text, message, tmp_path):
    with pytest.raises(SpecError, match=r"spec\.yaml") as refused:
        load_text(text, tmp_path)
    assert message in str(refused.value)


def test_unreadable_files_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(SpecError, match=r"is a folder|no such file"):
            load_spec(path)


def test_a_spec_of_more_than_a_spec_needs_is_refused(tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text("name: " + "x" * 2**18)
    with pytest.raises(SpecError, match=r"long\.yaml: has 262150 bytes"):
        load_spec(path)
    path.write_text("seeds: [" + "1," * 60_000 + "]")
    with pytest.raises(SpecError, match="too many values"):
        load_spec(path)
    path.write_text("\n".join(f"key_{i}: 1" for i in range(2000)))
    with pytest.raises(SpecError, match="more than 30 problems") as refused:
        load_spec(path)
    assert len(str(refused.value).splitlines()) == 31


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_spec_or_an_error_of_ours(text):
    try:
        mapping = strict_yaml.parse(text, "text")
        spec_from_mapping(mapping if isinstance(mapping, dict) else {"name": mapping})
    except SpecError:
        pass


def test_flatten_names_every_key_once():
    flat = flatten(ExperimentSpec())
    assert sorted(flat) == LEAVES
    assert flat["model.sigma_time"] == "0.2"
    assert flat["data.path"] == "null"


def test_the_digest_tells_specs_apart():
    changed = spec_from_mapping({"model": {"sigma_time": 0.21}})
    assert spec_digest(changed) != spec_digest(ExperimentSpec())
    assert spec_digest(spec_from_mapping({"model": {"sigma_time": 0.2}})) == spec_digest(
        ExperimentSpec()
    )


@pytest.mark.parametrize("path", [*SPECS, *PUBLISHED], ids=lambda path: load_spec(path).name)
def test_the_quick_profile_is_a_smaller_valid_spec(path):
    spec = load_spec(path)
    quick = quick_profile(spec)
    assert spec_from_mapping(spec_to_mapping(quick)) == quick
    assert (quick.sampling.sampling_steps, quick.sampling.total_samples) == (500, 10)
    assert quick.sampling.max_sequences == 8
    assert quick.model_copy(update={"sampling": spec.sampling}) == spec
    assert quick_profile(quick) == quick


def test_the_quick_profile_never_asks_for_more():
    small = ExperimentSpec().model_copy()
    sampling = replace(
        small.sampling, sampling_steps=20, per_step=5, total_samples=4, n_samples=2, max_sequences=3
    )
    small = small.model_copy(update={"sampling": sampling})
    assert quick_profile(small) == small
